"""What one user finds on a connection: who the session is, what it reads, and what somebody left there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from itertools import islice

import psycopg
from psycopg import sql

from tenantproof.core.attempt import Observation
from tenantproof.core.catalog import Catalog
from tenantproof.core.model import QName, Scenario
from tenantproof.targets.pooled.pools import Client
from tenantproof.targets.pooled.taping import Tape

LOOK = "-- look"
"""Stands on the tape where a user read."""

_ALWAYS = ("search_path", "row_security", "request.jwt.claims", "request.jwt.claim.sub", "request.jwt.claim.role")

_READS = re.compile(r"current_setting\s*\(\s*'([^']+)'", re.IGNORECASE)
_SET_CONFIG = re.compile(r"set_config\s*\(\s*'([^']+)'", re.IGNORECASE)
_SET = re.compile(r"\bset\s+(?:session\s+|local\s+)?\"?([A-Za-z_][\w.]*)\"?\s*(?:=|\bto\b)", re.IGNORECASE)
_NO_SETTINGS = frozenset({"role", "session_authorization", "search_path"})

OFTEN = 6
"""Times that a query is asked until drivers have prepared it, and the server has a plan for everybody."""

_SHOWN = 200
"""Rows of a leftover that are looked into."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something that lives as long as the server connection.  `text` is what could be read of it."""

    kind: str
    name: str
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One look.  `failed` says why there was none."""

    pid: int = 0
    facts: Mapping[str, str] = field(default_factory=dict)
    """Who the session is, and its settings; what is not set is ''."""
    reads: Mapping[QName, Observation] = field(default_factory=dict)
    leftovers: tuple[Leftover, ...] = ()
    bound: bool = True
    """Whether policies bind who reads."""
    failed: str = ""


@dataclass(frozen=True, slots=True)
class Gaze:
    """What is looked at: a query for each relation, and settings by name."""

    reads: Mapping[QName, str]
    settings: Sequence[str]


def settings_known(scenario: Scenario, catalog: Catalog) -> tuple[str, ...]:
    """The settings that the scenario sets or anything in the database reads."""
    texts = [function.source for function in catalog.functions]
    for relation in catalog.relations.values():
        texts.append(relation.definition)
        texts.extend(part for policy in relation.policies for part in (policy.using, policy.check) if part)
        texts.extend(column.default for column in relation.columns if column.default)
    read = (name for text in texts for name in _READS.findall(text) if "." in name)  # not the server's own settings
    return _names((*scenario.session.settings, *read, *_ALWAYS))


def settings_of(tape: Tape) -> tuple[str, ...]:
    """The settings that somebody set on a tape."""
    found = (name for _, text in tape.lines for pattern in (_SET_CONFIG, _SET) for name in pattern.findall(text))
    return _names(name for name in found if name.lower() not in _NO_SETTINGS)


def _names(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({name.lower() for name in names}))


def look(client: Client, gaze: Gaze, tape: Tape) -> Seen:
    """All that the session is and reads, in its transaction, and what is left there.

    Raises psycopg.OperationalError where the connection is gone.
    """
    client.start()
    tape.add(LOOK)
    with _untaped(client):
        return _guarded(lambda: _look(client, gaze))


def read_once(client: Client, gaze: Gaze, tape: Tape) -> Seen:
    """What the session is, and the first relation that it may read.  What is left there is not touched."""
    client.start()
    with _untaped(client):
        seen = _guarded(lambda: _read(client, gaze, 0))
        if not seen.failed:
            answered = (query for query in gaze.reads.values() if not _asked(client, query).refused)
            for query in islice(answered, 1):
                tape.add(query)
    return seen


def read_often(client: Client, gaze: Gaze, tape: Tape) -> Seen:
    """Each relation so often that drivers prepare the query.  Raises as `look`.

    Nothing is rolled back, which they take as a reason to forget what they prepared.
    """
    client.start()
    tape.add(LOOK)
    with _untaped(client):
        return _guarded(lambda: _read(client, gaze, OFTEN))


@contextmanager
def _untaped(client: Client) -> Iterator[None]:
    tape, client.raw.tape = client.raw.tape, None
    try:
        yield
    finally:
        client.raw.tape = tape


def _guarded(seen: Callable[[], Seen]) -> Seen:
    try:
        return seen()
    except psycopg.OperationalError:
        raise
    except psycopg.Error as error:
        return Seen(failed=f"{error.sqlstate or type(error).__name__} {str(error).strip().splitlines()[0]}")


def _look(client: Client, gaze: Gaze) -> Seen:
    facts, pid = _facts(client, gaze.settings)
    client.run("savepoint tenantproof")
    left = tuple(_leftovers(client))
    reads = {name: _asked(client, query) for name, query in gaze.reads.items()}
    return Seen(pid=pid, facts=facts, reads=reads, leftovers=left, bound=_bound(client, reads))


def _read(client: Client, gaze: Gaze, times: int) -> Seen:
    facts, pid = _facts(client, gaze.settings)
    client.run("savepoint tenantproof")
    reads: dict[QName, Observation] = {}
    for name, query in gaze.reads.items():
        for _ in range(times):
            reads[name] = _asked(client, query)
    return Seen(pid=pid, facts=facts, reads=reads)


def _facts(client: Client, names: Sequence[str]) -> tuple[dict[str, str], int]:
    shown = sql.SQL(", ").join(
        sql.SQL("coalesce(pg_catalog.current_setting({}, true), '')").format(sql.Literal(name)) for name in names
    )
    query = sql.SQL("select pg_catalog.pg_backend_pid(), current_user::text, session_user::text, {}").format(shown)
    ((pid, current, login, *values),) = client.run(query.as_string(None))
    return {"role": str(current), "login": str(login), **dict(zip(names, map(str, values), strict=True))}, int(pid)


def _asked(client: Client, query: str) -> Observation:
    """The answer, or the refusal; the transaction goes on."""
    try:
        rows = client.run(query)
    except psycopg.OperationalError:
        raise
    except psycopg.Error as error:
        client.run("rollback to savepoint tenantproof")
        return Observation(sqlstate=error.sqlstate or "XX000", message=error.diag.message_primary or "")
    texts = tuple(tuple(None if value is None else str(value) for value in row) for row in rows)
    return Observation(rows=texts, count=len(texts))


def _bound(client: Client, reads: Mapping[QName, Observation]) -> bool:
    """False where the reader has rows of tables, and row_security = off changes nothing for any of them."""
    having = [name for name, said in reads.items() if said.rows]
    if not having:
        return True
    client.run("set local row_security = off")
    answers = [
        _asked_bare(client, sql.SQL("select 1 from {} limit 0").format(sql.Identifier(*name)).as_string(None))
        for name in having
    ]
    client.run("rollback to savepoint tenantproof")
    return any(answers)


def _asked_bare(client: Client, query: str) -> bool:
    """Whether it is refused because a policy would have had its say."""
    refused = _asked(client, query).denied
    if refused:
        client.run("set local row_security = off")
    return refused


@cache
def _listing() -> str:
    return (files(__package__) / "leftovers.sql").read_text("utf-8")


def _leftovers(client: Client) -> Iterator[Leftover]:
    for kind, name, query in client.run(_listing()):
        if not query:
            yield Leftover(str(kind), str(name))
            continue
        said = _asked(client, str(query))
        client.run("rollback to savepoint tenantproof")
        text = said.message if said.refused else "\n".join(str(row) for row in said.rows[:_SHOWN])
        yield Leftover(str(kind), str(name), "" if said.refused else text)
