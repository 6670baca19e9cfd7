"""Storage by SQL: each leaky design is told of, by its channel and operation, and each of its twins is silent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.services.conftest import FIXTURES, Ground, declared_in

from tenantproof.core.finding import Reach, Severity
from tenantproof.engine.psql import shows_leak
from tenantproof.engine.services.way import in_services

LEAKY = sorted((FIXTURES / "storage" / "leaky").glob("*.sql"))
SAFE = sorted((FIXTURES / "storage" / "safe").glob("*.sql"))


@pytest.mark.parametrize("leak", LEAKY, ids=lambda path: path.stem)
def test_a_leak_is_told_and_its_script_shows_it(storage: Ground, leak: Path) -> None:
    sql, said = leak.read_text(encoding="utf-8"), declared_in(leak)
    with storage.with_design(sql) as standing:
        found = in_services(standing)

    assert {finding.channel for finding in found.findings} == {said["channel"]}
    commands = {command.value for finding in found.findings for command in finding.commands}
    expected = {"get": "select", "upload": "insert", "move": "update", "upsert": "update", "delete": "delete"}
    assert expected.get(said["operation"], "update") in commands
    assert all(shows_leak(storage.replayed(sql, finding.replay)) for finding in found.findings)
    assert not [gap for gap in found.gaps if f"{said['bucket']}/" in gap.reason]


@pytest.mark.parametrize("design", SAFE, ids=lambda path: path.stem)
def test_a_correct_design_is_silent(storage: Ground, design: Path) -> None:
    with storage.with_design(design.read_text(encoding="utf-8")) as standing:
        found = in_services(standing)

    assert [(finding.channel, finding.cause) for finding in found.findings] == []


def test_a_bucket_that_nobody_gets_into_proves_nothing(storage: Ground) -> None:
    """Without a member who may use their own folder, refusals of others are no evidence: said, and not green."""
    with storage.with_design("select 1;") as standing:
        found = in_services(standing)

    assert found.findings == ()
    assert [gap.object for gap in found.gaps if "no positive control" in gap.reason] == ["storage.objects"]


def test_a_bucket_open_to_all_is_named_and_not_judged(storage: Ground) -> None:
    """Nothing says whose the files of `sites` are: that is for a person to say."""
    with storage.with_design(
        "create policy sites_all on storage.objects for all to authenticated using (bucket_id = 'sites');"
    ) as standing:
        found = in_services(standing)

    assert found.findings == ()
    assert any("the bucket sites" in note and "declare" in note for note in found.notes)


def test_names_that_storage_refuses_by_itself_are_not_critical(storage: Ground) -> None:
    """`%` is no character of a key: only SQL gets it into the table."""
    sql = (FIXTURES / "storage" / "leaky" / "name-is-the-pattern.sql").read_text(encoding="utf-8")
    with storage.with_design(sql) as standing:
        (finding,) = in_services(standing).findings

    assert (finding.severity, finding.reach) == (Severity.HIGH, Reach.SQL)


def test_what_the_matrix_tells_is_not_told_twice(storage: Ground) -> None:
    """Everybody reads all files: the matrix says so, and the way through Storage is silent about reading."""
    sql = """
    create policy files_read on storage.objects for select to authenticated using (bucket_id = 'files');
    create policy files_upload on storage.objects for insert to authenticated
      with check (bucket_id = 'files' and (storage.foldername(name))[1] in (select o::text from public.my_orgs() o));
    """
    with replace(storage, swept=True).with_design(sql) as standing:
        found = in_services(standing)

    assert [finding.channel for finding in found.findings] == []
    with storage.with_design(sql) as standing:
        found = in_services(standing)

    assert [finding.channel for finding in found.findings] == ["STORAGE-FOLDER"]
