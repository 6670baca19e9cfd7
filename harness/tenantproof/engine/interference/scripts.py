"""psql scripts that show a violation from an empty transaction: both worlds, or what was damaged."""

from __future__ import annotations

from collections.abc import Iterable

from psycopg import sql

from tenantproof.engine.interference.catch import Catch
from tenantproof.engine.interference.scene import Scene
from tenantproof.engine.replay import becoming, ended, watched
from tenantproof.engine.scripts import RUN_IT, set_settings

_HEAD = f"""\
{RUN_IT}
\\set ON_ERROR_STOP off
begin;"""

_REMEMBER = """\
\\if :ERROR
\\set said_{world} :SQLSTATE ' ' :LAST_ERROR_MESSAGE
\\else
\\set said_{world} :ROW_COUNT
\\endif
rollback to savepoint show;
\\set rows_{world} -"""

_VERDICT = """\
select case when :'said_1' is distinct from :'said_2' or :'rows_1' is distinct from :'rows_2'
            then 'LEAK' else 'SAME' end as verdict;"""


def script(scene: Scene, catch: Catch) -> str:
    """The script of a catch, as its first witness.  Prints LEAK where it still leaks."""
    body = _damage(scene, catch) if catch.breaches else _two_worlds(scene, catch)
    told = catch.program.variation.words
    head = f"-- {catch.witnesses[0]}{', ' + told if told else ''}"
    return "\n".join([head, _HEAD, *body, "rollback;", ""])


def _two_worlds(scene: Scene, catch: Catch) -> list[str]:
    assert catch.world is not None
    acting = _becoming(scene, catch)
    return [
        *ended(scene.refresh),
        "savepoint world_1;",
        "-- world 1",
        *_perceived(acting, catch, 1),
        "rollback to savepoint world_1;",
        "-- behind their back",
        *ended(catch.world.statements),
        "-- world 2",
        *_perceived(acting, catch, 2),
        "rollback to savepoint world_1;",
        *(["-- the notices above are what differs"] if _only_notices(catch) else []),
        _VERDICT,
    ]


def _only_notices(catch: Catch) -> bool:
    first, second = catch.first[catch.at], catch.second[catch.at]
    return first.notices != second.notices and first.rows == second.rows and first.message == second.message


def _perceived(acting: Iterable[str], catch: Catch, world: int) -> list[str]:
    """The statement shown, then its rows as one number to compare."""
    before = [line.sql for line in catch.program.lines[: catch.at]]
    statement = catch.line.sql
    return [
        *acting,
        *ended(before),
        "savepoint show;",
        f"{statement};",
        _REMEMBER.format(world=world),
        *_fingerprint(catch, statement, world),
    ]


def _fingerprint(catch: Catch, statement: str, world: int) -> list[str]:
    """A digest of the rows, whatever their order; nothing for a statement that returns none."""
    writes = catch.line.writes is not None
    if writes and (" RETURNING " not in statement or statement.startswith("WITH ")):
        return []
    form = "with seen as ({}) select " if writes else "select "
    source = "seen" if writes else "({}) as seen"
    text = form + "md5(string_agg(seen::text, ',' order by seen::text)) as rows_{} from " + source + " \\gset"
    parts = [statement, str(world)] if writes else [str(world), statement]
    return [sql.SQL(text).format(*(sql.SQL(part) for part in parts)).as_string(None)]


def _damage(scene: Scene, catch: Catch) -> list[str]:
    hurt = catch.breaches[0].change.relation
    keys = [b.change.before.key for b in catch.breaches if b.change.relation == hurt and b.change.before is not None]
    watch = scene.facts.watches[hurt].query
    world = catch.world.statements if catch.world is not None else ()
    return [
        *(["-- first, by others with their own rights"] if world else []),
        *ended(world),
        *watched(watch, [*_becoming(scene, catch), *ended(line.sql for line in catch.program.lines)], keys),
    ]


def _becoming(scene: Scene, catch: Catch) -> list[str]:
    settings = catch.program.variation.settings
    return [*becoming(scene.plan, catch.witnesses[0]), *ended([set_settings(settings)] if settings else [])]
