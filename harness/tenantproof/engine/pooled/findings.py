"""Findings on pooled connections in words for people: one cause, one finding, with the pools where it showed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from tenantproof.channels.pooled.catalogue import POOLED_CHANNELS
from tenantproof.core.finding import Evidence, Finding, Property, Reach, Severity
from tenantproof.core.model import Command
from tenantproof.engine.findings import owner_in_words
from tenantproof.engine.plan import Plan
from tenantproof.engine.pooled.judging import Gain, Verdicts
from tenantproof.engine.pooled.passing import NOBODY, Leaving
from tenantproof.engine.pooled.replays import interleaving, script

OBJECT = "pooled connections"
"""What findings and gaps are about that concern no relation."""

_SEVERAL = 5


class Author:
    """Writes the findings of one run."""

    def __init__(self, plan: Plan, login: str) -> None:
        self._plan, self._login = plan, login

    def findings(self, found: Iterable[Verdicts]) -> list[Finding]:
        """One for each channel and cause, worst first."""
        groups: dict[tuple[str, str], list[Verdicts]] = defaultdict(list)
        for one in found:
            groups[one.channel, one.cause].append(one)
        told = [self._finding(channel, cause, group) for (channel, cause), group in groups.items()]
        return sorted(told, key=lambda finding: (-finding.severity.rank, finding.channel, finding.cause))

    def _finding(self, channel: str, cause: str, group: Sequence[Verdicts]) -> Finding:
        kind = POOLED_CHANNELS[channel]
        shown = _telling(group)
        objects = sorted({str(gain.cell.object.name) for one in group for gain in one.gains})
        names = {one.passed.second.name for one in group}
        pools = list(dict.fromkeys(one.passed.pool.kind.value for one in group))
        about = f" ({cause})" if channel != "POOL-BEGIN" else ""
        known = [name for name in self._plan.identities if name in names]
        return Finding(
            property=_PROPERTIES.get(channel, Property.VISIBILITY),
            channel=channel,
            severity=_severity(kind.severity, names),
            reach=Reach.APP,
            object=objects[0] if objects else OBJECT,
            objects=tuple(objects) or (OBJECT,),
            command=Command.SELECT,
            commands=(Command.SELECT,),
            title=f"{kind.title.removesuffix('.')}{about}: {', '.join(pools)}.",
            cause=cause,
            explanation=kind.explanation,
            fix=kind.fix,
            cwe=kind.cwe,
            personas=(*known, *([NOBODY] if NOBODY in names else [])),
            evidence=tuple(map(self._evidence, shown)),
            replay=script(self._login, shown[0]),
            place=self._plan.scenario.pooled.place if self._plan.scenario.pooled is not None else None,
        )

    def _evidence(self, one: Verdicts) -> Evidence:
        passed = one.passed
        rows = dict.fromkeys(
            owner_in_words(self._plan, violation.row) for gain in one.gains for violation in gain.judgement.violations
        )
        fresh = passed.first.name == passed.second.name
        return Evidence(
            persona=passed.second.name,
            statement=interleaving(one),
            expected="no rows of others" if fresh else "what the same user sees on a fresh connection",
            observed=f"{_observed(one)}; {passed.pool.words}" + ("" if fresh else f", {passed.leaving.words}"),
            rows=tuple(rows)[:_SEVERAL],
        )


_PROPERTIES = {
    "POOL-LOCK": Property.INTEGRITY,
    "POOL-STUCK": Property.INTEGRITY,
    "POOL-LISTEN": Property.CONFIDENTIALITY,
    "POOL-TEMP": Property.CONFIDENTIALITY,
    "POOL-CURSOR": Property.CONFIDENTIALITY,
}


def _severity(usual: Severity, names: set[str]) -> Severity:
    """What only code that forgets to begin meets takes one more mistake."""
    return min(usual, Severity.MEDIUM, key=lambda one: one.rank) if names == {NOBODY} else usual


def _telling(group: Sequence[Verdicts]) -> list[Verdicts]:
    """One for each pool, those that somebody other than nobody met first, and among them the plainest way."""
    order = list(Leaving)
    ranked = sorted(group, key=lambda one: (one.passed.second.name == NOBODY, order.index(one.passed.leaving)))
    chosen: dict[str, Verdicts] = {}
    for one in ranked:
        chosen.setdefault(one.passed.pool.kind, one)
    return list(chosen.values())[:_SEVERAL]


def _observed(one: Verdicts) -> str:
    if one.leftover is not None:
        what = f"{_KINDS[one.leftover.kind]} {one.leftover.name}"
        return f"{what} is there" + (f", and {one.words}" if one.words else "")
    if one.words:
        return one.words
    return ", ".join(map(_counted, one.gains[:_SEVERAL]))


_KINDS = {
    "temp": "the temporary table",
    "cursor": "the cursor",
    "prepared": "the prepared statement",
    "lock": "the advisory lock",
    "listen": "the channel",
}


def _counted(gain: Gain) -> str:
    count = len(gain.rows)
    return f"{count} row{'' if count == 1 else 's'} of {gain.cell.object.name}"
