"""Why a row got through: the policy that let it, or the mechanism that never asked one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql

from tenantproof.core.catalog import Policy, Relation, RelationKind
from tenantproof.core.model import Command, QName
from tenantproof.engine.matrix import Judged
from tenantproof.engine.plan import PLATFORM_SCHEMAS, Plan
from tenantproof.engine.scripts import as_observer, as_persona, before_acting, has_key_of
from tenantproof.engine.suspects import calls_in, that_vouch_for
from tenantproof.engine.wire import Wire
from tenantproof.properties.visibility import Violation

ROLE_BYPASSES = "role-bypasses-rls"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """A stable word for the mechanism (`policy workflows_select`, `rls-disabled`), and what to say about it."""

    key: str
    words: str
    policies: tuple[Policy, ...] = ()
    function: QName | None = None
    """The function to mend, where one is the cause."""
    suspects: tuple[QName, ...] = ()
    """Functions called by the policies that themselves say the persona belongs there."""
    fix: str = ""


def cause_of(wire: Wire, plan: Plan, judged: Judged, violation: Violation) -> Cause:
    """Why *violation* was possible.  Runs a few statements; the wire ends up as the persona of the cell."""
    structural = _structure(plan, judged)
    if structural is not None:
        return structural
    relation = judged.stand.relation
    roles = plan.catalog.privileges_of(plan.identities[judged.stand.persona.name].role)
    candidates = [p for p in relation.policies if p.permissive and p.applies_to(judged.command, roles)]
    as_it_became = violation.change is not None and violation.row is not violation.change.before
    row = _row_as_json(wire, plan, judged, violation, as_it_became)
    wire.restart(as_persona(plan.identities[judged.stand.persona.name]))
    letting = candidates
    if len(candidates) > 1:
        letting = [] if row is None else _that_let_through(wire, judged, candidates, row, as_it_became)
    if not letting:
        return Cause(key="unexplained", words="no single policy lets the row through by itself")
    names = " and ".join(policy.name for policy in letting)
    plural = "policies" if len(letting) > 1 else "policy"
    calls = calls_in(plan.catalog, letting, PLATFORM_SCHEMAS) if row is not None else []
    return Cause(
        key=f"policy {names}",
        words=f"let through by the {plural} {names}",
        policies=tuple(letting),
        suspects=tuple(that_vouch_for(wire, relation, row, violation.row, calls)) if row is not None else (),
    )


def cause_unasked(plan: Plan, judged: Judged) -> Cause:
    """Why a row may have got through, where the database is gone and cannot be asked."""
    structural = _structure(plan, judged)
    if structural is not None:
        return structural
    roles = plan.catalog.privileges_of(plan.identities[judged.stand.persona.name].role)
    letting = [p for p in judged.stand.relation.policies if p.permissive and p.applies_to(judged.command, roles)]
    if len(letting) == 1:
        name = letting[0].name
        return Cause(key=f"policy {name}", words=f"let through by the policy {name}", policies=tuple(letting))
    return Cause(key="unexplained", words="the database went away before it could be asked which policy it was")


def _structure(plan: Plan, judged: Judged) -> Cause | None:
    """Mechanisms by which no policy is asked at all."""
    relation, role = judged.object, plan.identities[judged.stand.persona.name].role
    if relation.kind is RelationKind.MATVIEW:
        return Cause(
            key="materialized-view",
            words="a materialized view holds a copy of the rows, and policies do not apply to it",
            fix="Revoke the materialized view from the API roles and serve it by a function or view that filters.",
        )
    if relation.kind is RelationKind.VIEW and relation.options.get("security_invoker") not in ("true", "on", "1"):
        return Cause(
            key="view-owner",
            words=f"the view reads its tables as its owner {relation.owner}, so their policies do not see the caller",
            fix="ALTER VIEW … SET (security_invoker = true), or filter by the caller inside the view.",
        )
    if relation.kind is RelationKind.VIEW and judged.command is Command.SELECT:
        return Cause(key="view", words="the view shows what its tables show to the caller")
    return _row_security(plan, judged.stand.relation, role)


def _row_security(plan: Plan, relation: Relation, role: str) -> Cause | None:
    known = plan.catalog.roles.get(role)
    if known is not None and (known.superuser or known.bypass_rls):
        return Cause(
            key=ROLE_BYPASSES,
            words=f"the role {role} bypasses row level security",
            fix=f"ALTER ROLE {role} NOBYPASSRLS NOSUPERUSER.",
        )
    if not relation.rls:
        what = "partition" if relation.partition_bound else "table"
        return Cause(
            key="rls-disabled",
            words=f"row level security is not enabled on the {what}",
            fix=f"ALTER TABLE {relation.name} ENABLE ROW LEVEL SECURITY, or revoke the API roles' grants on it.",
        )
    if relation.owner in plan.catalog.privileges_of(role) and not relation.force_rls:
        return Cause(
            key="owner-not-forced",
            words=f"{role} owns the table (or inherits its owner), and row level security is not forced",
            fix=f"ALTER TABLE {relation.name} FORCE ROW LEVEL SECURITY, and connect as a role that owns nothing.",
        )
    return None


def _that_let_through(
    wire: Wire, judged: Judged, candidates: Sequence[Policy], row: str, as_it_became: bool
) -> list[Policy]:
    """The permissive policies whose expression is true for the row, evaluated as the persona of the wire."""
    asked = [(policy, _expression(policy, judged.command, as_it_became)) for policy in candidates]
    scripts = [(_evaluation(judged.stand.relation, expression, row),) for _, expression in asked]
    answers = wire.run(scripts)
    return [policy for (policy, _), said in zip(asked, answers, strict=True) if said[-1].rows == (("true",),)]


def _expression(policy: Policy, command: Command, as_it_became: bool) -> str:
    if command is Command.INSERT or as_it_became:
        return policy.check or policy.using or "true"
    return policy.using or "true"


def _evaluation(relation: Relation, expression: str, row: str) -> str:
    """The policy's expression over one row that need not be visible: as a record under the table's own name."""
    return (
        sql.SQL("SELECT coalesce(({}), false)::text FROM jsonb_populate_record(NULL::{}, {}) AS {}")
        .format(
            sql.SQL(expression),  # as pg_get_expr printed it
            sql.Identifier(relation.name.schema, relation.name.name),
            sql.Literal(row),
            sql.Identifier(relation.name.name),
        )
        .as_string(None)
    )


def _row_as_json(wire: Wire, plan: Plan, judged: Judged, violation: Violation, as_it_became: bool) -> str | None:
    """The row's content as the observer sees it, before the attempt or after it."""
    stand, attempt = judged.stand, violation.outcome.attempt
    becoming = as_persona(plan.identities[stand.persona.name])
    wire.restart(becoming)
    acting = (*before_acting(attempt, becoming), attempt.sql) if as_it_became else ()
    if judged.command is Command.INSERT:
        wanted = sql.SQL("NOT {}").format(has_key_of(stand.key_columns, [row.key for row in stand.rows]))
    else:
        wanted = sql.SQL("{}").format(has_key_of(stand.key_columns, [violation.row.key]))
    look = _content(stand.relation, wanted)
    answer = wire.run([(*acting, as_observer(), look)])[0][-1]
    return answer.rows[0][0] if answer.rows else None


def _content(relation: Relation, wanted: sql.Composable) -> str:
    """SELECT one row for which the condition holds, as json."""
    return (
        sql.SQL("SELECT to_jsonb(t)::text FROM {} AS t WHERE {} LIMIT 1")
        .format(sql.Identifier(*relation.name), wanted)
        .as_string(None)
    )
