"""
What the second user of a connection gained by the first, judged by the three properties.

Confidentiality is the measure: what a user sees on a used connection is what they see on a fresh one.  Of what differs,
visibility says whether it is theirs; what is only somebody else's trace is told by whose canary it holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tenantproof.core.attempt import Form, Observation, Outcome
from tenantproof.core.finding import Verdict
from tenantproof.core.model import QName
from tenantproof.engine.matrix import Judged, judgement_of_read
from tenantproof.engine.plan import Plan
from tenantproof.engine.pooled.looking import Leftover, Seen
from tenantproof.engine.pooled.passing import Leaving, Passed, User
from tenantproof.properties.visibility import Judgement

_GUESSABLE = 8
"""Ids shorter than this stand in texts by chance."""

KINDS = {
    "temp": "POOL-TEMP",
    "cursor": "POOL-CURSOR",
    "prepared": "POOL-PLAN",
    "lock": "POOL-LOCK",
    "listen": "POOL-LISTEN",
}


@dataclass(frozen=True, slots=True)
class Gain:
    """Rows of a relation that somebody read and should not have."""

    cell: Judged
    judgement: Judgement
    rows: tuple[tuple[str | None, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """What one passing came to: at most one `channel` for rows gained, and one for each leftover."""

    passed: Passed
    channel: str = ""
    cause: str = ""
    gains: tuple[Gain, ...] = ()
    leftover: Leftover | None = None
    words: str = ""


def gains(plan: Plan, cells: Mapping[QName, Judged], alone: Seen, now: Seen) -> list[Gain]:
    """The rows that a user reads now, did not read alone, and that are not theirs."""
    found = []
    for name, said in now.reads.items():
        cell = cells[name]
        before = alone.reads.get(name, Observation())
        more = _more(cell, before, said)
        judgement = judgement_of_read(plan, cell.stand, Outcome(attempt=cell.outcomes[0].attempt, observation=more))
        if more.rows and judgement.verdict is Verdict.LEAK:
            found.append(Gain(cell, judgement, more.rows))
    return found


def _more(cell: Judged, before: Observation, now: Observation) -> Observation:
    """What *now* has beyond *before*; where rows cannot be told apart, all of it, if it is more."""
    if cell.outcomes[0].attempt.form is Form.COUNTED:
        return now if now.count > before.count else Observation()
    rows = tuple((Counter(now.rows) - Counter(before.rows)).elements())
    return Observation(rows=rows, count=len(rows))


def verdicts(plan: Plan, cells: Mapping[QName, Judged], alone: Seen, passed: Passed) -> Iterator[Verdicts]:
    """What a passing shows against the same user on a fresh connection."""
    now = passed.seen
    if now.failed:
        if not alone.failed:
            yield Verdicts(passed=passed, channel="POOL-STUCK", cause="begin", words=now.failed)
        return
    found = gains(plan, cells, alone, now)
    if found:
        channel, cause = _cause(alone, passed)
        yield Verdicts(passed=passed, channel=channel, cause=cause, gains=tuple(found))
    yield from _left(plan, alone, passed)


def _cause(alone: Seen, passed: Passed) -> tuple[str, str]:
    names = changed(alone, passed.seen)
    settings = [name for name in names if name != "role"]
    if settings:
        return "POOL-CLAIM", ", ".join(settings)
    if names:
        return "POOL-ROLE", "role"
    return ("POOL-PLAN", "plan") if passed.leaving is Leaving.PLAN else ("POOL-CLAIM", "connection")


def changed(alone: Seen, now: Seen) -> list[str]:
    """What differs of who the session is and of its settings; a setting that is '' is one that is not set."""
    return sorted(name for name, value in alone.facts.items() if value != now.facts.get(name, value))


def _left(plan: Plan, alone: Seen, passed: Passed) -> Iterator[Verdicts]:
    own = {(one.kind, one.name): one.text for one in alone.leftovers}
    for one in passed.seen.leftovers:
        known = (one.kind, one.name) in own
        if one.kind in ("lock", "listen"):
            if not known:
                yield Verdicts(passed=passed, channel=KINDS[one.kind], cause=_lasting(one), leftover=one)
            continue
        marks = foreign_marks(plan, passed.second, one.text)
        before = foreign_marks(plan, passed.second, own.get((one.kind, one.name), ""))
        if set(marks) - set(before):
            words = f"it holds the mark of {', '.join(marks)}"
            yield Verdicts(passed=passed, channel=KINDS[one.kind], cause=_lasting(one), leftover=one, words=words)


def _lasting(one: Leftover) -> str:
    """A name that is the same in every run: names with numbers in them are made up by drivers, or are keys."""
    return one.kind if any(letter.isdigit() for letter in one.name) else f"{one.kind} {one.name}"


def foreign_marks(plan: Plan, user: User, text: str) -> list[str]:
    """The tenants, not the user's own, whose canary or id stands in a text."""
    manifest = plan.manifest
    own = set(user.persona.tenants) if user.begins else set[str]()
    found = []
    for name, tenant_id in manifest.tenant_ids.items():
        telling = [manifest.canaries.get(name, ""), tenant_id if len(tenant_id) >= _GUESSABLE else ""]
        if name not in own and any(mark and mark in text for mark in telling):
            found.append(name)
    return found


def open_from_the_start(plan: Plan, cells: Mapping[QName, Judged], seen: Seen) -> Sequence[Gain]:
    """What is read on a fresh connection, and is neither the user's nor open by SQL already."""
    found = gains(plan, cells, Seen(), seen)
    return [gain for gain in found if gain.cell.judgement.verdict is not Verdict.LEAK]
