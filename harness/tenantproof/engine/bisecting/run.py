"""One run of `bisect`: check the last prefix, then as many others as it takes to name the file behind each leak."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter

from tenantproof.core.bisection import Bisection, Certainty, Episode, Look, Opening, Passing
from tenantproof.core.finding import Finding, Property, Severity
from tenantproof.core.ports import Source
from tenantproof.engine.bisecting.likeness import same_leak, same_rows
from tenantproof.engine.bisecting.looking import Looker, Sight
from tenantproof.engine.bisecting.placing import speaks_of, spot_of
from tenantproof.engine.bisecting.searching import Present, every_episode, last_opening

FEW = 16
"""Up to so many files each leak is followed through all prefixes that have what leaks: halving would save little."""


def bisect(
    looker: Looker, sources: Sequence[Source], *, first: int, last: int, threshold: Severity, linear: bool
) -> Bisection:
    """Name the file that opened each finding, at or above *threshold*, of the database after file number *last*.

    *sources* are all files in order, numbered from 1; before file *first* nobody is to blame.  Raises what `check`
    raises for the last prefix; others that cannot be checked are told as such.
    """
    started = perf_counter()
    looker.say(f"checking the database after {last} of {len(sources)} files")
    report = looker.whole(last)
    leaks = report.gating(threshold)
    if all(leak.property is Property.VISIBILITY for leak in leaks):
        looker.without_search()
    if linear:
        for number in range(first - 1, last):
            looker.look(number)
    everywhere = linear or last - first + 1 <= FEW
    openings = [_opening(looker, sources, leak, first, last, everywhere=everywhere) for leak in leaks]
    passing = _passing(looker, leaks, first, last, threshold) if linear else ()
    return Bisection(
        files=tuple(source.path for source in sources),
        first=first,
        last=last,
        linear=linear,
        report=report,
        openings=tuple(o if everywhere else _with_unseen(looker, o, first, last) for o in openings),
        passing=tuple(passing),
        looks=tuple(_look(sources, number, looker.seen[number]) for number in sorted(looker.seen) if number),
        seconds=round(perf_counter() - started, 3),
    )


def _opening(
    looker: Looker, sources: Sequence[Source], leak: Finding, first: int, last: int, *, everywhere: bool
) -> Opening:
    present, earlier = _presence(looker, leak), []
    if everywhere:
        *past, (number, _) = every_episode(present, first, last)
        earlier = [_episode(opened, closed, first) for opened, closed in past]
    else:
        speaking = [at for at in range(first, last) if speaks_of(sources[at - 1], leak)]
        number = last_opening(present, first, last, speaking)
    opening = _named(looker, sources, leak, number) if number >= first else _before(sources, leak, first)
    return replace(opening, earlier=tuple(earlier))


def _with_unseen(looker: Looker, opening: Opening, first: int, last: int) -> Opening:
    """What was looked at for other leaks counts as well."""
    unseen = sum(1 for later in range(max(opening.number, first), last) if later not in looker.seen)
    return replace(opening, unseen=unseen)


def _named(looker: Looker, sources: Sequence[Source], leak: Finding, number: int) -> Opening:
    source = sources[number - 1]
    spot = spot_of(source, leak)
    opening = Opening(
        finding=leak,
        number=number,
        file=source.path,
        line=spot.line if spot else None,
        statement=spot.statement if spot else "",
        certainty=Certainty.CREATED,
    )
    if not _exists(looker, leak, number - 1):
        return opening
    before = looker.look(number - 1)
    return replace(
        opening,
        certainty=Certainty.FIRST_CHECKED if before.reason else Certainty.ADJACENT,
        reason=before.reason,
        already=tuple(sorted({f.cause for f in before.findings if same_rows(leak, f)})),
    )


def _exists(looker: Looker, leak: Finding, number: int) -> bool:
    """Whether the prefix has anything of what leaks."""
    return not looker.objects(number).isdisjoint({leak.object, *leak.objects})


def _before(sources: Sequence[Source], leak: Finding, first: int) -> Opening:
    return Opening(
        finding=leak,
        number=0,
        file=sources[first - 1].path,
        line=None,
        statement="",
        certainty=Certainty.FROM_THE_START,
    )


def _passing(looker: Looker, leaks: Sequence[Finding], first: int, last: int, threshold: Severity) -> list[Passing]:
    """Leaks that were open on the way only, each told once as it was when it opened.  Every prefix was looked at."""
    told: list[Finding] = list(leaks)
    found: list[Passing] = []
    for number in range(first, last):
        for finding in looker.look(number).findings:
            if finding.accepted or finding.severity.rank < threshold.rank:
                continue
            if any(same_leak(known, finding) for known in told):
                continue
            told.append(finding)
            found += [
                Passing(finding=finding, episode=_episode(opened, closed, first))
                for opened, closed in every_episode(_presence(looker, finding), first, last)
            ]
    return found


def _episode(opened: int, closed: int | None, first: int) -> Episode:
    return Episode(opened=opened if opened >= first else 0, closed=closed)


def _presence(looker: Looker, leak: Finding) -> Present:
    def present(number: int) -> bool:
        if not _exists(looker, leak, number):
            return False
        return any(same_leak(leak, finding) for finding in looker.look(number).findings)

    return present


def _look(sources: Sequence[Source], number: int, sight: Sight) -> Look:
    return Look(number=number, file=sources[number - 1].path, findings=len(sight.findings), reason=sight.reason)
