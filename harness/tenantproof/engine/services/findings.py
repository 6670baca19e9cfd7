"""Findings about Supabase's services: one for each cause, with the probes as evidence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from psycopg import sql

from tenantproof.channels.services.catalogue import SERVICE_CHANNELS
from tenantproof.core.catalog import Policy, Relation
from tenantproof.core.finding import Evidence, Finding, Property, Reach, Severity
from tenantproof.core.model import Command, QName
from tenantproof.core.report import Gap
from tenantproof.engine.findings import Locate, policy_text
from tenantproof.engine.plan import Plan
from tenantproof.engine.services.probes import Answer, Probe, replay_of
from tenantproof.engine.talks import Talk, side_by_side

_SEVERAL = 5


@dataclass(slots=True)
class Haul:
    """What was found so far."""

    findings: list[Finding] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    """How much was asked of what, in a few words each."""

    def add(self, other: Haul) -> None:
        self.findings += other.findings
        self.gaps += other.gaps
        self.notes += other.notes
        self.asked += other.asked


@dataclass(frozen=True, slots=True)
class Author:
    """Writes findings of one run."""

    plan: Plan
    locate: Locate

    def of_answers(self, name: str, leaks: Sequence[Answer]) -> Talk[list[Finding]]:
        """Findings of a relation: one for each channel, object and set of policies that let the probes through."""
        relation = self.plan.catalog.relations[QName(*name.split(".", 1))]
        groups: dict[tuple[str, str, str], list[Answer]] = defaultdict(list)
        policies: dict[tuple[str, str, str], tuple[Policy, ...]] = {}
        all_letting = yield from side_by_side(self._letting(relation, answer.probe) for answer in leaks)
        for answer, letting in zip(leaks, all_letting, strict=True):
            cause = "policy " + " and ".join(policy.name for policy in letting) if letting else _structure(relation)
            key = (answer.probe.channel, answer.probe.object, cause)
            groups[key].append(answer)
            policies[key] = letting
        return [self._finding(relation, key, group, policies[key]) for key, group in sorted(groups.items())]

    def _finding(
        self, relation: Relation, key: tuple[str, str, str], group: Sequence[Answer], letting: Sequence[Policy]
    ) -> Finding:
        channel, object, cause = key
        kind = SERVICE_CHANNELS[channel]
        first = min(group, key=_most_telling).probe
        commands = tuple(command for command in Command if any(one.probe.command is command for one in group))
        place = self.locate(relation.name, letting[0].name if letting else None)
        tricks = dict.fromkeys(answer.probe.trick for answer in group)
        return Finding(
            property=Property.VISIBILITY if first.command is Command.SELECT else Property.INTEGRITY,
            channel=channel,
            severity=_severity(channel, group),
            reach=Reach.API if any(one.probe.api for one in group) else Reach.SQL,
            object=str(relation.name),
            objects=(str(relation.name),),
            command=first.command,
            commands=commands,
            title=kind.title.format(object=object),
            cause=f"{object}: {cause}",
            explanation=f"{kind.explanation} Seen with: {'; '.join(list(tricks)[:_SEVERAL])}.",
            fix=kind.fix,
            cwe=kind.cwe,
            personas=self._order(one.probe.actor for one in group),
            evidence=tuple(_evidence(answer) for answer in _one_per_persona(group)),
            replay=replay_of(first),
            policy=letting[0].name if letting else None,
            policy_text="\n".join(map(policy_text, letting)),
            file=place[0] if place else None,
            line=place[1] if place else None,
        )

    def of_public_bucket(self, bucket: str) -> Finding:
        """A bucket that is served to everybody although the scenario promises its files to tenants."""
        kind = SERVICE_CHANNELS["STORAGE-PUBLIC"]
        query = (
            sql.SQL("select 'LEAK' as verdict, b.id, o.name from storage.buckets b join storage.objects o")
            + sql.SQL(" on o.bucket_id = b.id where b.public and b.id = {};").format(sql.Literal(bucket))
        ).as_string(None)
        return Finding(
            property=Property.VISIBILITY,
            channel="STORAGE-PUBLIC",
            severity=kind.severity,
            reach=Reach.API,
            object="storage.objects",
            objects=("storage.objects",),
            command=Command.SELECT,
            commands=(Command.SELECT,),
            title=kind.title.format(object=bucket),
            cause=f"{bucket}: public",
            explanation=kind.explanation,
            fix=kind.fix,
            cwe=kind.cwe,
            personas=self._order(["anon"]),
            evidence=(
                Evidence(
                    persona="anon",
                    statement=f"GET /object/public/{bucket}/NAME",
                    expected="files of a tenant for the tenant alone",
                    observed="storage.buckets says public = true: no policy is asked (no Storage server was)",
                ),
            ),
            replay=f"-- names that anybody may ask for\nbegin;\n{query}\nrollback;\n",
        )

    def _letting(self, relation: Relation, probe: Probe) -> Talk[tuple[Policy, ...]]:
        """The permissive policies that let the row through: those whose expression is true for the persona."""
        held = self.plan.catalog.privileges_of(probe.identity.role)
        candidates = [p for p in relation.policies if p.permissive and p.applies_to(probe.command, held)]
        if len(candidates) < 2 or not probe.row:
            return tuple(candidates)
        scripts = [
            (*probe.before, *probe.acting, _evaluation(relation, _expression(policy, probe), probe.row))
            for policy in candidates
        ]
        answers = yield scripts
        true = [
            policy
            for policy, script, said in zip(candidates, scripts, answers, strict=True)
            if len(said) == len(script) and said[-1].rows == (("true",),)
        ]
        return tuple(true or candidates)

    def _order(self, personas: Iterable[str]) -> tuple[str, ...]:
        named = set(personas)
        return tuple(name for name in self.plan.identities if name in named)


def _expression(policy: Policy, probe: Probe) -> str:
    if probe.command is Command.INSERT or (probe.command is Command.UPDATE and probe.operation == "move"):
        return policy.check or policy.using or "true"
    return policy.using or policy.check or "true"


def _evaluation(relation: Relation, expression: str, row: str) -> str:
    return (
        sql.SQL("SELECT coalesce(({}), false)::text FROM pg_catalog.jsonb_populate_record(NULL::{}, {}) AS {}")
        .format(
            sql.SQL(expression),  # as pg_get_expr printed it
            sql.Identifier(*relation.name),
            sql.Literal(row),
            sql.Identifier(relation.name.name),
        )
        .as_string(None)
    )


def _structure(relation: Relation) -> str:
    return "no policy" if relation.rls else "rls-disabled"


def _severity(channel: str, group: Sequence[Answer]) -> Severity:
    """As the threat model has it: what the API can do is critical; reading what lies in no folder, medium."""
    if channel == "STORAGE-ROOT" and all(one.probe.command is Command.SELECT for one in group):
        return Severity.MEDIUM
    worst = Severity.CRITICAL if any(one.probe.api for one in group) else Severity.HIGH
    return min(worst, SERVICE_CHANNELS[channel].severity, key=lambda severity: severity.rank)


def _most_telling(answer: Answer) -> tuple[bool, bool, int]:
    """Plain before tricky, what the API takes before what only SQL does, reads before writes."""
    return (not answer.probe.base, not answer.probe.api, list(Command).index(answer.probe.command))


def _evidence(answer: Answer) -> Evidence:
    probe = answer.probe
    done = {
        "list": "listed",
        "get": "downloaded",
        "upload": "uploaded",
        "upsert": "overwritten",
        "move": "renamed",
        "delete": "removed",
    }.get(probe.operation, probe.operation)
    return Evidence(
        persona=probe.actor,
        statement=probe.act,
        expected=f"nothing of another tenant's: this is {probe.against}",
        observed=f"{done} ({probe.trick})",
    )


def _one_per_persona(group: Sequence[Answer]) -> list[Answer]:
    chosen: dict[str, Answer] = {}
    for answer in sorted(group, key=_most_telling):
        chosen.setdefault(answer.probe.actor, answer)
    return list(chosen.values())
