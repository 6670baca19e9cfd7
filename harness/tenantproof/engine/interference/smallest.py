"""The smallest change behind the back, and the smallest program, that still show a violation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import isqrt

from hypothesis import Phase, given, seed
from hypothesis import strategies as st
from hypothesis.database import ExampleDatabase
from hypothesis.errors import Flaky, Unsatisfiable

from tenantproof.core.program import PLAIN, Program
from tenantproof.engine.interference.drawing import by_seed_alone, drawing
from tenantproof.engine.interference.elsewhere import Elsewhere
from tenantproof.engine.interference.happening import Happening
from tenantproof.engine.interference.scene import Seat

_FEW = 8
"""Happenings that are tried alone at once."""


class _Shown(Exception):
    """The violation was seen: what Hypothesis shrinks towards the simplest instance of."""


def smallest_program(
    programs: st.SearchStrategy[Program],
    shows: Callable[[Program], bool],
    *,
    number: int,
    tries: int,
    database: ExampleDatabase | None = None,
    only_stored: bool = False,
) -> Program | None:
    """The simplest program that *shows* a violation, as Hypothesis shrinks it; None where none was met.

    *number* seeds the search; *database* keeps what was found, and is tried first.
    """
    found: list[Program] = []
    memory: dict[Program, bool] = {}
    phases = [Phase.reuse, Phase.shrink] if only_stored else [Phase.reuse, Phase.generate, Phase.shrink]

    @drawing(tries, phases, database=database)
    @seed(number)
    @given(programs)
    def trial(program: Program) -> None:
        if program not in memory:
            memory[program] = shows(program)
        if memory[program]:
            found.append(program)
            raise _Shown

    try:
        with by_seed_alone():
            trial()
    except (_Shown, Flaky):
        return found[-1]
    except Unsatisfiable:
        return None
    return None


def plainer(program: Program) -> list[Program]:
    """The program as a plain request, and with fewer statements; the simplest first, itself not among them."""
    plain = replace(program, variation=PLAIN)
    single = [replace(program, lines=(line,)) for line in reversed(program.lines)]
    candidates = [*(replace(one, variation=PLAIN) for one in single if one != program), plain, *single]
    return [candidate for candidate in dict.fromkeys(candidates) if candidate != program]


def smallest_world(seat: Seat, program: Program, world: Elsewhere) -> Elsewhere:
    """The world with as few happenings as possible: mostly one, of one row and one column."""
    alone = [world.only([happening]) for happening in world.happenings]
    likely = _in_telling_groups(seat, program, world)
    rest = [single for single in alone if single not in likely]
    for singles in filter(None, (likely, rest)):
        if telling := _telling(seat, program, singles):
            return telling[0]
    return _without_idle(seat, program, world)


def _telling(seat: Seat, program: Program, worlds: Sequence[Elsewhere]) -> list[Elsewhere]:
    """Those of the worlds about which the program tells something."""
    told = seat.arena.learned(program, worlds)
    return [world for world, difference in zip(worlds, told, strict=True) if difference is not None]


def _in_telling_groups(seat: Seat, program: Program, world: Elsewhere) -> list[Elsewhere]:
    """Each happening alone of those that tell something as a group: one after another they would take long."""
    if len(world.happenings) <= _FEW:
        return []
    size = isqrt(len(world.happenings))
    starts = range(0, len(world.happenings), size)
    groups = [world.only(world.happenings[start : start + size]) for start in starts]
    return [world.only([happening]) for group in _telling(seat, program, groups) for happening in group.happenings]


def narrowed(seat: Seat, program: Program, world: Elsewhere) -> Elsewhere:
    """One row instead of several, one column instead of several, where that is enough."""
    for _ in range(2):
        if len(world.happenings) != 1 or world.targets:
            return world
        parts = [world.only([part]) for part in seat.builder.narrowed(world.happenings[0])]
        smaller = _telling(seat, program, parts)
        if not smaller:
            return world
        world = smaller[0]
    return world


def _without_idle(seat: Seat, program: Program, world: Elsewhere) -> Elsewhere:
    """Leave out halves, then single happenings, as long as the difference stays."""
    kept: Sequence[Happening] = world.happenings
    size = len(kept) // 2
    while size:
        start = 0
        while start < len(kept) and len(kept) > 1:
            rest = [*kept[:start], *kept[start + size :]]
            if rest and seat.arena.learned(program, [world.only(rest)])[0] is not None:
                kept = rest
            else:
                start += size
        size //= 2
    return world.only(kept)
