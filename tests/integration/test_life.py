"""Membership life on real databases: each leak found at several seeds and shown by its script, each twin silent."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tenantproof.catalog.inference import infer_tenancy
from tenantproof.catalog.introspection import introspect
from tenantproof.core.finding import Property, Severity
from tenantproof.core.ports import Handle
from tenantproof.engine.findings import locator
from tenantproof.engine.interference.life import Lived, life_findings
from tenantproof.engine.plan import Plan
from tenantproof.engine.psql import run_script
from tenantproof.engine.run import _seed
from tenantproof.engine.wire import Wire
from tenantproof.identity.signing import Signer
from tenantproof.scenario import load_scenario
from tenantproof.targets.embedded import EmbeddedTarget

ROOT = Path(__file__).parents[2]
LIFE = ROOT / "fixtures" / "life"
LEAKS = sorted(path.name for path in LIFE.iterdir() if path.is_dir())
THOROUGH = bool(os.environ.get("TENANTPROOF_THOROUGH"))
QUICK = ("cached-organizations", "editor-flag-stays", "team-outlives-membership")
"""What somebody keeps by a copy, by a flag, and by another membership; the others wait for the thorough run."""
SOME = LEAKS if THOROUGH else QUICK
STRANGERS = ["accounts/accounts_full", "groups/groups_min"]
if THOROUGH:
    STRANGERS += ["chat/chat_full", "claims/claims", "workspaces/workspaces"]
SILENT = [
    *(LIFE / name / "safe.tenancy.yaml" for name in SOME),
    *(ROOT / "fixtures" / "strangers" / f"{name}.tenancy.yaml" for name in STRANGERS),
    pytest.param(ROOT / "scenarios" / "workflow_saas.tenancy.yaml", marks=pytest.mark.thorough, id="workflow_saas"),
]
SEEDS = (1, 2, 20260101) if THOROUGH else (20260101,)


@contextmanager
def seeded(scenario: Path, seed: int) -> Iterator[tuple[Handle, Plan]]:
    declared = load_scenario(scenario)
    with EmbeddedTarget(declared.database).database() as handle:
        with psycopg.connect(handle.conninfo) as connection:
            catalog = introspect(connection)
            tenancy = infer_tenancy(catalog, declared)
            plan = _seed(connection, catalog, declared, tenancy, seed, Signer())
        yield handle, plan


def live(handle: Handle, plan: Plan, seed: int, *, known: frozenset[tuple[object, str]] = frozenset()) -> Lived:
    with psycopg.connect(handle.conninfo, autocommit=True) as connection, Wire(connection) as wire:
        wire.prepare(())
        return life_findings(
            wire,
            plan,
            seed=seed,
            examples=8,
            steps=8,
            known=known,  # type: ignore[arg-type]
            locate=locator(handle.sources),
            conninfo=handle.conninfo,
        )


def declared_leak(name: str) -> tuple[str, Property]:
    text = (LIFE / name / "leaky.sql").read_text()
    found = dict(re.findall(r"^-- (\w+): (.+)$", text, re.MULTILINE))
    return found["object"], Property(found["property"])


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", SOME)
def test_a_leak_is_found_and_its_script_shows_it(name: str, seed: int) -> None:
    with seeded(LIFE / name / "leaky.tenancy.yaml", seed) as (handle, plan):
        lived = live(handle, plan, seed)
        printed = [run_script(handle, finding.replay) for finding in lived.findings]

    assert declared_leak(name) in [(finding.object, finding.property) for finding in lived.findings]
    assert all(" LEAK " in text for text in printed)
    assert all(finding.channel == "MEMBER-LIFE" for finding in lived.findings)
    assert all(finding.severity.rank >= Severity.MEDIUM.rank for finding in lived.findings)


@pytest.mark.parametrize("scenario", SILENT, ids=lambda path: f"{path.parent.name}-{path.name.split('.')[0]}")
def test_a_correct_database_is_silent(scenario: Path) -> None:
    with seeded(scenario, 20260101) as (handle, plan):
        lived = live(handle, plan, 20260101)

    assert lived.findings == ()
    assert lived.steps > 20
    assert lived.states >= lived.steps


@pytest.mark.parametrize("name", LEAKS)
def test_twins_differ_by_one_line(name: str) -> None:
    leaky, safe = ((LIFE / name / f"{twin}.sql").read_text().splitlines() for twin in ("leaky", "safe"))

    assert len(leaky) == len(safe)
    assert sum(one != other for one, other in zip(leaky, safe, strict=True)) == 1


def test_the_same_seed_finds_the_same_and_nothing_is_left_behind() -> None:
    everything = "SELECT * FROM public.organization_members ORDER BY 1, 2"
    with seeded(LIFE / "team-outlives-membership" / "leaky.tenancy.yaml", 20260101) as (handle, plan):
        with psycopg.connect(handle.conninfo) as connection:
            before = connection.execute(everything).fetchall()
        first, second = live(handle, plan, 20260101), live(handle, plan, 20260101)
        with psycopg.connect(handle.conninfo) as connection:
            after = connection.execute(everything).fetchall()

    assert first == second
    assert first.findings
    assert before == after


def test_what_the_matrix_told_already_is_not_told_again() -> None:
    with seeded(LIFE / "task-keeps-its-organization" / "leaky.tenancy.yaml", 1) as (handle, plan):
        tasks = next(relation.name for relation in plan.relations if relation.name.name == "tasks")
        lived = live(handle, plan, 1, known=frozenset({(tasks, "select")}))

    assert lived.findings == ()


def test_what_a_token_carries_is_noted_and_not_judged() -> None:
    with seeded(ROOT / "fixtures" / "strangers" / "claimmember" / "claimmember_min.tenancy.yaml", 1) as (handle, plan):
        lived = live(handle, plan, 1)

    assert lived.findings == ()
    assert len(lived.notes) == 1
