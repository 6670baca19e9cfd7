"""
What the search finds within its default budget, at several seeds: every leak of fixtures/interference, nothing in the
safe twins.

Run: python -m benchmarks.interference_detection [--strangers] [SEED ...]   (default: 20260101 1 2; some minutes)
With --strangers, fixtures/searched instead: databases that people wrote who had not seen the code.
Exits 1 where a leak was missed or a safe twin was not silent.
"""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tenantproof.api import check
from tenantproof.core.finding import Severity

FIXTURES = Path(__file__).parents[1] / "fixtures"
STRANGERS = "--strangers"
SEEDS = (20260101, 1, 2)


def gating(job: tuple[Path, int]) -> list[str]:
    """Findings at or above medium, in one line each."""
    path, seed = job
    return [f"{f.severity} {f.channel} {f.object}" for f in check(path, seed=seed).gating(Severity.MEDIUM)]


def is_leaky(path: Path) -> bool:
    """By the name of the scenario, or of the folder of a stranger's."""
    return path.name.startswith("leaky") or path.parents[1].name == "leaky"


def main() -> int:
    seeds = [int(argument) for argument in sys.argv[1:] if argument != STRANGERS] or list(SEEDS)
    pattern = "searched/[ls]*/*/*.tenancy.yaml" if STRANGERS in sys.argv else "interference/*/*.tenancy.yaml"
    jobs = [(path, seed) for seed in seeds for path in sorted(FIXTURES.glob(pattern))]
    wrong = 0
    with ProcessPoolExecutor(2) as pool:
        for (path, seed), found in zip(jobs, pool.map(gating, jobs), strict=True):
            leaky = is_leaky(path)
            if leaky is not bool(found):
                wrong += 1
                print(f"{'MISSED' if leaky else 'ALARM '} {path.parent.name} at seed {seed}: {'; '.join(found)}")
    leaks = sum(is_leaky(path) for path, _ in jobs)
    print(f"{leaks} leaky and {len(jobs) - leaks} safe runs at seeds {', '.join(map(str, seeds))}: {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
