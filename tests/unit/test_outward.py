"""Functions that are not called: what a rollback does not undo, wherever in a chain of calls it stands."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.functions import PLAIN

from tenantproof.core.catalog import Catalog, Function
from tenantproof.core.model import QName
from tenantproof.engine.interference.outward import reason_not_to_call


def function(name: str, source: str = "", *, language: str = "plpgsql", kind: str = "f") -> Function:
    return replace(PLAIN, name=QName("public", name), language=language, kind=kind, source=source)


def reason(asked: Function, *others: Function) -> str | None:
    return reason_not_to_call(asked, Catalog(server_version=180000, relations={}, functions=(asked, *others)))


OUTWARD = {
    "perform dblink_exec('dbname=x', 'delete from t');": "dblink",
    "perform public.dblink('dbname=x', 'select 1');": "dblink",
    "execute 'select dblink_connect(''x'')';": "dblink",
    "perform net.http_post(url := 'http://127.0.0.1', body := '{}');": "HTTP",
    "perform NET . HTTP_GET('http://127.0.0.1');": "HTTP",
    "select status from http_get('http://127.0.0.1');": "HTTP",
    "perform extensions.http_post('u', 'b', 'c');": "HTTP",
    "perform lo_create(0);": "large objects",
    "perform lo_import('/tmp/x');": "large objects",
    "perform pg_read_file('x');": "files",
    "perform pg_read_binary_file('x');": "files",
    "perform pg_ls_dir('.');": "files",
    "copy t to '/tmp/x';": "files",
    "copy t from program 'id';": "files",
    "perform pg_terminate_backend(1);": "server",
    "perform pg_reload_conf();": "server",
    "perform pg_advisory_lock(1);": "locks",
    "perform pg_try_advisory_lock(1);": "locks",
    "perform pg_sleep(1);": "sleeps",
    "perform pg_sleep_for('1 second');": "sleeps",
    "perform setval('t_id_seq', 1);": "sequence",
    "execute 'deallocate all';": "prepared",
    "discard all;": "prepared",
    "perform cron.schedule('x', '* * * * *', 'select 1');": "jobs",
    "perform pgmq.send('q', '{}');": "queue",
    "perform vault.create_secret('x');": "vault",
}

HARMLESS = [
    "",
    "select 1;",
    "insert into notes (body) values ('a'); return new;",
    "perform nextval('t_id_seq');",
    "perform pg_notify('c', 'x');",
    "perform pg_advisory_xact_lock(1);",
    "perform set_config('app.x', 'y', true);",
    "-- never calls dblink('x')\nselect 1;",
    "/* pg_sleep(9)\n setval('x', 1) */ select 1;",
    "select http_status from calls;",
    "select discarded, deallocated_at from t;",
    "raise notice 'it''s' /* pg_sleep(9) */;",
    "select asleep, reset_value from t;",
]


@pytest.mark.parametrize(("source", "word"), OUTWARD.items())
def test_what_a_rollback_does_not_undo_is_not_called(source: str, word: str) -> None:
    said = reason(function("f", f"begin {source} end"))
    assert said is not None
    assert word in said


@pytest.mark.parametrize("source", HARMLESS)
def test_harmless_functions_are_called(source: str) -> None:
    assert reason(function("f", source)) is None


def test_a_function_that_calls_another_is_judged_by_it_and_says_which() -> None:
    sleeper = function("sleeper", "begin perform pg_sleep(1); end")
    between = function("between", "begin perform public.sleeper(); end")
    said = reason(function("f", 'begin perform "between"(); end'), between, sleeper, function("other"))
    assert said is not None
    assert "sleeps" in said
    assert "public.sleeper" in said


def test_only_functions_that_are_called_count() -> None:
    assert reason(function("f", "select sleeper;"), function("sleeper", "select pg_sleep(1)")) is None


def test_any_overload_of_a_called_name_counts() -> None:
    fine, sleeps = function("g", "select 1"), function("g", "select pg_sleep(1)")
    for others in ((fine, sleeps), (sleeps, fine)):
        assert reason(function("f", "select g(1)"), *others) is not None


def test_functions_that_call_themselves_or_each_other_are_read_once() -> None:
    one, two = function("one", "select two();"), function("two", "select one();")
    assert reason(one, two) is None
    assert reason(function("again", "select again();")) is None


def test_a_procedure_and_what_cannot_be_read_are_not_called() -> None:
    assert "commit" in (reason(function("p", kind="p")) or "")
    assert "written in c" in (reason(function("f", "f_in_c", language="c")) or "")
    assert "written in internal" in (reason(function("f", "int4out", language="internal")) or "")


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("sleeper", "public.sleeper"),
        ("größe", '"größe"'),
        ("sleeper", "Public.SLEEPER"),
        ("Do It", '"Do It"'),
        ('say "hi"', '"say ""hi"""'),
        ("a.b", '"a.b"'),
    ],
)
def test_a_call_is_followed_however_the_name_is_written(name: str, written: str) -> None:
    assert reason(function("f", f"begin perform {written}(); end"), function(name, "select pg_sleep(1)")) is not None


def test_dashes_in_a_string_hide_nothing() -> None:
    assert reason(function("f", "begin raise notice '-- now'; perform pg_sleep(1); end")) is not None
