"""Which triggers reach beyond the database, and whether a rollback calls it back."""

from __future__ import annotations

import pytest

from tenantproof.core.model import QName
from tenantproof.targets.calling_out import CallsOut, Code, Firing, calls_out

FIRING = Firing(table="public.notes", trigger="told", function=QName("public", "tell"))


def told(source: str, *others: Code, language: str = "plpgsql", foreign: tuple[str, ...] = ()) -> list[CallsOut]:
    code = Code(name=FIRING.function, language=language, source=source)
    return list(calls_out([FIRING], [code, *others], foreign))


@pytest.mark.parametrize(
    ("source", "at_commit"),
    [
        ("perform net.http_post(url := 'https://x')", True),
        ("perform supabase_functions.http_request('x')", True),
        ("perform pg_notify('c', 'x')", True),
        ("NOTIFY changed", True),
        ("notify pgrst_changed", True),
        ("notify pgrst; notify changed", True),
        ("perform pgmq.send('q', '{}')", True),
        ("perform dblink_exec('x', 'y')", False),
        ("perform http_get('https://x')", False),
        ("perform extensions.http(('GET', 'x'))", False),
        ("copy t to program 'curl x'", False),
        ("insert into remote_notes values (1)", False),
    ],
)
def test_what_reaches_beyond(source: str, at_commit: bool) -> None:
    (one,) = told(source, foreign=("remote_notes",))
    assert one.at_commit is at_commit
    assert one.function == FIRING.function


@pytest.mark.parametrize(
    "source",
    [
        "new.at := now(); return new;",
        "-- dblink_exec('x') once did this",
        "perform httpish()",
        "select nothing_http_get",
        "notify pgrst, 'reload schema'",  # Supabase's own event triggers, in every project
        "perform pg_notify( 'pgrst', 'reload schema')",
    ],
)
def test_what_does_not(source: str) -> None:
    assert told(source) == []


def test_what_it_calls_counts_and_who_calls_itself_ends() -> None:
    inner = Code(name=QName("private", "send"), language="plpgsql", source="perform dblink('x'); perform tell()")
    (one,) = told("perform private.send()", inner)
    assert one.function == inner.name
    assert str(one) == "told on public.notes: private.send() opens another connection (dblink)"


def test_untrusted_languages_can_do_anything() -> None:
    (one,) = told("import os", language="plpython3u")
    assert not one.at_commit
