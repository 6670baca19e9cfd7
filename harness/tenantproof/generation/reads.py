"""Statements that read: projections, filters, joins, aggregates, windows, set operations, sub-selects, row locks."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st
from psycopg import sql

from tenantproof.core.finding import Reach
from tenantproof.core.program import Line
from tenantproof.generation.phrases import (
    Draw,
    chance,
    column,
    comparable,
    condition,
    literal,
    names,
    pick,
    some,
    table,
    where,
)
from tenantproof.generation.vocabulary import Noun, Vocabulary, Word

Reading = Callable[[Draw, Vocabulary, Noun], Line]


def everything(noun: Noun) -> Line:
    """SELECT every row with every column that may be read."""
    return _line(sql.SQL("SELECT {} FROM {}").format(names(noun.readable), table(noun.name)), "select", noun, Reach.API)


def unlimited(draw: Draw, noun: Noun) -> Line:
    """SELECT some or all columns of all rows: what a LIMIT leaves depends on ids that a write may draw at random."""
    words = noun.readable if chance(draw, 2) else some(draw, noun.readable, 4)
    body = sql.SQL("SELECT {} FROM {}").format(names(words), table(noun.name)) + where(draw, noun.readable)
    return _line(body, "select", noun, Reach.API)


def plain(draw: Draw, _vocabulary: Vocabulary, noun: Noun) -> Line:
    """SELECT some or all columns, with a filter, with a total order and a limit."""
    words = noun.readable if chance(draw, 2) else some(draw, noun.readable, 4)
    body = sql.SQL("SELECT {} FROM {}").format(names(words), table(noun.name)) + where(draw, noun.readable)
    ordered = comparable(words)
    if len(ordered) == len(words) and chance(draw, 4):
        direction = pick(draw, ["ASC", "DESC"])
        order = sql.SQL(", ").join(sql.SQL("{} " + direction).format(column(word)) for word in ordered)
        body += sql.SQL(" ORDER BY {} LIMIT {} OFFSET {}").format(
            order, sql.Literal(draw(st.integers(1, 5))), sql.Literal(draw(st.integers(0, 3)))
        )
    return _line(body, "select", noun, Reach.API)


def aggregate(draw: Draw, _vocabulary: Vocabulary, noun: Noun) -> Line:
    """count, min, max, sum, with or without GROUP BY."""
    counted: list[sql.Composable] = [sql.SQL("count(*)")]
    ordered = comparable(noun.readable)
    sizes = [word for word in ordered if word.category in tuple("NSDT")]
    for word in some(draw, sizes, 2) if sizes else ():
        counted.append(sql.SQL("min({0}), max({0})").format(column(word)))
    what = sql.SQL(", ").join(counted)
    body = sql.SQL("SELECT {} FROM {}").format(what, table(noun.name)) + where(draw, noun.readable)
    if ordered and chance(draw, 3):
        grouped = column(pick(draw, ordered))
        body = sql.SQL("SELECT {0}, count(*) FROM {1} GROUP BY {0}").format(grouped, table(noun.name))
        return _line(body, "group", noun, Reach.SQL)
    return _line(body, "aggregate", noun, Reach.API if len(counted) == 1 else Reach.SQL)


def window(draw: Draw, _vocabulary: Vocabulary, noun: Noun) -> Line:
    """A window function over a total order."""
    words = comparable(noun.readable) or list(noun.readable)
    function = pick(draw, ["row_number()", "rank()", "count(*)", "ntile(2)"])
    body = sql.SQL("SELECT {}, {} OVER (ORDER BY {}) FROM {}").format(
        names(words[:3]), sql.SQL(function), names(words), table(noun.name)
    )
    return _line(body, "window", noun, Reach.SQL)


def join(draw: Draw, vocabulary: Vocabulary, noun: Noun) -> Line:
    """A join along a foreign key, inner or left, either way round."""
    readable = {word.name for word in noun.readable}
    links = [link for link in noun.links if vocabulary.noun(link.parent) and set(link.columns) <= readable]
    if not links:
        return plain(draw, vocabulary, noun)
    link = pick(draw, links)
    parent = vocabulary.noun(link.parent)
    assert parent is not None
    if not set(link.parent_columns) <= {word.name for word in parent.readable}:
        return plain(draw, vocabulary, noun)
    on = sql.SQL(" AND ").join(
        sql.SQL("{} = {}").format(sql.Identifier("a", own), sql.Identifier("b", theirs))
        for own, theirs in zip(link.columns, link.parent_columns, strict=True)
    )
    body = sql.SQL("SELECT {}, {} FROM {} AS a {} {} AS b ON {}").format(
        names(some(draw, noun.readable, 3), "a"),
        names(some(draw, parent.readable, 3), "b"),
        table(noun.name),
        sql.SQL(pick(draw, ["JOIN", "LEFT JOIN", "RIGHT JOIN"])),
        table(parent.name),
        on,
    ) + where(draw, noun.readable, "a")
    return _line(body, "join", noun, Reach.SQL, parent)


def set_operation(draw: Draw, _vocabulary: Vocabulary, noun: Noun) -> Line:
    """UNION, EXCEPT or INTERSECT of two filters."""
    words = comparable(noun.readable)[:4]
    if not words:
        return plain(draw, _vocabulary, noun)
    select = sql.SQL("SELECT {} FROM {}").format(names(words), table(noun.name))
    operator = sql.SQL(pick(draw, [" UNION ", " EXCEPT ", " INTERSECT "]))
    body = select + where(draw, noun.readable) + operator + select + where(draw, noun.readable)
    return _line(body, "set operation", noun, Reach.SQL)


def sub_select(draw: Draw, vocabulary: Vocabulary, noun: Noun) -> Line:
    """EXISTS over another relation, joined by nothing or by a column of the same type."""
    others = [other for other in vocabulary.nouns if other.readable]
    other = pick(draw, others) if others else noun
    pairs = [(a, b) for a in noun.readable for b in other.readable if a.type == b.type and a.keyed and b.keyed]
    inner: sql.Composable = sql.SQL("SELECT FROM {} AS b").format(table(other.name))
    if pairs:
        mine, theirs = pick(draw, pairs)
        inner += sql.SQL(" WHERE {} = {}").format(column(theirs, "b"), column(mine, "a"))
    elif other.readable:
        inner += sql.SQL(" WHERE {}").format(condition(draw, other.readable, "b"))
    test = sql.SQL(pick(draw, ["EXISTS", "NOT EXISTS"]))
    body = sql.SQL("SELECT {} FROM {} AS a WHERE {} ({})").format(
        names(some(draw, noun.readable, 3), "a"), table(noun.name), test, inner
    )
    return _line(body, "sub-select", noun, Reach.SQL, other)


def lock(draw: Draw, _vocabulary: Vocabulary, noun: Noun) -> Line:
    """SELECT … FOR UPDATE asks the UPDATE policies too."""
    strength = sql.SQL(pick(draw, ["UPDATE", "SHARE", "NO KEY UPDATE", "KEY SHARE"]))
    words: list[Word] = some(draw, noun.readable, 3)
    body = sql.SQL("SELECT {} FROM {} FOR {}").format(names(words), table(noun.name), strength)
    return _line(body, "lock", noun, Reach.SQL)


def probe(draw: Draw, _vocabulary: Vocabulary, noun: Noun) -> Line:
    """A condition that fails on some values, and whose error quotes them.

    A view without security_barrier, or a function in its place, evaluates it before its own filter (PostgreSQL docs:
    "Rules and Privileges").
    """
    word = pick(draw, noun.readable)
    if word.category == "N" and word.type != "money" and word.values.others:
        test = sql.SQL("1 / ({} - {}) IS NOT NULL").format(
            column(word), literal(pick(draw, word.values.others), word.type)
        )
    else:
        test = sql.SQL("({}::text)::pg_catalog.int4 IS NOT NULL").format(column(word))
    body = sql.SQL("SELECT count(*) FROM {} WHERE {}").format(table(noun.name), test)
    return _line(body, "probe", noun, Reach.SQL)


def _line(body: sql.Composable, shape: str, noun: Noun, reach: Reach, *beside: Noun) -> Line:
    """One statement about the noun that names others *beside* it."""
    relations = (noun.name, *(other.name for other in beside))
    return Line(sql=body.as_string(None), shape=shape, subject=noun.name, relations=relations, reach=reach)


API_READS: tuple[Reading, ...] = (plain, plain, aggregate)
SQL_READS: tuple[Reading, ...] = (plain, plain, aggregate, join, sub_select, window, set_operation, lock, probe)
