"""Databases of strangers, each built once for the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.existing.looking import Stranger, stranger

FIXTURES = Path(__file__).parents[2] / "fixtures" / "existing"


def of(name: str) -> Path:
    return FIXTURES / name / f"{name}.tenancy.yaml"


@pytest.fixture(scope="module")
def clinic() -> Iterator[Stranger]:
    with stranger(of("clinic")) as there:
        yield there


@pytest.fixture(scope="module")
def helpdesk() -> Iterator[Stranger]:
    with stranger(of("helpdesk")) as there:
        there.execute(
            "create role watcher login bypassrls; grant pg_read_all_data, desk_user to watcher; create role stray login"
        )
        yield there
        there.execute("drop role watcher; drop role stray")  # roles are the server's, which others share


@pytest.fixture(scope="module")
def agency() -> Iterator[Stranger]:
    with stranger(of("agency")) as there:
        yield there
