"""
How Hypothesis draws here: quietly, the same everywhere for the same seed, and without a trace on the disk.

Hypothesis mixes constants into what it draws that it finds in "local" modules, those that are not installed into
site-packages, and remembers them in .hypothesis of the working directory (hypothesis/internal/constants_ast.py and
conjecture/providers.py).  The same seed would draw otherwise from a checkout than from an installed package, and
otherwise inside somebody's test suite.  No setting turns that off, so it is turned off underneath.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis.database import ExampleDatabase
from hypothesis.internal.conjecture.providers import HypothesisProvider

_CONSTANTS = "_maybe_draw_constant"
"""The method that, once in twenty draws, answers with a constant rather than None."""


def drawing(
    examples: int, phases: Sequence[Phase], *, database: ExampleDatabase | None = None, steps: int = 1
) -> settings:
    """Settings for so many examples: no profile of the surroundings, no deadline, nothing printed.

    Applied outside of `@seed`, which takes the database away.
    """
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        phases=phases,
        database=database,
        deadline=None,
        derandomize=False,
        print_blob=False,
        report_multiple_bugs=False,
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
    )


@contextmanager
def by_seed_alone() -> Iterator[None]:
    """Draw without constants of modules; for the tests of others in this process nothing changes."""
    drawn = getattr(HypothesisProvider, _CONSTANTS, None)
    if drawn is None:  # a version that knows no such constants
        yield
        return
    setattr(HypothesisProvider, _CONSTANTS, lambda *_, **__: None)
    try:
        yield
    finally:
        setattr(HypothesisProvider, _CONSTANTS, drawn)
