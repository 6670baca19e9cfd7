"""
Triggers that broadcast: into which topics rows of a tenant are sent, and who may join those.

The rows that an act leaves in realtime.messages are what Realtime sends: to everybody on a public channel of that
topic, or to those whom the policies let into the private one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from psycopg import sql

from tenantproof.channels.services.catalogue import SERVICE_CHANNELS
from tenantproof.core.catalog import Catalog, Relation
from tenantproof.core.finding import Evidence, Finding, Property, Reach, Severity
from tenantproof.core.model import Command, QName
from tenantproof.core.world import Row
from tenantproof.engine.findings import FUNCTION
from tenantproof.engine.plan import Plan
from tenantproof.engine.replay import becoming, ended, timeless
from tenantproof.engine.scripts import RUN_IT, as_observer, as_persona, has_key_of
from tenantproof.engine.services.cast import Pair, pairs, strongest
from tenantproof.engine.services.findings import Author, Haul
from tenantproof.engine.services.probes import ask, verdict
from tenantproof.engine.services.topic_probes import joining
from tenantproof.engine.services.topics import MESSAGES, SENDERS
from tenantproof.engine.talks import Talk, side_by_side
from tenantproof.engine.ways import Standing
from tenantproof.oracle.entitlement import Stance

_LONG = 4
"""Letters from which on a value is no accident."""

_BEFORE = (
    "SELECT pg_catalog.set_config('tenantproof.told', coalesce(string_agg(id::text, ','), ''), true)"
    " FROM realtime.messages"
)
_SENT = (
    "SELECT topic, event, coalesce(private, false)::text, extension, payload::text FROM realtime.messages"
    " WHERE id::text <> ALL (string_to_array(current_setting('tenantproof.told'), ','))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One message that an act made."""

    table: Relation
    command: Command
    row: Row
    acts: tuple[str, ...]
    topic: str
    private: bool
    extension: str
    payload: str


def in_broadcasts(standing: Standing, author: Author) -> Talk[Haul]:
    """Change rows of one tenant and see who could hear of it."""
    plan, haul = standing.plan, Haul()
    if MESSAGES not in plan.catalog.relations:
        return haul
    tables = [table for table in plan.relations if plan.tenancy_of(table.name).tenant is not None]
    asked = [
        _of_table(plan, author, table, senders) for table in tables if (senders := senders_of(plan.catalog, table))
    ]
    for found in (yield from side_by_side(asked)):
        haul.add(found)
    return haul


def _of_table(plan: Plan, author: Author, table: Relation, functions: Sequence[QName]) -> Talk[Haul]:
    haul = Haul()
    by_tenant = yield from side_by_side(_sent(plan, table, tenant) for tenant in _tenants(plan))
    messages = [sent for messages in by_tenant for sent in messages]
    if not messages:
        haul.notes.append(f"Realtime: triggers of {table.name} may broadcast, and no change of a row made them do so")
        return haul
    haul.findings += yield from _judged(plan, author, functions[0], messages)
    haul.asked.append(f"about {len(messages)} messages that triggers of {table.name} sent")
    return haul


def senders_of(catalog: Catalog, table: Relation) -> list[QName]:
    """The trigger functions of a table that send, by themselves or through what they call."""
    sources = {function.name: function.source for function in catalog.functions}
    direct = {name for name, text in sources.items() if SENDERS.search(text) and name.schema != MESSAGES.schema}

    def sends(name: QName) -> bool:
        text = sources.get(name, "")
        return name in direct or any(re.search(rf"\b{re.escape(one.name)}\s*\(", text) for one in direct)

    return list(
        dict.fromkeys(trigger.function for trigger in table.triggers if trigger.enabled and sends(trigger.function))
    )


def _tenants(plan: Plan) -> list[str]:
    """Two are enough: everybody is a stranger to one of them."""
    return list(plan.manifest.tenant_ids)[:2]


def _sent(plan: Plan, table: Relation, tenant: str) -> Talk[list[Sent]]:
    home = plan.manifest.tenant_ids[tenant]
    member = strongest(plan, tenant)
    row = next((row for row in plan.world.rows.get(table.name, ()) if row.tenant == home), None)
    if row is None or member is None:
        return []
    # With the member's claims and the observer's rights: the trigger is asked, not the policies.
    claims = (*as_persona(plan.identities[member.name]), as_observer())
    acts = list(_acts(plan, table, row, home))
    answers = yield [(*claims, _BEFORE, act, _SENT) for _, act in acts]
    return [
        Sent(
            table=table,
            command=command,
            row=row,
            acts=(_BEFORE, act),
            topic=topic or "",
            private=private == "true",
            extension=extension or "",
            payload=payload or "",
        )
        for (command, act), said in zip(acts, answers, strict=True)
        if len(said) == len(claims) + 3 and not said[-1].refused
        for topic, _event, private, extension, payload in said[-1].rows
    ]


def _acts(plan: Plan, table: Relation, row: Row, home: str) -> Iterator[tuple[Command, str]]:
    key = has_key_of(table.primary_key or table.column_names, [row.key])
    name = sql.Identifier(*table.name)
    plain = next(iter(plan.before(plan.manifest.personas[0], table, ()).plain_columns), None)
    if plain is not None:
        same = sql.SQL("UPDATE {} SET {} = {} WHERE {}").format(name, *[sql.Identifier(plain)] * 2, key)
        yield Command.UPDATE, same.as_string(None)
    draft = next((draft for draft in plan.manifest.drafts.get(table.name, ()) if draft.tenant == home), None)
    if draft is not None:
        columns = sql.SQL(", ").join(map(sql.Identifier, draft.values))
        values = sql.SQL(", ").join(map(sql.Literal, draft.values.values()))
        yield Command.INSERT, sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(name, columns, values).as_string(None)
    yield Command.DELETE, sql.SQL("DELETE FROM {} WHERE {}").format(name, key).as_string(None)


# Who could hear it


def _judged(plan: Plan, author: Author, function: QName, messages: list[Sent]) -> Talk[list[Finding]]:
    listening = [(pair, sent) for sent in messages for pair in _listeners(plan, sent)]
    hearing = yield from side_by_side(_hears(plan, pair, sent) for pair, sent in listening)
    heard = [one for one, hears in zip(listening, hearing, strict=True) if hears]
    return [_finding(plan, author, function, heard)] if heard else []


def _listeners(plan: Plan, sent: Sent) -> Iterator[Pair]:
    """People to whom the scenario does not show the row."""
    for pair in pairs(plan):
        home = plan.world.tenant_name(sent.row.tenant)
        mine = home in pair.attacker.tenants
        if (
            not mine
            and plan.oracle.stance(pair.attacker, sent.table.name, Command.SELECT, sent.row) is Stance.FORBIDDEN
        ):
            yield pair


def _hears(plan: Plan, pair: Pair, sent: Sent) -> Talk[bool]:
    if not (_tells_content(plan, sent) or _tells_that_it_happened(sent)):
        return False
    if not sent.private:
        return True
    identity = plan.identities[pair.attacker.name]
    (answer,) = yield from ask([joining(identity, sent.topic, sent.extension, "a topic that a trigger sends to")])
    return answer.leaked


def _tells_content(plan: Plan, sent: Sent) -> bool:
    """Whether the message holds what stands in the row: its tenant's mark, or all of its columns."""
    mark = plan.manifest.canaries.get(plan.world.tenant_name(sent.row.tenant) or "")
    if mark and mark in sent.payload:
        return True
    columns = set(sent.table.column_names)
    return any(columns <= set(part) for part in _objects_in(json.loads(sent.payload or "null")))


def _tells_that_it_happened(sent: Sent) -> bool:
    """Whether the message names the row or its tenant."""
    return any(part and len(part) >= _LONG and part in sent.payload for part in (sent.row.tenant, *sent.row.key))


def _objects_in(value: object) -> Iterator[dict[str, object]]:
    if isinstance(value, dict):
        yield value
        for part in value.values():
            yield from _objects_in(part)
    elif isinstance(value, list):
        for part in value:
            yield from _objects_in(part)


def _severity(plan: Plan, sent: Sent) -> Severity:
    """Content: critical, or high where a random id must be known to listen; that something happened: low."""
    if not _tells_content(plan, sent):
        return Severity.LOW
    guessable = sent.private or (sent.row.tenant or "") not in sent.topic
    return Severity.CRITICAL if guessable else Severity.HIGH


def _finding(plan: Plan, author: Author, function: QName, heard: list[tuple[Pair, Sent]]) -> Finding:
    kind = SERVICE_CHANNELS["REALTIME-BROADCAST"]
    pair, sent = max(
        heard, key=lambda one: (_severity(plan, one[1]).rank, one[1].private, -list(Command).index(one[1].command))
    )
    named = {one.attacker.name for one, _ in heard}
    place = author.locate(function, FUNCTION)
    how = "they may join the private channel" if sent.private else "the channel is public: nobody is asked"
    return Finding(
        property=Property.CONFIDENTIALITY,
        channel=kind.id,
        severity=_severity(plan, sent),
        reach=Reach.API,
        object=str(function),
        objects=tuple(dict.fromkeys([str(function), str(sent.table.name)])),
        command=sent.command,
        commands=tuple(c for c in Command if any(one.command is c for _, one in heard)),
        title=kind.title.format(object=sent.table.name),
        cause=f"trigger function {function}",
        explanation=kind.explanation,
        fix=kind.fix,
        cwe=kind.cwe,
        personas=tuple(name for name in plan.identities if name in named),
        evidence=tuple(
            Evidence(
                persona=name,
                statement=sent.acts[-1],
                expected=f"what happens to rows of {plan.world.tenant_name(sent.row.tenant)} stays with them",
                observed=f"sent to the topic {_shown(plan, sent)}: {how}",
            )
            for name in plan.identities
            if name in named
        )[:5],
        replay=_replay(plan, pair, sent),
        file=place[0] if place else None,
        line=place[1] if place else None,
    )


def _shown(plan: Plan, sent: Sent) -> str:
    """The topic, with ids that were made for this run called by what they are."""
    for name, id in plan.manifest.tenant_ids.items():
        if id in sent.topic:
            return sent.topic.replace(id, f"<id of {name}>")
    return sent.topic


def _replay(plan: Plan, pair: Pair, sent: Sent) -> str:
    """The act, and then what the listener may see of the messages that it made."""
    tenant = plan.world.tenant_name(sent.row.tenant) or ""
    member = strongest(plan, tenant)
    lines = [
        f"-- a row of {sent.table.name} of {tenant} is changed; {pair.attacker.name} listens to the topic",
        RUN_IT,
        "begin;",
        *(becoming(plan, member.name) if member is not None else ()),
        f"{as_observer()};",
        *ended(sent.acts),
    ]
    if not sent.private:
        return "\n".join([*lines, "-- sent to a public channel", verdict(_SENT), "rollback;", ""])
    probe = joining(plan.identities[pair.attacker.name], sent.topic, sent.extension, "")
    return "\n".join(
        [
            *lines,
            f"{_SENT};",
            f"-- may {pair.attacker.name} join the topic?",
            *ended(probe.before),
            *ended(as_persona(timeless(probe.identity))),
            verdict(probe.act),
            "rollback;",
            "",
        ]
    )
