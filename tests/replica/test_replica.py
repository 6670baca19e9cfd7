"""A real hot standby: it agrees with its primary, and what makes it disagree is found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

import tenantproof
from tenantproof.channels.further import VIAS
from tenantproof.core.ports import Handle
from tenantproof.core.report import Report
from tenantproof.scenario import load_scenario
from tenantproof.targets.embedded import EmbeddedTarget
from tenantproof.targets.standby import is_embedded, standby_of
from tenantproof.testing.items import WAYS

SMALL_APP = Path(__file__).parents[1] / "integration" / "small_app" / "app.tenancy.yaml"

LEAKY = """
create function public.on_replica() returns boolean language sql stable as $$ select pg_is_in_recovery() $$;
grant execute on function public.on_replica() to authenticated;
create policy reporting on public.notes for select to authenticated using (public.on_replica());
"""
"""Reports are made on the replica, somebody thought, and nobody else reads there."""

WRITING = """
create table public.looked (at timestamptz default now());
create function public.looks() returns boolean language plpgsql security definer as
$$ begin insert into public.looked default values; return true; end $$;
grant execute on function public.looks() to authenticated;
alter policy teams_select on public.teams using (public.looks() and id in (select public.my_teams()));
"""
"""Who looks is written down."""


def checked(tmp_path: Path, patch: str = "") -> Report:
    path = tmp_path / "patch.sql"
    path.write_text(patch)
    return tenantproof.check(SMALL_APP, attempts=0, patches=[path] if patch else [], via=["replica"])


def test_a_standby_agrees_and_refuses_writes(tmp_path: Path) -> None:
    report = checked(tmp_path)

    assert report.findings == ()
    assert [gap for gap in report.gaps if gap.object == "replica"] == []
    (note,) = [note for note in report.notes if note.startswith("a standby of PostgreSQL")]
    assert "0 of them otherwise" in note
    assert "replica" in report.timing.phases


def test_what_only_a_standby_shows(tmp_path: Path) -> None:
    """The primary is right, and so the matrix is silent."""
    (finding,) = checked(tmp_path, LEAKY).findings

    assert (finding.channel, finding.object, finding.severity.value) == ("REPLICA-READ", "public.notes", "critical")
    assert set(finding.personas) >= {"acme.admin", "globex.member", "outsider"}
    assert "anon" not in finding.personas
    assert finding.evidence[0].expected.startswith("as on the primary: ")


def test_what_a_standby_cannot_answer(tmp_path: Path) -> None:
    found = [finding for finding in checked(tmp_path, WRITING).findings if finding.channel.startswith("REPLICA")]

    assert [(finding.channel, finding.object) for finding in found] == [("REPLICA-BLOCKED", "public.teams")]
    assert "25006" in found[0].evidence[0].observed


def test_nothing_stays_of_a_standby() -> None:
    with EmbeddedTarget(load_scenario(SMALL_APP).database).database() as handle:
        with standby_of(handle) as standby, psycopg.connect(standby.conninfo) as connection:
            folder = connection.info.parameter_status("in_hot_standby")
            (data,) = connection.execute("show data_directory").fetchone() or ("",)
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                connection.execute("create table public.x ()")
        assert folder == "on"
        assert not Path(data).exists()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(standby.conninfo).close()


class Elsewhere:
    """A database that is ours and not on an embedded server, as one in a container."""

    notes: tuple[str, ...] = ()

    @contextmanager
    def database(self) -> Iterator[Handle]:
        with EmbeddedTarget(load_scenario(SMALL_APP).database).database() as handle:
            assert is_embedded(handle)
            yield replace(handle, psql=None)


def test_only_an_embedded_server_is_copied() -> None:
    """Another database is not asked, and that is said."""
    report = tenantproof.check(SMALL_APP, attempts=0, via=["replica"], target=Elsewhere())
    assert [gap.reason for gap in report.gaps if gap.object == "replica"] == [
        "not asked: a standby is made of an embedded server only, which this database is not on"
    ]


def test_each_way_has_its_test_in_the_plugin() -> None:
    """`--tenantproof-via replica` is collected as `ways::replica`."""
    assert set(WAYS) == set(VIAS)
