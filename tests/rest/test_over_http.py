"""The path over HTTP against a real PostgREST: the same findings as by SQL, and what only HTTP can show."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from tests.rest.conftest import FIXTURES, standing_on

from tenantproof.core.attempt import Attempt, Deed, Form
from tenantproof.core.finding import Verdict
from tenantproof.core.model import Command, QName
from tenantproof.core.ports import Writes
from tenantproof.engine.findings import find
from tenantproof.engine.rest import run as rest
from tenantproof.engine.rest.bench import RestBench, Stage, demand_rollback
from tenantproof.engine.rest.differences import Side, compared, differences
from tenantproof.engine.rest.greeting import rolls_back
from tenantproof.engine.rest.hearing import observed
from tenantproof.engine.rest.keeping import Keeper
from tenantproof.engine.rest.matrix import Swept, sweep_by_http
from tenantproof.engine.rest.speaking import Tongue
from tenantproof.engine.ways import Found, Standing
from tenantproof.targets.rest.client import Answer, Client, Request
from tenantproof.targets.rest.server import Serving, Settings, serving

PUBLIC = ("public",)
NOTES = QName("public", "notes")
CONTENT = "select md5(string_agg(t::text, '|' order by t::text)) from public.notes t"


@contextmanager
def api_of(standing: Standing, postgrest: Path, **changes: object) -> Iterator[Serving]:
    settings: Settings = replace(rest.settings_for(standing, PUBLIC), **changes)  # type: ignore[arg-type]
    with serving(postgrest, settings) as place:
        yield place


def swept(standing: Standing, postgrest: Path, **changes: object) -> Swept:
    with ExitStack() as stack:
        place = stack.enter_context(api_of(standing, postgrest, **changes))
        client = stack.enter_context(Client(place.url))
        connection = stack.enter_context(psycopg.connect(standing.handle.conninfo, autocommit=True))
        stage = Stage(standing.plan, Keeper(connection))
        plan, tongue = standing.plan, Tongue(PUBLIC)
        return sweep_by_http(
            standing.wire,
            plan,
            standing.ground,
            standing.cells,
            lambda who: RestBench(client, tongue, plan, plan.identities[who.name], stage),
        )


def visited(standing: Standing, postgrest: Path, **changes: object) -> Found:
    with api_of(standing, postgrest, **changes) as place:
        return rest.over_http(standing, rest.Api(url=place.url))


def content(standing: Standing) -> object:
    with psycopg.connect(standing.handle.conninfo) as connection:
        return connection.execute(CONTENT).fetchone()


@pytest.fixture(scope="module")
def leaky(postgrest: Path) -> Iterator[Standing]:
    with standing_on([FIXTURES / "leaky.sql", FIXTURES / "shapes.sql"]) as standing:
        yield standing


@pytest.fixture(scope="module")
def by_http(leaky: Standing, postgrest: Path) -> Swept:
    return swept(leaky, postgrest)


def test_the_same_causes_are_found_by_http_as_by_sql(leaky: Standing, by_http: Swept) -> None:
    sql = find(leaky.wire, leaky.plan, [pair.by_sql for pair in by_http.pairs], leaky.locate)
    http = find(leaky.wire, leaky.plan, [pair.by_http for pair in by_http.pairs], leaky.locate)

    assert {finding.fingerprint for finding in sql} == {finding.fingerprint for finding in http}
    assert {"MEMBER-JOIN", "MEMBER-PROMOTE", "READ", "DELETE", "INSERT", "UPDATE-MOVE"} <= {
        finding.channel for finding in http
    }
    for one, other in zip(sql, http, strict=True):
        assert (one.channel, one.object, one.personas) == (other.channel, other.object, other.personas)


def test_every_attempt_comes_to_the_same(by_http: Swept) -> None:
    assert [(one.side, one.reason) for one in differences(by_http.pairs)] == []
    assert by_http.unsaid == ()


def test_what_was_committed_is_put_back(leaky: Standing, by_http: Swept) -> None:
    changed = [said for pair in by_http.pairs for _, said in pair.outcomes if said.changes]
    seeded = {row.key for row in leaky.plan.world.rows[NOTES]}
    with psycopg.connect(leaky.handle.conninfo) as connection:
        there = set(connection.execute("select id::text from public.notes").fetchall())

    assert len(changed) > 20
    assert there == seeded


def test_writes_where_nobody_expects_them_are_put_back_and_the_cells_are_asked_again(postgrest: Path) -> None:
    names = "select array_agg(name order by id)::text from public.teams"
    with standing_on([FIXTURES / "far.sql"], personas=["acme.member"]) as standing:
        with psycopg.connect(standing.handle.conninfo) as connection:
            before = connection.execute(names).fetchone()
        pairs = swept(standing, postgrest).pairs
        with psycopg.connect(standing.handle.conninfo) as connection:
            after = connection.execute(names).fetchone()
    assert any(said.changes for pair in pairs for _, said in pair.outcomes)
    assert before == after
    assert differences(pairs) == []


def test_a_safe_application_is_silent(safe: Standing, postgrest: Path) -> None:
    before = content(safe)
    found = rest.over_http(safe, rest.Api())

    assert found.findings == ()
    assert found.gaps == ()
    assert any("0 cells leak" in note for note in found.notes)
    assert content(safe) == before


def test_an_api_that_logs_in_as_another_role_shows_more(postgrest: Path) -> None:
    """A policy for the backend asks for session_user, and the API logs in as the backend."""
    with standing_on([FIXTURES / "backend.sql"]) as standing:
        found = visited(standing, postgrest, conninfo=standing.handle.conninfo)
    more = [finding for finding in found.findings if finding.channel == "API-MORE"]

    assert {(finding.object, finding.command.value) for finding in more} == {("public.notes", "select")}
    assert more[0].severity.value == "critical"
    assert "by HTTP" in more[0].evidence[0].observed


def beside_what_is_inherent(found: Found) -> list[str]:
    """The channels of findings about an API of somebody's, without what every PostgREST does."""
    channels = [finding.channel for finding in found.findings if finding.severity.value != "low"]
    assert {finding.channel for finding in found.findings} - set(channels) <= {"JWT-ISSUER", "API-COUNT"}
    return channels


def test_settings_that_tell_too_much(safe: Standing, postgrest: Path) -> None:
    found = visited(safe, postgrest, plans=True, openapi_mode="ignore-privileges")
    told = {finding.channel: finding for finding in found.findings}

    assert told.keys() == {"API-COUNT", "API-PLAN", "JWT-ISSUER"}
    assert "for another tenant" in told["API-COUNT"].evidence[0].observed
    assert "removed" in told["API-PLAN"].evidence[0].observed
    assert told["API-COUNT"].severity.value == "low"


def test_max_rows_is_paged_through(safe: Standing, postgrest: Path) -> None:
    pairs = swept(safe, postgrest, max_rows=1).pairs
    reads = [pair for pair in pairs if pair.by_sql.command is Command.SELECT]

    assert {compared(*pair.outcomes[0]) for pair in reads} == {Side.SAME}
    assert max(len(pair.outcomes[0][1].observation.rows) for pair in reads) > 1


def test_rollback_is_believed_only_where_it_happens(safe: Standing, postgrest: Path) -> None:
    token = safe.plan.identities["acme.member"].token
    asked = {}
    for tx_end in ("commit", "commit-allow-override", "rollback-allow-override"):
        with api_of(safe, postgrest, tx_end=tx_end) as place, Client(place.url) as client:
            asked[tx_end] = rolls_back(client, Tongue(PUBLIC), safe.plan, NOTES, token)

    assert asked == {"commit": False, "commit-allow-override": True, "rollback-allow-override": True}
    with pytest.raises(Exception, match="did not say that it rolled it back"):
        demand_rollback(Answer(204, {}))


def test_somebodys_database_is_written_only_where_it_rolls_back(safe: Standing, postgrest: Path) -> None:
    theirs = replace(safe, handle=replace(safe.handle, owned=False, writes=Writes.CANARY))
    before = content(safe)
    honest = visited(theirs, postgrest)
    silent = visited(theirs, postgrest, tx_end="commit")
    reading = visited(replace(theirs, handle=replace(theirs.handle, writes=Writes.NEVER)), postgrest)

    assert content(safe) == before
    assert not [gap for gap in honest.gaps if gap.object == "api"]
    assert "does not roll back" in silent.gaps[0].reason
    assert "nothing may be written" in reading.gaps[0].reason
    for found in (honest, silent, reading):
        assert beside_what_is_inherent(found) == []


def test_rows_in_an_open_transaction_are_out_of_reach(safe: Standing) -> None:
    hidden = replace(safe, handle=replace(safe.handle, owned=False, writes=Writes.ROLLBACK))
    (gap,) = rest.over_http(hidden, rest.Api(url="http://127.0.0.1:1")).gaps

    assert gap.reason.startswith("no positive control")
    assert "canary" in gap.reason


def test_requests_in_postgrests_grammar(safe: Standing) -> None:
    tongue, notes = Tongue(("api", "public")), safe.plan.catalog.relations[NOTES]

    def attempt(command: Command, deed: Deed) -> Attempt:
        return Attempt(relation=NOTES, command=command, channel="X", form=Form.BLIND, sql="", aim="", deed=deed)

    read = tongue.request(attempt(Command.SELECT, Deed(through=NOTES, columns=("id", 'odd "name'))), notes)
    add = tongue.request(attempt(Command.INSERT, Deed(through=NOTES, values=(("body", "a"), ("id", None)))), notes)
    merge = tongue.request(
        attempt(Command.UPDATE, Deed(through=NOTES, values=(("body", "a"),), conflict=("id",))), notes
    )
    blind = tongue.request(attempt(Command.DELETE, Deed(through=NOTES)), notes, "tx=rollback")

    assert read is not None
    assert read.target == '/notes?select=c0:id::text,c1:"odd%20%5C"name"::text'
    assert ("accept-profile", "public") in read.headers
    assert add is not None
    assert (add.method, add.body, add.target) == ("POST", [{"body": "a", "id": None}], "/notes?columns=body,id")
    assert merge is not None
    assert merge.target == "/notes?columns=body&on_conflict=id"
    assert dict(merge.headers)["prefer"] == "return=minimal, count=exact, resolution=merge-duplicates"
    assert blind is not None
    assert (blind.method, blind.target) == ("DELETE", "/notes")
    assert dict(blind.headers)["prefer"].startswith("tx=rollback")


def test_answers_as_observations() -> None:
    rows = observed(Answer(206, {"content-type": "application/json", "content-range": "0-0/7"}, '[{"c0": "a"}]'), 1)
    denied = observed(Answer(403, {"content-type": "application/json"}, '{"code": "42501", "message": "no"}'))
    page = observed(Answer(200, {"content-type": "text/html"}, "<html>"), 1)

    assert (rows.rows, rows.count) == ((("a",),), 7)
    assert denied.denied
    assert page.sqlstate == "HTTP200"
    assert "text/html" in page.message
    assert Request(method="GET", path="/a b").target == "/a%20b"
    assert Verdict.LEAK  # the judgements are those of the matrix by SQL
