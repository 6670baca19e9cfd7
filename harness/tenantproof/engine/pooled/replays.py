"""The statements of two users on one connection: as evidence, and as a psql script that shows the same."""

from __future__ import annotations

from collections.abc import Iterator

from psycopg import sql

from tenantproof.core.attempt import Form
from tenantproof.core.model import PoolKind
from tenantproof.engine.pooled.judging import Gain, Verdicts
from tenantproof.engine.pooled.looking import LOOK
from tenantproof.engine.pooled.passing import Leaving
from tenantproof.engine.replay import counted_over, seen_among
from tenantproof.engine.scripts import RUN_IT

_SHOWN = 5
_PLAN = "tenantproof_plan"
_KEPT = "discard all"

_ROOM = "create temporary table tenantproof_room ();"
"""The first temporary table changes the search path, and every plan is made anew; so it comes before the plan."""


def interleaving(one: Verdicts) -> str:
    """Who sent what, in order, up to what was read."""
    lines: list[str] = []
    last = ""
    for who, statement in _until_seen(one):
        if who != last:
            lines.append(f"-- {who}" + (", on the same server connection" if last else ""))
            last = who
        lines.append(f"{_read(one) if statement == LOOK else statement};")
    return "\n".join(lines)


def _until_seen(one: Verdicts) -> list[tuple[str, str]]:
    """The tape up to the last look of the user who saw it."""
    tape = one.passed.tape.lines
    looks = [index for index, line in enumerate(tape) if line == (one.passed.second.name, LOOK)]
    if not looks:
        return list(tape)
    # Between two transactions of the first the second looks once, and the first a second time.
    return tape[: looks[-1] + 1]


def _read(one: Verdicts) -> str:
    if one.gains:
        return one.gains[0].cell.outcomes[0].attempt.sql
    if one.leftover is not None:
        return _LOOKING[one.leftover.kind].format(sql.Identifier(one.leftover.name).as_string(None))
    return "select 1"


_LOOKING = {
    "temp": "select * from pg_temp.{}",
    "cursor": "fetch all from {}",
    "prepared": "execute {}",
    "lock": "select classid, objid, objsubid from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()",
    "listen": "select pg_listening_channels()",
}


def script(login: str, one: Verdicts) -> str:
    """The psql script; what the application's pool does in between stands there, too."""
    passed = one.passed
    fresh = passed.first.name == passed.second.name
    users = passed.second.name if fresh else f"first {passed.first.name}, then {passed.second.name}"
    become = f"set session authorization {sql.Identifier(login).as_string(None)};"
    head = [
        f"-- One server connection, as {passed.pool.words} hands it out: {users}.",
        RUN_IT,
        become,
        *([_ROOM] if passed.leaving is Leaving.PLAN else []),
    ]
    return "\n".join([*head, *_body(one, become), "rollback;", f"{_KEPT};", ""])


def _body(one: Verdicts, become: str) -> Iterator[str]:
    lines = _until_seen(one)
    last = ""
    for index, (who, statement) in enumerate(lines):
        if who != last:
            if last and one.passed.pool.kind is PoolKind.PGBOUNCER_SESSION:
                yield from ("-- PgBouncer's server_reset_query", f"{_KEPT};", become)
            yield f"-- {who}"
            last = who
        if statement != LOOK:
            yield f"{statement};"
            yield from ([become] if statement.lower().startswith("discard all") else [])
        elif index < len(lines) - 1:
            yield from _looked(one)
        else:
            yield from _shown(one)


def _looked(one: Verdicts) -> Iterator[str]:
    """The first user's reading."""
    if not one.gains:
        return
    query = _read(one)
    if one.passed.leaving is Leaving.PLAN:
        yield from (f"prepare {_PLAN} as {query};", f"execute {_PLAN};")
    else:
        yield f"{query};"


def _shown(one: Verdicts) -> Iterator[str]:
    """What the last one sees: LEAK for each row that is not theirs."""
    if not one.gains:
        yield f"{_read(one)};"
        yield from _left(one)
        return
    gain = one.gains[0]
    query = _read(one)
    if one.passed.leaving is Leaving.PLAN:
        yield f"create temporary table tenantproof_seen on commit drop as execute {_PLAN};"
        query = "select * from tenantproof_seen"
    yield "-- rows that are not theirs"
    yield _verdict(gain, query)


def _verdict(gain: Gain, query: str) -> str:
    cell = gain.cell
    if cell.outcomes[0].attempt.form is Form.COUNTED:
        return counted_over(query, 0)
    width = len(gain.rows[0])
    columns = cell.stand.key_columns if cell.object.primary_key and len(cell.stand.key_columns) == width else ()
    names = columns or tuple(f"c{number + 1}" for number in range(width))
    forbidden = [row for row in gain.rows if _is_forbidden(gain, row)] or list(gain.rows)
    return seen_among(query, names, forbidden[:_SHOWN])


def _is_forbidden(gain: Gain, row: tuple[str | None, ...]) -> bool:
    return any(violation.row.key == row for violation in gain.judgement.violations)


def _left(one: Verdicts) -> Iterator[str]:
    if one.leftover is None:
        return
    literal = sql.Literal(one.leftover.name).as_string(None)
    yield _LEFT[one.leftover.kind].format(literal)


_LEFT = {
    "temp": "select 'LEAK' as verdict, relname from pg_class\n"
    " where relnamespace = pg_my_temp_schema() and relname = {};",
    "cursor": "select 'LEAK' as verdict, name from pg_cursors where name = {};",
    "prepared": "select 'LEAK' as verdict, name from pg_prepared_statements where name = {};",
    "lock": "select 'LEAK' as verdict, {} as lock from pg_locks\n"
    " where locktype = 'advisory' and pid = pg_backend_pid() limit 1;",
    "listen": "select 'LEAK' as verdict, c from pg_listening_channels() as c where c = {};",
}
