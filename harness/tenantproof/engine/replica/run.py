"""
`--via replica`: every read of the matrix once more on a hot standby, which must answer as the primary did, and writes,
which it must refuse.

The primary's answers were judged by SQL already; here only a difference is told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import psycopg

from tenantproof.channels.replica.catalogue import REPLICA_CHANNELS
from tenantproof.core.attempt import Outcome
from tenantproof.core.errors import TargetError
from tenantproof.core.finding import Evidence, Finding, Property, Reach, Severity, Verdict
from tenantproof.core.model import Command, QName
from tenantproof.core.ports import Writes
from tenantproof.core.report import Gap
from tenantproof.engine.bench import Bench
from tenantproof.engine.matrix import Judged, judgement_of_read
from tenantproof.engine.plan import Plan
from tenantproof.engine.replay import plain
from tenantproof.engine.steady import steady, transaction_with
from tenantproof.engine.ways import Found, Standing, Way
from tenantproof.engine.wire import Wire
from tenantproof.targets.standby import Standby, is_embedded, standby_of

OBJECT = "replica"
"""What gaps are about that concern the replica as a whole."""

READ_ONLY = "25006"

_SEVERAL = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One cell whose attempt ended otherwise on the standby; `there` is what happened there."""

    channel: str
    cell: Judged
    here: Outcome
    there: Outcome
    leaks: bool = False


def replica_way() -> Way:
    """The way over a standby, for `check`."""
    return Way("asking a hot standby", "replica", on_a_standby)


def on_a_standby(standing: Standing) -> Found:
    """Make a standby and ask it; what could not be asked is a gap."""
    if not is_embedded(standing.handle) or standing.handle.writes is not Writes.SEED:
        reason = "not asked: a standby is made of an embedded server only, which this database is not on"
        return Found(gaps=(Gap(object=OBJECT, reason=reason),))
    try:
        with standby_of(standing.handle) as standby:
            return _asked(standing, standby)
    except TargetError as error:
        return Found(gaps=(Gap(object=OBJECT, reason=f"no positive control: {error}"),))


def _asked(standing: Standing, standby: Standby) -> Found:
    plan, found = standing.plan, list[Difference]()
    reads = writes = 0
    refused: dict[str, int] = defaultdict(int)
    bracket = transaction_with(steady(plan.catalog))
    with psycopg.connect(standby.conninfo, autocommit=True) as connection, Wire(connection, bracket) as wire:
        wire.prepare(())
        for persona in plan.manifest.personas:
            bench = Bench(wire, plan.identities[persona.name], standing.ground)
            cells = [cell for cell in standing.cells if cell.stand.persona == persona and cell.outcomes]
            reading = [cell for cell in cells if cell.command is Command.SELECT]
            writing = [cell for cell in cells if cell.command is not Command.SELECT]
            reads, writes = reads + len(reading), writes + len(writing)
            for cell, there in zip(reading, bench.read([cell.outcomes[0].attempt for cell in reading]), strict=True):
                found.extend(_compared(plan, cell, there))
            attempts = [replace(cell.outcomes[0].attempt, stage=None) for cell in writing]
            for cell, there in zip(writing, bench.read(attempts), strict=True):
                refused[there.observation.sqlstate or ""] += 1
                if not there.observation.refused:
                    found.append(Difference(channel="REPLICA-WRITE", cell=cell, here=cell.outcomes[0], there=there))
    note = (
        f"a standby of PostgreSQL {standby.server_version} answered {reads:,} reads, {len(found)} of them otherwise; "
        f"of {writes:,} writes it refused {sum(refused.values()) - refused['']:,}, {refused[READ_ONLY]:,} as read only"
    )
    return Found(findings=tuple(_findings(plan, found)), notes=(note,))


def _compared(plan: Plan, cell: Judged, there: Outcome) -> Iterator[Difference]:
    here = cell.outcomes[0]
    if here.observation.refused:
        if not there.observation.refused:
            yield Difference(channel="REPLICA-READ", cell=cell, here=here, there=there, leaks=_leaks(plan, cell, there))
        return
    if there.observation.refused:
        yield Difference(channel="REPLICA-BLOCKED", cell=cell, here=here, there=there)
    elif sorted(map(str, here.observation.rows)) != sorted(map(str, there.observation.rows)):
        yield Difference(channel="REPLICA-READ", cell=cell, here=here, there=there, leaks=_leaks(plan, cell, there))


def _leaks(plan: Plan, cell: Judged, there: Outcome) -> bool:
    """Whether the standby shows what the scenario forbids."""
    return judgement_of_read(plan, cell.stand, there).verdict is Verdict.LEAK


def _findings(plan: Plan, found: Sequence[Difference]) -> Iterator[Finding]:
    """One finding for each relation and channel."""
    groups: dict[tuple[QName, str], list[Difference]] = defaultdict(list)
    for one in found:
        groups[one.cell.object.name, one.channel].append(one)
    for (name, channel), group in groups.items():
        yield _finding(plan, name, channel, sorted(group, key=lambda one: not one.leaks))


def _finding(plan: Plan, name: QName, channel: str, group: Sequence[Difference]) -> Finding:
    kind, first = REPLICA_CHANNELS[channel], group[0]
    severity = Severity.MEDIUM if channel == "REPLICA-READ" and not first.leaks else kind.severity
    command = first.cell.command
    named = {one.cell.stand.persona.name for one in group}
    return Finding(
        property=Property.INTEGRITY if channel == "REPLICA-WRITE" else Property.VISIBILITY,
        channel=channel,
        severity=severity,
        reach=Reach.API,
        object=str(name),
        objects=(str(name),),
        command=command,
        commands=tuple(dict.fromkeys(one.cell.command for one in group)),
        title=kind.title.format(object=name),
        cause="standby",
        explanation=kind.explanation,
        fix=kind.fix,
        cwe=kind.cwe,
        personas=tuple(who for who in plan.identities if who in named),
        evidence=tuple(map(_evidence, _one_per_persona(group))),
        replay=f"-- on a standby and on its primary, which must agree\n{plain(plan, first.cell)}",
        place=plan.oracle.place(first.cell.stand.persona, name, command),
    )


def _one_per_persona(group: Sequence[Difference]) -> list[Difference]:
    chosen: dict[str, Difference] = {}
    for one in group:
        chosen.setdefault(one.cell.stand.persona.name, one)
    return list(chosen.values())[:_SEVERAL]


def _evidence(one: Difference) -> Evidence:
    return Evidence(
        persona=one.cell.stand.persona.name,
        statement=one.here.attempt.sql,
        expected=f"as on the primary: {one.here.observation.in_words()}",
        observed=f"on the standby: {one.there.observation.in_words()}",
    )
