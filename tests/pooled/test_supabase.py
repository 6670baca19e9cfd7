"""Claims of a token as a setting, as an application with its own pool on Supabase sends them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.rest.conftest import SMALL_APP, standing_on

from tenantproof.core.model import Pooled, PoolKind, Snippet
from tenantproof.engine.pooled.run import over_pools
from tenantproof.engine.psql import run_script, shows_leak
from tenantproof.engine.ways import Standing
from tenantproof.scenario import load_scenario
from tenantproof.targets.pooled.program import Program, find_pgbouncer
from tenantproof.targets.pooled.taping import Tape

ROLE = "set local role authenticated"


@pytest.fixture(scope="module")
def supabase() -> Iterator[Standing]:
    with standing_on() as standing:
        yield standing


def habit(*, local: str) -> Pooled:
    claims = "select set_config('request.jwt.claims', '{claims}', LOCAL)".replace("LOCAL", local)
    return Pooled(begin=Snippet(statements=(ROLE, claims)), pools=(PoolKind.PGBOUNCER_TRANSACTION,))


def test_claims_that_outlive_their_transaction(supabase: Standing, pgbouncer: Program) -> None:
    scenario = load_scenario(SMALL_APP)
    found = {
        local: over_pools(
            replace(supabase, plan=replace(supabase.plan, scenario=replace(scenario, pooled=habit(local=local)))),
            find_pgbouncer(),
        )
        for local in ("false", "true")
    }
    (finding,) = found["false"].findings
    tokens = [who.token for who in supabase.plan.identities.values() if who.token]

    assert (finding.channel, finding.cause, finding.personas) == ("POOL-CLAIM", "request.jwt.claims", ("anon",))
    assert shows_leak(run_script(supabase.handle, finding.replay))
    assert tokens
    assert not any(token in str(finding) for token in tokens)
    assert found["true"].findings == ()
    assert [gap for gap in found["true"].gaps if "control" in gap.reason] == []


def test_the_platforms_own_beginning_is_safe(supabase: Standing, pgbouncer: Program) -> None:
    found = over_pools(supabase, pgbouncer)

    assert found.findings == ()
    assert found.gaps == ()


def test_tokens_do_not_stand_on_a_tape() -> None:
    tape = Tape(["eyJ.token"])
    tape.add("select set_config('app.token', 'eyJ.token', true)")

    assert tape.lines == [("", "select set_config('app.token', '***', true)")]
