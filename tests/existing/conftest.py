"""Databases of strangers, each built once for the tests of a module."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.existing.looking import Stranger, stranger

FIXTURES = Path(__file__).parents[2] / "fixtures" / "existing"

_WORKER = os.environ.get("PYTEST_XDIST_WORKER", "alone")
WATCHER, STRAY = f"watcher_{_WORKER}", f"stray_{_WORKER}"
"""Roles are the server's, which workers share."""


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
            f"create role {WATCHER} login bypassrls; grant pg_read_all_data, desk_user to {WATCHER};"
            f" create role {STRAY} login"
        )
        yield there
        there.execute(f"drop role {WATCHER}; drop role {STRAY}")  # roles are the server's, which others share


@pytest.fixture(scope="module")
def agency() -> Iterator[Stranger]:
    with stranger(of("agency")) as there:
        yield there
