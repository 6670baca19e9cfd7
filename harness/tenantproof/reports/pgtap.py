"""
A pgTAP suite for `supabase/tests/database/`: what was proved once stays tested, without us.

Contract: the document is one transaction that is rolled back, so that it leaves nothing and may run against a database
with rows in it.  It plants the rows of a run, and then one test per thing that nobody may reach: it passes where the
thing is denied.  It needs pgTAP (on Supabase: `supabase test db`) and a role that sees every row and may become the
API's roles (a superuser, or Supabase's postgres).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import TextIO

from psycopg import sql

from tenantproof.core.errors import UsageError
from tenantproof.core.report import Report
from tenantproof.core.suite import Actor, Look, Planting, Probe, Suite
from tenantproof.reports.visible import one_line

_SHOWN_GAPS = 50


ONLY_CHECK = "a pgTAP suite is made while the seeded database is there, by `check` alone"


class PgtapWriter:
    """Writes a pgTAP suite."""

    name = "pgtap"
    suffix = ".sql"

    def write(self, report: Report, out: TextIO) -> None:
        """Raises UsageError for a report without a suite: one that was saved, or that nobody asked for one."""
        if report.suite is None:
            raise UsageError(f"{ONLY_CHECK}: tenantproof check {report.scenario_path} --report pgtap=PATH")
        write_suite(report.suite, out)


def write_suite(suite: Suite, out: TextIO) -> None:
    """Write the suite; the same suite always gives the same text."""
    for line in _lines(suite):
        out.write(line + "\n")


def _lines(suite: Suite) -> Iterator[str]:
    yield from _head(suite)
    yield "begin;"
    yield f"select plan({len(suite.probes) or 1});"
    yield ""
    yield from _people(suite)
    yield ""
    yield from _watches(suite)
    yield ""
    yield _helpers()
    yield "-- The rows of two tenants and more, with triggers and foreign keys off."
    yield "set local session_replication_role = replica;"
    yield from map(_planting, suite.plantings)
    yield "set local session_replication_role = origin;"
    yield ""
    if not suite.probes:
        yield "select fail('tenantproof: there was nothing to test');"
    yield from map(_test, suite.probes)
    yield ""
    yield "select * from finish();"
    yield "rollback;"


def _head(suite: Suite) -> Iterator[str]:
    yield f"-- {one_line(suite.scenario)}: that tenants are isolated."
    yield f"-- Written by tenantproof {one_line(suite.tool_version)}: write it anew when schema or scenario change."
    for said in suite.left_out[:_SHOWN_GAPS]:
        yield f"-- not tested: {one_line(said)}"
    if len(suite.left_out) > _SHOWN_GAPS:
        yield f"-- not tested: {len(suite.left_out) - _SHOWN_GAPS} more"


def _people(suite: Suite) -> Iterator[str]:
    yield "create temporary table tenantproof_people ("
    yield "  name text primary key, role text not null, login text, pre_request text, settings jsonb not null"
    yield ") on commit drop;"
    for actor in suite.actors:
        yield _said("insert into tenantproof_people values ({}, {}, {}, {}, {});", *_columns(actor))


def _watches(suite: Suite) -> Iterator[str]:
    yield "create temporary table tenantproof_watches (object text primary key, query text not null) on commit drop;"
    known = {probe.object: probe.watch for probe in suite.probes if probe.watch}
    for name, query in known.items():
        yield _said("insert into tenantproof_watches values ({}, {});", name, query)


def _columns(actor: Actor) -> Iterator[str | None]:
    yield actor.name
    yield actor.role
    yield actor.login
    yield _call(actor.pre_request)
    yield json.dumps([{"name": name, "value": value} for name, value in actor.settings])


def _call(function: str | None) -> str | None:
    if function is None:
        return None
    return sql.SQL("select {}()").format(sql.Identifier(*function.split(".", 1))).as_string(None)


@cache
def _helpers() -> str:
    return (files(__package__) / "templates" / "pgtap_helpers.sql").read_text(encoding="utf-8")


def _planting(planting: Planting) -> str:
    relation = sql.Identifier(*planting.relation)
    columns = sql.SQL(", ").join(map(sql.Identifier, planting.columns))
    return (
        sql.SQL(
            "insert into {relation} ({columns}) overriding system value\n"
            "  select {columns} from pg_catalog.jsonb_populate_recordset(null::{relation}, {rows})\n"
            "  on conflict do nothing;"
        )
        .format(relation=relation, columns=columns, rows=sql.Literal(planting.rows))
        .as_string(None)
    )


def _test(probe: Probe) -> str:
    if probe.kind is Look.OBSERVER:
        stage = ";\n".join(probe.stage)
        found = _said(
            "pg_temp.tenantproof_does({}, {}, {}, {}, {}, {})",
            *(probe.persona, stage, probe.object, probe.act, probe.look, probe.planted),
        )
    else:
        found = _said("pg_temp.tenantproof_sees({}, {})", probe.persona, probe.look)
    test = "isnt" if probe.kind is Look.NEEDED else "is"
    return f"select {test}({found}, '', {_said('{}', title_of(probe))});"


def title_of(probe: Probe) -> str:
    """The test's name.  A bare "#" in it would begin a directive, such as TODO, which turns a failure into a pass."""
    said = f"{probe.persona}: {probe.command} on {probe.object}: {probe.aim}"
    return one_line(said).replace("\\", "\\\\").replace("#", "\\#")


def _said(template: str, *values: object) -> str:
    """SQL with these values as literals."""
    return sql.SQL(template).format(*map(sql.Literal, values)).as_string(None)
