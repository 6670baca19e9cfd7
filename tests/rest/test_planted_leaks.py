"""What is planted in the large sample is found over HTTP as it is by SQL, with the same fingerprints."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from tests.rest.conftest import standing_on

from tenantproof.core.finding import Finding, Verdict
from tenantproof.core.model import QName
from tenantproof.engine.findings import find
from tenantproof.engine.matrix import Judged
from tenantproof.engine.rest import run as rest
from tenantproof.engine.rest.bench import RestBench, Stage
from tenantproof.engine.rest.differences import differences
from tenantproof.engine.rest.keeping import Keeper
from tenantproof.engine.rest.matrix import sweep_by_http
from tenantproof.engine.rest.speaking import Tongue
from tenantproof.engine.ways import Standing
from tenantproof.targets.rest.client import Client
from tenantproof.targets.rest.server import serving

ROOT = Path(__file__).parents[2]
WORKFLOW_SAAS = ROOT / "scenarios" / "workflow_saas.tenancy.yaml"
PUBLIC = ("public",)
WITNESSES = {"acme.member", "anon"}

THOROUGH = bool(os.environ.get("TENANTPROOF_THOROUGH"))
TOGETHER = 8 if THOROUGH else 3
"""Leaks planted in one database, each on an object of its own."""

BY_DETOUR = {"42-helper-and-or"}
"""One helper function opens many tables at once: with others it would be their cause, too."""


def header(path: Path, name: str) -> str:
    found = re.search(rf"^-- {name}: *(\S+)", path.read_text(), re.MULTILINE)
    assert found is not None
    return found.group(1)


def planted(path: Path) -> str:
    return header(path, "object")


def batches() -> Iterator[tuple[Path, ...]]:
    """Leaks of the schema that PostgREST exposes; all of them with TENANTPROOF_THOROUGH=1, else the first batch."""
    leaks = sorted((ROOT / "fixtures" / "workflow_saas" / "leaks").glob("*.sql"))
    waiting = [path for path in leaks if planted(path).startswith("public.") and path.stem not in BY_DETOUR]
    while waiting:
        batch = tuple({planted(path): path for path in reversed(waiting)}.values())[-TOGETHER:]
        waiting = [path for path in waiting if path not in batch]
        yield batch
        if not THOROUGH:
            return


@pytest.mark.parametrize("batch", [pytest.param(b, id="+".join(p.stem[:2] for p in sorted(b))) for b in batches()])
def test_planted_leaks_are_found_over_http_as_by_sql(batch: tuple[Path, ...], postgrest: Path) -> None:
    with ExitStack() as stack:
        personas = WITNESSES | {header(path, "persona") for path in batch}
        standing = stack.enter_context(standing_on(sorted(batch), WORKFLOW_SAAS, personas))
        place = stack.enter_context(serving(postgrest, rest.settings_for(standing, PUBLIC)))
        client = stack.enter_context(Client(place.url))
        connection = stack.enter_context(psycopg.connect(standing.handle.conninfo, autocommit=True))
        plan = standing.plan
        stage = Stage(plan, Keeper(connection))
        swept = sweep_by_http(
            standing.wire,
            plan,
            standing.ground,
            cells_of_what_leaks(standing),
            lambda who: RestBench(client, Tongue(PUBLIC), plan, plan.identities[who.name], stage),
        )
        sql = find(standing.wire, plan, [pair.by_sql for pair in swept.pairs], standing.locate)
        http = find(standing.wire, plan, [pair.by_http for pair in swept.pairs], standing.locate)

    assert told(sql) == told(http)
    assert {planted(path) for path in batch} <= {name for finding in http for name in finding.objects}
    assert [
        (one.pair.by_sql.object.name, one.reason) for one in differences(swept.pairs) if not at_commit(one.reason)
    ] == []


def cells_of_what_leaks(standing: Standing) -> list[Judged]:
    """Every cell of the relations that leak by SQL: of the others a clean run asks."""
    leaking: set[QName] = {
        cell.object.name for cell in standing.cells if cell.judgement.verdict in (Verdict.LEAK, Verdict.OVERBLOCKED)
    }
    return [cell for cell in standing.cells if cell.object.name in leaking and cell.object.name.schema == "public"]


def told(findings: list[Finding]) -> set[tuple[str, str, str, tuple[str, ...]]]:
    return {(one.fingerprint, one.channel, one.object, one.personas) for one in findings}


def at_commit(reason: str) -> bool:
    """A constraint that is deferred speaks when the request commits, and by SQL nothing does."""
    return reason.startswith("a constraint is asked when the request commits")
