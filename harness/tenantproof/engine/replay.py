"""A psql script that shows one violation on a seeded database, from an empty transaction, and leaves nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace

from psycopg import sql

from tenantproof.core.attempt import Form
from tenantproof.core.ports import Identity
from tenantproof.core.world import Key, Row
from tenantproof.engine.matrix import Judged
from tenantproof.engine.plan import Plan
from tenantproof.engine.scripts import RUN_IT, as_observer, as_persona, set_stage
from tenantproof.oracle.entitlement import Stance
from tenantproof.properties.visibility import Violation

_IN_2100 = 4102444800
_IN_2026 = 1767225600
_SHOWN = 5


def script(plan: Plan, judged: Judged, violations: Sequence[Violation]) -> str:
    """The script of one cell's violations: those of the first violation's attempt.  Prints LEAK for each row."""
    first = violations[0]
    same = [violation for violation in violations if violation.outcome.attempt == first.outcome.attempt]
    body = _BODIES.get(first.outcome.attempt.form, _writing)
    ours = [violation for violation in same if _is_of_this_run(plan, violation.row)]
    if not ours and body is _reading:
        body = _counting  # ids of somebody's real rows do not leave their database
    head = [
        f"-- {judged.stand.persona.name}: {judged.command} on {judged.object.name} ({first.outcome.attempt.aim})",
        RUN_IT,
        "begin;",
    ]
    return "\n".join([*head, *body(plan, judged, ours or same), "rollback;", ""])


def _is_of_this_run(plan: Plan, row: Row) -> bool:
    """Whether the run made the row, or a trigger did for somebody of this run."""
    people = {persona.user_id for persona in plan.manifest.personas if persona.user_id is not None}
    return row.seeded or plan.world.tenant_name(row.tenant) is not None or row.owner in people


def plain(plan: Plan, judged: Judged) -> str:
    """The cell's first attempt as the persona runs it; what it does not reach is the evidence."""
    attempt = judged.outcomes[0].attempt
    lines = [
        f"-- {judged.stand.persona.name}: {judged.command} on {judged.object.name}",
        "begin;",
        *becoming(plan, judged.stand.persona.name),
        f"{attempt.sql};",
        "rollback;",
        "",
    ]
    return "\n".join(lines)


def _reading(plan: Plan, judged: Judged, violations: Sequence[Violation]) -> list[str]:
    attempt = violations[0].outcome.attempt
    answers = dict.fromkeys(_as_answered(judged, violation) for violation in violations)
    width = len(next(iter(answers)))
    return [
        f"-- {judged.stand.persona.name}",
        *becoming(plan, judged.stand.persona.name),
        "-- rows that are not theirs",
        seen_among(attempt.sql, _answer_columns(judged, width), list(answers)[:_SHOWN]),
    ]


def seen_among(query: str, names: Sequence[str], forbidden: Iterable[Key]) -> str:
    """SELECT what the query shows, its columns called by these names, of the answers that are forbidden."""
    listed = sql.SQL(", ").join(
        sql.SQL("({})").format(sql.SQL(", ").join(map(as_text, answer))) for answer in forbidden
    )
    return (
        sql.SQL(
            "select 'LEAK' as verdict, seen.*\n  from ({}) as seen ({})\n"
            "  join (values {}) as forbidden on row(seen.*) is not distinct from row(forbidden.*);"
        )
        .format(_composed(query), sql.SQL(", ").join(map(sql.Identifier, names)), listed)
        .as_string(None)
    )


def _counting(plan: Plan, judged: Judged, violations: Sequence[Violation]) -> list[str]:
    permitted = len(judged.stand.rows) - sum(1 for _ in judged.stand.rows_with(judged.command, Stance.FORBIDDEN))
    return [
        f"-- {judged.stand.persona.name}",
        *becoming(plan, judged.stand.persona.name),
        "-- more rows than are theirs",
        counted_over(violations[0].outcome.attempt.sql, permitted),
    ]


def counted_over(query: str, permitted: int) -> str:
    """SELECT how many rows the query shows, where they are more than is permitted."""
    text = "select 'LEAK' as verdict, count(*) as seen, {0} as permitted\n  from ({1}) as seen having count(*) > {0};"
    return sql.SQL(text).format(sql.Literal(permitted), _composed(query)).as_string(None)


def _writing(plan: Plan, judged: Judged, violations: Sequence[Violation]) -> list[str]:
    attempt = violations[0].outcome.attempt
    relation = violations[0].change.relation if violations[0].change else judged.stand.name
    watch = plan.watches[relation].query
    stage = set_stage(attempt.stage) if attempt.stage is not None else ()
    forbidden = [v.change.before.key for v in violations if v.change is not None and v.change.before is not None]
    return [
        *(["-- only the row in question stays, so that nothing but a policy can refuse"] if stage else []),
        *ended(stage),
        *watched(
            watch,
            [f"-- {judged.stand.persona.name}", *becoming(plan, judged.stand.persona.name), attempt.sql + ";"],
            forbidden,
        ),
    ]


def watched(watch: str, act: Iterable[str], forbidden: Iterable[Key]) -> list[str]:
    """The lines of an act between two looks of the observer; tells what became of the rows with these keys."""
    return [
        f"create temporary table tenantproof_before on commit drop as\n  {watch};",
        *act,
        "-- what the observer sees now",
        as_observer() + ";",
        _difference(watch, forbidden),
    ]


def _difference(watch: str, forbidden: Iterable[Key]) -> str:
    """SELECT what differs from tenantproof_before in the rows with these keys, or in new rows where there are none."""
    keys = sorted({json.dumps(key) for key in forbidden})[:_SHOWN]
    listed = sql.SQL(", ").join(sql.SQL("{}::jsonb").format(sql.Literal(key)) for key in keys)
    chosen = sql.SQL("b.key::jsonb in ({})").format(listed) if keys else sql.SQL("b.key is null")
    return (
        sql.SQL(
            "select 'LEAK' as verdict, coalesce(b.key, a.key) as key, b.tenant as tenant_before,\n"
            "       a.tenant as tenant_after, b.owner as owner_before, a.owner as owner_after\n"
            "  from tenantproof_before b full join ({}) a on a.key = b.key\n"
            " where a.version is distinct from b.version and ({});"
        )
        .format(_composed(watch), chosen)
        .as_string(None)
    )


def _as_answered(judged: Judged, violation: Violation) -> Key:
    """The row as the persona's own SELECT showed it."""
    row = violation.row
    if violation.outcome.attempt.form is Form.BELONGING:
        flags = (str(predicate in row.flags).lower() for predicate in judged.stand.predicates)
        return (row.tenant, row.owner, *flags)
    return row.key


def _answer_columns(judged: Judged, width: int) -> Sequence[str]:
    columns = judged.stand.key_columns
    return columns if len(columns) == width and judged.object.primary_key else [f"c{i + 1}" for i in range(width)]


def as_text(value: str | None) -> sql.Composable:
    """A literal of type text."""
    return sql.SQL("null::text") if value is None else sql.SQL("{}::text").format(sql.Literal(value))


def _composed(statement: str) -> sql.SQL:
    """A statement that was composed before, as a part of another."""
    return sql.SQL(statement)


def becoming(plan: Plan, name: str) -> list[str]:
    """The lines that make the observer's session the persona, tomorrow too."""
    return ended(as_persona(timeless(plan.identities[name])))


def ended(statements: Iterable[str]) -> list[str]:
    """Statements as lines of a script."""
    return [f"{statement};" for statement in statements]


def timeless(identity: Identity) -> Identity:
    """The identity with claims that do not expire, so that the script is the same in every run and works tomorrow."""
    settings = tuple((name, _without_times(value)) for name, value in identity.settings)
    return replace(identity, settings=settings)


def _without_times(value: str) -> str:
    if not value.startswith("{") or '"exp"' not in value:
        return value
    claims = json.loads(value)
    claims["exp"] = _IN_2100
    claims["iat"] = _IN_2026
    for method in claims.get("amr", []):
        if isinstance(method, dict) and "timestamp" in method:
            method["timestamp"] = _IN_2026
    return json.dumps(claims)


_BODIES = {Form.READ: _reading, Form.BELONGING: _reading, Form.COUNTED: _counting}
