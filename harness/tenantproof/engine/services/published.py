"""
postgres_changes: which rows of published tables Realtime would deliver to whom.

For an INSERT or UPDATE Realtime becomes the subscriber, with the role and request.jwt.claims alone, and selects the
row by its primary key.  For a DELETE it asks no policy and sends the key.  Source: the function realtime.apply_rls.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from psycopg import sql

from tenantproof.core.catalog import Column, Publication, Relation
from tenantproof.core.finding import Finding, Verdict
from tenantproof.core.model import Command, Persona
from tenantproof.core.report import Gap
from tenantproof.core.world import Row
from tenantproof.engine.plan import Plan
from tenantproof.engine.scripts import has_key_of
from tenantproof.engine.services.findings import Author, Haul
from tenantproof.engine.services.probes import Answer, Probe, ask
from tenantproof.engine.services.sessions import subscriber_identity
from tenantproof.engine.talks import Talk, side_by_side
from tenantproof.engine.ways import Standing
from tenantproof.oracle.entitlement import Stance

PUBLICATION = "supabase_realtime"

_IDENTITIES = {"d": "the primary key", "n": "nothing", "f": "all columns", "i": "an index"}
_TEXT = "S"


def in_publication(standing: Standing, author: Author) -> Talk[Haul]:
    """Ask for every published table."""
    plan, haul = standing.plan, Haul()
    publication = next((one for one in plan.catalog.publications if one.name == PUBLICATION), None)
    tables = list(_published(plan, publication)) if publication is not None else []
    for table in tables:
        if not table.primary_key:
            reason = "Realtime delivers nothing of a published table without a primary key, so nothing was asked"
            haul.gaps.append(Gap(object=str(table.name), reason=reason))
    told = yield from side_by_side(_of_table(standing, author, table) for table in tables if table.primary_key)
    haul.findings += [finding for findings in told for finding in findings]
    if tables:
        named = ", ".join(f"{t.name} ({_IDENTITIES.get(t.replica_identity, t.replica_identity)})" for t in tables)
        haul.notes.append(f"Realtime delivers changes of {named}; in brackets what the log keeps of a deleted row")
    return haul


def _of_table(standing: Standing, author: Author, table: Relation) -> Talk[list[Finding]]:
    answers = yield from ask(list(_probes(standing, table)))
    leaks = [answer for answer in answers if answer.leaked]
    if leaks:
        return (yield from author.of_answers(str(table.name), leaks))
    deletes = yield from side_by_side(map(_answered, _deletes(standing, table)))
    told = yield from author.of_answers(str(table.name), deletes)
    return [_unfiltered(finding, table) for finding in told]


def _published(plan: Plan, publication: Publication) -> Iterator[Relation]:
    for relation in plan.relations:
        published = publication.all_tables or relation.name in publication.tables
        if published and relation.is_table and relation.parent is None:
            yield relation


def _probes(standing: Standing, table: Relation) -> Iterator[Probe]:
    """Each persona before one row of each kind that is withheld from them; not where the matrix says that they read."""
    plan = standing.plan
    leaking = {
        cell.stand.persona.name
        for cell in standing.cells
        if cell.object.name == table.name and cell.command is Command.SELECT and cell.judgement.verdict is Verdict.LEAK
    }
    for persona in plan.manifest.personas:
        if persona.name not in leaking:
            for row in _withheld(plan, table, persona):
                yield _probe(plan, table, persona, row)


def _withheld(plan: Plan, table: Relation, persona: Persona) -> Iterator[Row]:
    seen = set()
    for row in plan.world.rows.get(table.name, ()):
        kind = (row.tenant, row.owner == persona.user_id)
        forbidden = plan.oracle.stance(persona, table.name, Command.SELECT, row) is Stance.FORBIDDEN
        if forbidden and plan.tenancy_of(table.name).decided and kind not in seen:
            seen.add(kind)
            yield row


def _probe(plan: Plan, table: Relation, persona: Persona, row: Row) -> Probe:
    whose = plan.world.tenant_name(row.tenant) or "somebody else"
    return Probe(
        channel="REALTIME-CHANGES",
        object=str(table.name),
        command=Command.SELECT,
        operation="postgres_changes",
        trick="the role and the claims alone",
        identity=subscriber_identity(plan.identities[persona.name]),
        act=_by_key(table, row),
        base=True,
        against=f"a row of {whose}",
    )


def _by_key(table: Relation, row: Row) -> str:
    columns = sql.SQL(", ").join(map(sql.Identifier, table.primary_key))
    return (
        sql.SQL("SELECT {} FROM {} WHERE {}")
        .format(columns, sql.Identifier(*table.name), has_key_of(table.primary_key, [row.key]))
        .as_string(None)
    )


def _deletes(standing: Standing, table: Relation) -> Iterator[Probe]:
    """Where the key holds text, each persona who may subscribe learns it of rows that are withheld from them."""
    plan = standing.plan
    if not any(_is_telling(table, table.column(name)) for name in table.primary_key):
        return
    for persona in plan.manifest.personas:
        identity = plan.identities[persona.name]
        held = plan.privileges(identity.role, table)
        subscribes = all({("SELECT", None), ("SELECT", name)} & held for name in table.primary_key)
        row = next(_withheld(plan, table, persona), None)
        if subscribes and row is not None:
            yield _delete(plan, table, persona, row)


def _delete(plan: Plan, table: Relation, persona: Persona, row: Row) -> Probe:
    whose = plan.world.tenant_name(row.tenant) or "somebody else"
    return Probe(
        channel="REALTIME-DELETE",
        object=str(table.name),
        command=Command.DELETE,
        operation="postgres_changes",
        trick="a DELETE, of which no policy is asked",
        identity=plan.identities[persona.name],
        act=_by_key(table, row),
        against=f"the key of a row of {whose}",
    )


def _answered(probe: Probe) -> Talk[Answer]:
    """What the observer finds in the log's place: the key of the row, which Realtime sends without asking."""
    ((observed,),) = yield [(probe.act,)]
    return Answer(probe=probe, observation=observed, leaked=bool(observed.rows))


def _unfiltered(finding: Finding, table: Relation) -> Finding:
    """No policy has to do with it."""
    cause = f"publication {PUBLICATION}"
    return replace(finding, replay=_replay(table), cause=cause, policy=None, policy_text="", file=None, line=None)


def _replay(table: Relation) -> str:
    """What Realtime would send of a deleted row: shown by the publication and the key, as no server is asked."""
    columns = sql.SQL(", ").join(sql.SQL("t.{}").format(sql.Identifier(name)) for name in table.primary_key)
    shown = sql.SQL(
        "select 'LEAK' as verdict, p.pubname, {columns} from pg_publication_tables p, {table} t"
        " where p.pubname = {publication} and p.schemaname = {schema} and p.tablename = {name} limit 5;"
    ).format(
        columns=columns,
        table=sql.Identifier(*table.name),
        publication=sql.Literal(PUBLICATION),
        schema=sql.Literal(table.name.schema),
        name=sql.Literal(table.name.name),
    )
    head = "-- the keys that subscribers of every tenant are sent when these rows are deleted"
    return "\n".join([head, "begin;", shown.as_string(None), "rollback;", ""])


def _is_telling(table: Relation, column: Column) -> bool:
    """Text that says something: not a reference, whose value is another row's key."""
    refers = any(column.name in key.columns for key in table.foreign_keys)
    return column.category == _TEXT and not refers
