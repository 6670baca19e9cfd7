"""Members who were removed: what they still read with a token that was minted before."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from tenantproof.channels.services.catalogue import SERVICE_CHANNELS
from tenantproof.core.attempt import Form
from tenantproof.core.finding import Evidence, Finding, Property, Reach
from tenantproof.core.model import Command, Persona, PersonaKind
from tenantproof.core.world import Key, Row
from tenantproof.engine.findings import owner_in_words
from tenantproof.engine.matrix import Judged
from tenantproof.engine.plan import Plan
from tenantproof.engine.replay import becoming, ended, seen_among
from tenantproof.engine.scripts import RUN_IT, TRIGGERS_OFF, TRIGGERS_ON, as_persona
from tenantproof.engine.services.cast import strongest
from tenantproof.engine.services.findings import Haul
from tenantproof.engine.ways import Standing
from tenantproof.oracle.entitlement import Stance

_SEVERAL = 5


def of_removed_members(standing: Standing) -> Haul:
    """What somebody still reads with a token that was minted before their membership was removed."""
    plan, haul = standing.plan, Haul()
    tenant = next(iter(plan.manifest.tenant_ids))
    persona = strongest(plan, tenant)
    carried = "{tenant." in str(plan.scenario.claims) or "{role}" in str(plan.scenario.claims)
    if not carried or persona is None or not plan.scenario.memberships:
        return haul
    for removal in (_removal(plan, persona), (TRIGGERS_OFF, *_removal(plan, persona), TRIGGERS_ON)):
        still = _still_read(standing, persona, tenant, removal)
        if still is None:
            continue  # a trigger refused: the last owner, say
        if still:
            haul.findings.append(_stale(plan, persona, removal, still))
        else:
            haul.asked.append("with a token older than the removal of a membership")
        return haul
    return haul


def _removal(plan: Plan, persona: Persona) -> tuple[str, ...]:
    return tuple(
        sql.SQL("DELETE FROM {} WHERE {}::text = {}")
        .format(sql.Identifier(*membership.table), sql.Identifier(membership.user), sql.Literal(persona.user_id))
        .as_string(None)
        for membership in plan.scenario.memberships
    )


def _still_read(
    standing: Standing, persona: Persona, tenant: str, removal: tuple[str, ...]
) -> list[tuple[Judged, list[Row]]] | None:
    """Rows of the tenant that are reached after the removal, by relation; None where that was refused."""
    plan, home = standing.plan, standing.plan.manifest.tenant_ids[tenant]
    acting = as_persona(plan.identities[persona.name])
    cells = [
        cell
        for cell in standing.cells
        if cell.command is Command.SELECT
        and cell.stand.persona == persona
        and cell.outcomes
        and cell.outcomes[0].attempt.form is Form.READ
    ]
    standing.wire.restart(())
    found: list[tuple[Judged, list[Row]]] = []
    answers = standing.wire.run([(*removal, *acting, cell.outcomes[0].attempt.sql) for cell in cells])
    for cell, said in zip(cells, answers, strict=True):
        if len(said) <= len(removal):
            return None
        known: dict[Key, Row] = {row.key: row for row in cell.stand.rows}
        rows = [known[answer] for answer in said[-1].rows if answer in known]
        withheld = [row for row in rows if row.tenant == home and _is_members_alone(plan, cell, row)]
        if withheld:
            found.append((cell, withheld))
    return found


def _is_members_alone(plan: Plan, cell: Judged, row: Row) -> bool:
    """Whether somebody who is in no tenant may not read the row, and it is not the persona's own."""
    stranger = next((who for who in plan.manifest.personas if who.kind is PersonaKind.OUTSIDER), None)
    if stranger is None or row.owner == cell.stand.persona.user_id:
        return False
    return plan.oracle.stance(stranger, cell.object.name, Command.SELECT, row) is Stance.FORBIDDEN


def _stale(
    plan: Plan, persona: Persona, removal: tuple[str, ...], still: Sequence[tuple[Judged, list[Row]]]
) -> Finding:
    kind = SERVICE_CHANNELS["AUTH-STALE"]
    cell, rows = still[0]
    names = tuple(str(judged.object.name) for judged, _ in still)
    keys = [row.key for row in rows[:_SEVERAL]]
    statement = cell.outcomes[0].attempt.sql
    return Finding(
        property=Property.VISIBILITY,
        channel="AUTH-STALE",
        severity=kind.severity,
        reach=Reach.API,
        object=names[0],
        objects=names,
        command=Command.SELECT,
        commands=(Command.SELECT,),
        title=kind.title.format(object=names[0] if len(names) == 1 else f"{len(names)} relations"),
        cause="claims of a token",
        explanation=kind.explanation,
        fix=kind.fix,
        cwe=kind.cwe,
        personas=(persona.name,),
        evidence=tuple(
            Evidence(
                persona=persona.name,
                statement=judged.outcomes[0].attempt.sql,
                expected="nothing, once the membership is removed",
                observed=f"read {len(found)} rows with the token from before",
                rows=tuple(dict.fromkeys(owner_in_words(plan, row) for row in found))[:_SEVERAL],
            )
            for judged, found in still[:_SEVERAL]
        ),
        replay="\n".join(
            [
                f"-- {persona.name} is removed from the tenant, and goes on with the token from before",
                RUN_IT,
                "begin;",
                *ended(removal),
                *becoming(plan, persona.name),
                seen_among(statement, cell.stand.key_columns, keys),
                "rollback;",
                "",
            ]
        ),
    )
