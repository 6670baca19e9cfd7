"""The search as a whole: a bounded slice for `check`, rounds against the clock for `fuzz`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from tenantproof.core.finding import Finding, Verdict
from tenantproof.core.model import QName
from tenantproof.core.report import Gap, Search
from tenantproof.core.seeds import child_seed
from tenantproof.engine.findings import Locate
from tenantproof.engine.interference.arena import Tally
from tenantproof.engine.interference.findings import findings_of
from tenantproof.engine.interference.hunt import Budget, Hunt
from tenantproof.engine.interference.lexicon import function_gaps
from tenantproof.engine.interference.life import life_findings
from tenantproof.engine.interference.scene import set_up
from tenantproof.engine.matrix import Judged
from tenantproof.engine.plan import Plan
from tenantproof.engine.wire import Wire

_MOSTLY = 0.5
LIVES = 8
"""Lives that memberships are led through in a round, at most."""

_FIRST_LIVES = 2
"""Lives in the first of many rounds: a search that has little time should come to the programs, too."""

_STEPS = 8
_READS = 100
"""Relations times lives: a state of a large schema takes long to look at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """What a search found, and how it went."""

    findings: tuple[Finding, ...]
    search: Search
    gaps: tuple[Gap, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SoFar:
    """How a search goes: its numbers, and how much is done, from 0 to 1; None where rounds go by the clock."""

    search: Search
    share: float | None


def leaking(cells: Iterable[Judged]) -> frozenset[tuple[QName, str]]:
    """What the matrix says already: (relation, command) pairs that leak."""
    return frozenset(
        (judged.object.name, str(judged.command)) for judged in cells if judged.judgement.verdict is Verdict.LEAK
    )


def search(
    wire: Wire,
    plan: Plan,
    budget: Budget,
    locate: Locate,
    *,
    known: frozenset[tuple[QName, str]] = frozenset(),
    enough: Callable[[], bool] = lambda: False,
    rounds: int = 1,
    lives: int = LIVES,
    conninfo: str | None = None,
) -> Iterator[SoFar | Searched]:
    """Search for interference.  Yields how it goes after lives and batches; the last thing yielded is what was found.

    *known* are (relation, command) pairs whose leaks are reported already; *enough* is asked after each batch; the
    personas take turns *rounds* times, and live through changes of their memberships at most *lives* times a round
    (0: never); *conninfo* is for a neighbour who writes meanwhile.  The wire's session must be the observer's.
    """
    hunt = Hunt(set_up(wire, plan), budget, known)
    lived = _Lived()
    try:
        yield from _rounds(hunt, lived, locate, enough=enough, rounds=rounds, lives=lives, conninfo=conninfo)
    except Exception:  # Hypothesis wraps what happens to a program in errors of its own
        if not wire.lost:
            raise  # a server that is gone ends the search, and what was found stands
    yield Searched(
        findings=(*lived.findings.values(), *findings_of(hunt.scene, list(hunt.catches.values()), locate)),
        search=progress(hunt.tally),
        gaps=(*function_gaps(plan), *_slow(hunt.tally), *_given_up(hunt.tally)),
        notes=lived.notes,
    )


@dataclass(slots=True)
class _Lived:
    """What lives came to."""

    findings: dict[str, Finding] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def _rounds(
    hunt: Hunt,
    lived: _Lived,
    locate: Locate,
    *,
    enough: Callable[[], bool],
    rounds: int,
    lives: int,
    conninfo: str | None,
) -> Iterator[SoFar]:
    for number in range(rounds):
        if lives:
            led = lives if rounds == 1 else min(lives, _FIRST_LIVES << number)
            _live(hunt, lived, locate, number, led, conninfo)
        # Lives may have taken long, and a batch may too: nobody should wonder.
        yield SoFar(progress(hunt.tally), 0.0 if rounds == 1 else None)
        tried = hunt.tally.attempts
        for tally in hunt.sweep(enough):
            yield SoFar(progress(tally), hunt.share if rounds == 1 else None)
        if enough() or hunt.tally.attempts == tried:
            break


def _live(hunt: Hunt, lived: _Lived, locate: Locate, number: int, lives: int, conninfo: str | None) -> None:
    """Let memberships change, in the round of this number."""
    plan = hunt.scene.plan
    life = life_findings(
        hunt.scene.wire,
        plan,
        seed=child_seed(hunt.budget.seed, "round", number),
        examples=max(2, min(lives, _READS // max(1, len(plan.relations)))),
        steps=_STEPS,
        known=hunt.known,
        locate=locate,
        conninfo=conninfo,
    )
    for finding in life.findings:
        lived.findings.setdefault(finding.fingerprint, finding)
    lived.notes = life.notes


def progress(tally: Tally) -> Search:
    """The numbers of a search so far."""
    return Search(
        attempts=tally.attempts,
        pairs=tally.pairs,
        passed=tally.passed,
        denied=tally.denied,
        failed=tally.failed,
        unsteady=tally.unsteady,
        distinct=len(tally.seen),
        weak=_weakness(tally),
    )


def _weakness(tally: Tally) -> str:
    """Why green proves little; empty where it does not."""
    if not tally.attempts:
        return "nothing could be tried: no persona may read, write or call anything"
    if tally.failed > _MOSTLY * tally.attempts:
        most = max(tally.failures, key=lambda state: tally.failures[state])
        return (
            f"{tally.failed} of {tally.attempts} attempts failed for reasons that say nothing about isolation, "
            f"most of them with SQLSTATE {most}"
        )
    if not tally.passed:
        return f"none of {tally.attempts} attempts passed policies and privileges"
    return ""


def _given_up(tally: Tally) -> Iterator[Gap]:
    for world, persona in sorted(tally.given_up.items()):
        reason = f"given up in the search, before {persona}: the database refused it after a while"
        yield Gap(object=f"the world in which {world}", reason=reason)


def _slow(tally: Tally) -> Iterator[Gap]:
    for (name, called), said in sorted(tally.slow.items()):
        shown = f"{name}()" if called else str(name)
        yield Gap(object=shown, reason=f"left out of the search after it hung or went astray: {said}")
