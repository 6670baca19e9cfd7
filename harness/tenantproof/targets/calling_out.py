"""
Which triggers and expressions make something leave the database, and whether a rollback calls it back.

Requests of pg_net and of Supabase's webhooks are rows of a queue, and NOTIFY is sent at COMMIT (PostgreSQL, "NOTIFY";
pg_net, "How it works"): neither happens when the transaction is rolled back.  Everything else has happened by then.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tenantproof.core.model import QName

_HTTP = r"(?<![\w.])((extensions|public|http)\s*\.\s*)?http(_get|_post|_put|_patch|_delete|_head)?\s*\("
_AT_COMMIT = {
    r"\bnet\s*\.\s*http_\w+\s*\(|\bsupabase_functions\s*\.\s*http_request": "sends HTTP requests by pg_net",
    # But for PostgREST, which reads its schema again: Supabase's own event triggers do that in every project.
    r"\bpg_notify\s*\((?!\s*'pgrst')|\bNOTIFY\s+(?!pgrst\b)\w+": "sends notifications",
    r"\bpgmq\s*\.\s*send|\bcron\s*\.\s*schedule": "queues work for others",
}
_AT_ONCE = {
    r"\bdblink\w*\s*\(": "opens another connection (dblink)",
    _HTTP: "sends HTTP requests at once (http)",
    r"\bCOPY\b[^;]*\b(PROGRAM|FROM\s+'|TO\s+')": "runs programs or handles files (COPY)",
    r"\blo_(import|export)\s*\(|\bpg_write_\w*file|\bpg_file_\w+\s*\(": "handles files",
    r"\bpg_background_launch\s*\(": "works in another session (pg_background)",
    r"\bpg_logical_emit_message\s*\(\s*false": "writes to the log at once (pg_logical_emit_message)",
}
_TRUSTED = frozenset({"sql", "plpgsql", "plv8", "plperl", "pltcl", "internal", "pltclu_trusted", "plrust"})
_OF_EXTENSIONS = {
    "pg_net": "sends HTTP requests by pg_net",
    "http": "sends HTTP requests at once (http)",
    "dblink": "opens another connection (dblink)",
    "pg_background": "works in another session (pg_background)",
}
_COMMENT = re.compile(r"('(?:[^']|'')*')|--[^\n]*|/\*.*?\*/", re.DOTALL)
_CALL = re.compile(r'(?:"((?:[^"]|"")+)"|(\w+))\s*\(')


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """One function, and the extension that it came with ('': none)."""

    name: QName
    language: str
    source: str
    extension: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """One trigger, or an expression that calls a function: a policy, a constraint, a default, a view's query."""

    table: str
    trigger: str
    function: QName
    kind: str = "trigger"
    on_read: bool = False
    """Whether reading the table is enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallsOut:
    """A trigger or an expression that makes something leave the database; `function` is the one that does."""

    table: str
    trigger: str
    function: QName
    what: str
    at_commit: bool
    """Whether it happens at COMMIT, and so never where everything is rolled back."""
    kind: str = "trigger"
    on_read: bool = False

    def __str__(self) -> str:
        return f"{self.trigger} on {self.table}: {self.function}() {self.what}"


def calls_out(firings: Iterable[Firing], code: Iterable[Code], foreign: Sequence[str]) -> Iterator[CallsOut]:
    """Those whose function, or a function that it calls, reaches beyond the database."""
    by_name: dict[str, list[Code]] = {}
    for one in code:
        by_name.setdefault(one.name.name, []).append(one)
    for firing in firings:
        first = [one for one in by_name.get(firing.function.name, ()) if one.name == firing.function]
        for one in _reached(first, by_name):
            told = _what(one, foreign)
            if told is not None:
                what, at_commit = told
                yield CallsOut(
                    table=firing.table,
                    trigger=firing.trigger,
                    function=one.name,
                    what=what,
                    at_commit=at_commit,
                    kind=firing.kind,
                    on_read=firing.on_read,
                )


def _reached(first: Sequence[Code], by_name: Mapping[str, Sequence[Code]]) -> Iterator[Code]:
    seen: set[QName] = set()
    todo = list(first)
    while todo:
        current = todo.pop()
        if current.name in seen:
            continue
        seen.add(current.name)
        yield current
        for quoted, plain in _CALL.findall(_text(current)):
            todo.extend(by_name.get(quoted.replace('""', '"') or plain.lower(), ()))


def _what(code: Code, foreign: Sequence[str]) -> tuple[str, bool] | None:
    """What a function does outside, the lasting first; None where it does nothing there."""
    if code.extension:
        told = _OF_EXTENSIONS.get(code.extension)
        return None if told is None else (told, code.extension == "pg_net")
    if code.language not in _TRUSTED:
        return f"is written in {code.language}, which can do anything", False
    text = _text(code)
    for name in foreign:
        if re.search(rf"\b{re.escape(name)}\b", text):
            return f"uses the foreign table {name}", False
    for patterns, at_commit in ((_AT_ONCE, False), (_AT_COMMIT, True)):
        for pattern, what in patterns.items():
            if re.search(pattern, text, re.IGNORECASE):
                return what, at_commit
    return None


def _text(code: Code) -> str:
    return _COMMENT.sub(lambda match: match[1] or " ", code.source)
