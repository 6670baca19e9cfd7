"""One comparison from start to end: read the live side, read ours, spell them alike, compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import psycopg

from tenantproof.catalog.introspection import introspect
from tenantproof.core.drift import Drift, worst_first
from tenantproof.core.model import Scenario
from tenantproof.core.ports import Handle
from tenantproof.drift.compare import compare, counted
from tenantproof.drift.names import MIGRATOR
from tenantproof.drift.placing import placed
from tenantproof.drift.prisma.against import Comparison
from tenantproof.drift.prisma.model import PrismaSchema
from tenantproof.drift.remarks import remarks
from tenantproof.drift.respelling import respelled
from tenantproof.drift.roles import migrator_of, renamed
from tenantproof.drift.scope import left_out, make_pair
from tenantproof.drift.side import Side, read_side
from tenantproof.targets.live import read_only
from tenantproof.targets.reach import describe


def read_live(dsn: str) -> tuple[Side, str]:
    """The live side, and what to call it: place and version.  Raises TargetError."""
    with read_only(dsn) as connection:
        side = read_side(connection)
        version = connection.info.parameter_status("server_version") or ""
    return side, f"{describe(dsn)} (PostgreSQL {version.split()[0]})"


def compare_live(handle: Handle, scenario: Scenario, live: Side, label: str) -> Drift:
    """What differs between the migrated database of *handle* and a live side that was read before."""
    with psycopg.connect(handle.conninfo) as connection:
        ours = read_side(connection)
        known_as = migrator_of(ours, live)
        alike = respelled(renamed(live, known_as, MIGRATOR), ours, connection)
    pair = make_pair(ours, alike, scenario)
    return Drift(
        scenario=scenario.name,
        scenario_path=scenario.path,
        server_version=handle.server_version,
        against=(label,),
        differences=placed(compare(pair), handle.sources),
        schemas=tuple(sorted(pair.schemas)),
        compared=counted(pair),
        left_out=left_out(pair),
        notes=remarks(pair, known_as),
    )


def compare_prisma(handle: Handle, scenario: Scenario, schema: PrismaSchema) -> Drift:
    """What a Prisma schema and the migrated database of *handle* do not agree on."""
    with psycopg.connect(handle.conninfo) as connection:
        catalog = introspect(connection)
    schemas = scenario.database.schemas
    home = "public" if "public" in schemas else schemas[0]
    comparison = Comparison(schema=schema, catalog=catalog, home=home)
    return Drift(
        scenario=scenario.name,
        scenario_path=scenario.path,
        server_version=handle.server_version,
        against=(f"the Prisma schema {schema.path}",),
        differences=worst_first(tuple(comparison.differences())),
        schemas=tuple(sorted({comparison.name_of(model).schema for model in schema.models.values()})),
        compared={"models": len(schema.models), "enums": len(schema.enums)},
        left_out=("of the Prisma schema: indexes, default values and lengths of types",),
    )


def together(drifts: Sequence[Drift], seconds: float) -> Drift:
    """Several comparisons of one scenario as one."""
    first = drifts[0]
    return replace(
        first,
        against=tuple(label for drift in drifts for label in drift.against),
        differences=worst_first(tuple(difference for drift in drifts for difference in drift.differences)),
        compared={name: count for drift in drifts for name, count in drift.compared.items()},
        left_out=tuple(dict.fromkeys(said for drift in drifts for said in drift.left_out)),
        notes=tuple(dict.fromkeys(said for drift in drifts for said in drift.notes)),
        seconds=seconds,
    )
