"""A DSN that is none is the mistake of the person who wrote it: exit code 2, whatever the verb, and no secret."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tenantproof.targets.reach import describe

Run = Callable[..., "subprocess.CompletedProcess[str]"]

MISTAKES = {
    "no port": "postgres://:::",
    "a port too high": "postgresql://me@127.0.0.1:99999/app",
    "no number": "host=127.0.0.1 port=hunter2",
    "another scheme": "mysql://me:hunter2@127.0.0.1/app",
    "no scheme": "me:hunter2@127.0.0.1/app",
    "half an address": "postgresql://me:hunter2@[broken/app",
    "half an address alone": "postgresql://[hunter2",
    "an @ in the password": "postgresql://me:hun@ter2@127.0.0.1/app",
    "a slash in the password": "postgresql://me:hunter2/x@127.0.0.1/app",
    "a slash in a number": "postgresql://me:12/hunter2@127.0.0.1/app",
    "a percent sign": "postgresql://me:%hunter2@127.0.0.1/app",
    "a space": "host=127.0.0.1 user=me password=x hunter2",
}
SECRETS = ("hunter2", "ter2@")


@pytest.mark.parametrize("dsn", MISTAKES.values(), ids=MISTAKES.keys())
def test_it_ends_with_2_and_is_not_quoted(tenantproof: Run, small_app: Path, dsn: str) -> None:
    calls = [
        (("check", small_app, "--target", dsn), "--target"),
        (("check", small_app, "--target", "env:X"), "--target env:X"),
        (("doctor", small_app, "--target", "env:X"), "--target env:X"),
        (("clean", "--target", "env:X"), "--target env:X"),
        (("drift", small_app, "--against", "env:X"), "--against env:X"),
        (("init", "--from", "env:X"), "--from env:X"),
    ]
    for call, named in calls:
        done = tenantproof(*call, X=dsn)
        assert done.returncode == 2, (call, done.stderr)
        assert f"{named}: the DSN cannot be read" in done.stderr
        assert [secret for secret in SECRETS if secret in done.stdout + done.stderr] == []


def test_one_of_the_configuration_is_named_by_its_name(tenantproof: Run, small_app: Path, tmp_path: Path) -> None:
    (tmp_path / "tenantproof.toml").write_text('[targets.staging]\ndsn = "${X}"\nexpect_host = "db"\n')
    done = tenantproof("check", small_app, "--target", "staging", X="postgres://me:hunter2/@db")
    assert done.returncode == 2
    assert "--target staging: the DSN cannot be read" in done.stderr
    assert "hunter2" not in done.stderr


def test_a_variable_with_nothing_in_it_is_no_dsn(tenantproof: Run, small_app: Path) -> None:
    """libpq would take it for the defaults, and meet whatever listens on this machine."""
    done = tenantproof("check", small_app, "--target", "env:X", X="  ")
    assert (done.returncode, done.stderr) == (
        2,
        "--target env:X: the environment variable X holds nothing but spaces\n",
    )


@pytest.mark.parametrize(
    ("dsn", "shown"),
    [
        ("postgresql://127.0.0.1:1,127.0.0.1:2/app", "127.0.0.1,127.0.0.1:1,2/app"),
        ("host=a,b port=1, dbname=app", "a,b:1,/app"),
        ("postgresql://me%40x:a%40b%2Fc@127.0.0.1/app", "me@x@127.0.0.1/app"),
        ("host=/nowhere/@abstract dbname=a@b", "/nowhere/@abstract/a@b"),
        ("postgresql://", "localhost/"),
    ],
)
def test_unusual_ones_are_taken(dsn: str, shown: str) -> None:
    assert describe(dsn) == shown
