"""Statements that write: INSERT in its forms, UPDATE, DELETE, upsert, MERGE, and writes inside a CTE."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from hypothesis import strategies as st
from psycopg import sql

from tenantproof.core.finding import Reach
from tenantproof.core.model import Command
from tenantproof.core.program import Line
from tenantproof.generation.phrases import (
    Cell,
    Draw,
    cells_of,
    chance,
    column,
    condition,
    literal,
    names,
    of_somebody_else,
    pick,
    some,
    table,
    value,
)
from tenantproof.generation.vocabulary import Noun, Vocabulary, Word

Writing = Callable[[Draw, Vocabulary, Noun], Line]


def insert(draw: Draw, _vocabulary: Vocabulary, noun: Noun) -> Line:
    """INSERT a valid row of one's own, mostly with a value of somebody else; ON CONFLICT, RETURNING, two rows."""
    cells, many = _row(draw, noun), False
    body = insert_into(noun, cells)
    if noun.drafts and cells and chance(draw, 12):
        again = {cell.column: cell.expression for cell in _row(draw, noun)}
        body += sql.SQL(", ({})").format(sql.SQL(", ").join(again.get(cell.column, cell.expression) for cell in cells))
        many = True
    body += _on_conflict(draw, noun, cells)
    body += _returning(draw, noun)
    return written(body, "insert rows" if many else "insert", noun, Command.INSERT)


def insert_select(draw: Draw, _vocabulary: Vocabulary, noun: Noun) -> Line:
    """INSERT a copy of what one can read."""
    words = [word for word in noun.insertable if word in noun.readable and word not in noun.key]
    if not words:
        return insert(draw, _vocabulary, noun)
    body = sql.SQL("INSERT INTO {0} ({1}) SELECT {1} FROM {0}").format(table(noun.name), names(words))
    return written(body, "insert select", noun, Command.INSERT, reach=Reach.SQL)


def update(draw: Draw, _vocabulary: Vocabulary, noun: Noun) -> Line:
    """UPDATE one or two columns, blind or filtered."""
    cells = _changes(draw, noun)
    if not cells:
        return delete(draw, _vocabulary, noun)
    body = sql.SQL("UPDATE {} SET {}").format(table(noun.name), assignments(cells))
    filtered = _filter(draw, noun)
    body += filtered + _returning(draw, noun)
    return written(body, "update", noun, Command.UPDATE, reach=_reach(filtered))


def delete(draw: Draw, _vocabulary: Vocabulary, noun: Noun) -> Line:
    """DELETE, blind or filtered."""
    filtered = _filter(draw, noun)
    body = sql.SQL("DELETE FROM {}").format(table(noun.name)) + filtered + _returning(draw, noun)
    return written(body, "delete", noun, Command.DELETE, reach=_reach(filtered))


def merge(draw: Draw, _vocabulary: Vocabulary, noun: Noun) -> Line:
    """MERGE with both branches, by a key value that may be somebody else's."""
    if not noun.key or len(noun.key) != 1:
        return update(draw, _vocabulary, noun)
    key, cells = noun.key[0], _row(draw, noun)
    changes = _changes(draw, noun)
    chosen = value(draw, key.values, key.category)
    matched: sql.Composable = sql.SQL("DELETE")
    if changes and not chance(draw, 3):
        matched = sql.SQL("UPDATE SET {}").format(assignments(changes))
    inserted = sql.SQL("INSERT ") + _given(cells) if cells else sql.SQL("DO NOTHING")
    body = sql.SQL(
        "MERGE INTO {} AS a USING (VALUES ({})) AS b (k) ON {} = b.k WHEN MATCHED THEN {} WHEN NOT MATCHED THEN {}"
    ).format(table(noun.name), literal(chosen, key.type), column(key, "a"), matched, inserted)
    return written(body, "merge", noun, Command.UPDATE, reach=Reach.SQL)


def write_in_cte(draw: Draw, vocabulary: Vocabulary, noun: Noun) -> Line:
    """A write inside WITH, whose rows are read outside."""
    line = pick(draw, [update, delete, insert])(draw, vocabulary, noun)
    if " RETURNING " not in line.sql or line.writes is None:
        return line
    body = sql.SQL("WITH w AS ({}) SELECT * FROM w").format(sql.SQL(line.sql))
    return written(body, "write in cte", noun, line.writes[1], reach=Reach.SQL)


def _row(draw: Draw, noun: Noun) -> list[Cell]:
    """A row of one's own (made up where there is no draft), with a value or two replaced; or a row of others."""
    cells = cells_of(noun, pick(draw, noun.drafts)) if noun.drafts else _made_up(draw, noun)
    form = draw(st.integers(0, 5))
    if form == 0:
        return cells
    if form == 1 and noun.alien:
        return cells_of(noun, pick(draw, noun.alien))
    if form == 2 and noun.copies:
        copied = pick(draw, noun.copies)
        words = [word for word in noun.insertable if word.name in copied]
        kept = [cell for cell in cells if cell.column not in copied]
        return [*kept, *(Cell(word.name, literal(copied[word.name], word.type)) for word in words)]
    telling = [word for word in noun.insertable if word.keyed and word.values.others]
    words = telling if telling and not chance(draw, 3) else list(noun.insertable)
    for word in some(draw, words, 2) if words else ():
        cells = _replaced(draw, cells, word)
    return cells


def _replaced(draw: Draw, cells: Sequence[Cell], word: Word) -> list[Cell]:
    others = of_somebody_else(draw, word)
    form = draw(st.integers(0, 5))
    rest = [cell for cell in cells if cell.column != word.name]
    if others is not None and form <= 3:
        return [*rest, Cell(word.name, others)]
    if form == 4:
        return [*rest, Cell(word.name, sql.SQL("DEFAULT"))]
    return [*rest, Cell(word.name, literal(value(draw, word.values, word.category, word.labels), word.type))]


def _made_up(draw: Draw, noun: Noun) -> list[Cell]:
    return [
        Cell(word.name, literal(value(draw, word.values, word.category, word.labels), word.type))
        for word in noun.insertable
        if word.not_null or word.keyed
    ]


def insert_into(noun: Noun, cells: Sequence[Cell]) -> sql.Composable:
    """INSERT one row with these values, or of defaults alone."""
    if not cells:
        return sql.SQL("INSERT INTO {} DEFAULT VALUES").format(table(noun.name))
    return sql.SQL("INSERT INTO {} {}").format(table(noun.name), _given(cells))


def _given(cells: Sequence[Cell]) -> sql.Composable:
    """(columns) VALUES (values)."""
    listed = sql.SQL(", ").join(sql.Identifier(cell.column) for cell in cells)
    values = sql.SQL(", ").join(cell.expression for cell in cells)
    return sql.SQL("({}) VALUES ({})").format(listed, values)


def _on_conflict(draw: Draw, noun: Noun, cells: Sequence[Cell]) -> sql.Composable:
    form = draw(st.integers(0, 5))
    if form < 4 or noun.view:
        return sql.SQL("")
    if form == 4 or not noun.uniques:
        return sql.SQL(" ON CONFLICT DO NOTHING")
    target = pick(draw, noun.uniques)
    listed = sql.SQL(", ").join(map(sql.Identifier, target))
    given = {cell.column for cell in cells}
    words = [word for word in noun.updatable if word.name in given and word.name not in target]
    if not words:
        return sql.SQL(" ON CONFLICT ({}) DO NOTHING").format(listed)
    overwritten = sql.SQL(", ").join(
        sql.SQL("{0} = EXCLUDED.{0}").format(sql.Identifier(word.name)) for word in some(draw, words, 3)
    )
    return sql.SQL(" ON CONFLICT ({}) DO UPDATE SET {}").format(listed, overwritten)


def _returning(draw: Draw, noun: Noun) -> sql.Composable:
    if not noun.readable or not chance(draw, 3):
        return sql.SQL("")
    return sql.SQL(" RETURNING {}").format(names(noun.readable))


def _changes(draw: Draw, noun: Noun) -> list[Cell]:
    if not noun.updatable:
        return []
    taken = taking(noun)
    if taken and chance(draw, 5):
        return taken
    telling = [word for word in noun.updatable if word.keyed and word.values.others]
    if telling and chance(draw, 2):
        word = pick(draw, telling)
        return [Cell(word.name, of_somebody_else(draw, word) or sql.SQL("NULL"))]
    words = some(draw, noun.updatable, 2)
    return [Cell(word.name, _new_value(draw, word)) for word in words]


def taking(noun: Noun) -> list[Cell]:
    """What makes a row one's own: the keys to others (not the row's own) as a row of one's own has them."""
    draft: Mapping[str, str | None] = noun.drafts[0] if noun.drafts else {}
    linked = {name for link in noun.links for name in link.columns} - {word.name for word in noun.key}
    words = [word for word in noun.updatable if word.name in linked and draft.get(word.name)]
    return [Cell(word.name, literal(draft[word.name], word.type)) for word in words]


def _new_value(draw: Draw, word: Word) -> sql.Composable:
    if chance(draw, 6):
        return sql.SQL("DEFAULT")
    return literal(value(draw, word.values, word.category, word.labels), word.type)


def assignments(cells: Sequence[Cell]) -> sql.Composable:
    """column = value, separated by commas."""
    return sql.SQL(", ").join(sql.SQL("{} = {}").format(sql.Identifier(cell.column), cell.expression) for cell in cells)


def _filter(draw: Draw, noun: Noun) -> sql.Composable:
    """Blind, or by one's own key, or by anything."""
    form = draw(st.integers(0, 3))
    if form == 0 or not noun.readable:
        return sql.SQL("")
    if form <= 2 and noun.key:
        key = pick(draw, noun.key)
        values = key.values.own if form == 1 or not key.values.others else key.values.others
        if values:
            return sql.SQL(" WHERE {} = {}").format(column(key), literal(pick(draw, values), key.type))
    return sql.SQL(" WHERE {}").format(condition(draw, noun.readable))


def _reach(filtered: sql.Composable) -> Reach:
    """Hosted Supabase refuses writes without a WHERE over the API (safeupdate)."""
    return Reach.API if filtered.as_string(None) else Reach.SQL


def written(body: sql.Composable, shape: str, noun: Noun, command: Command, *, reach: Reach = Reach.API) -> Line:
    """One statement that writes to the noun."""
    return Line(
        sql=body.as_string(None),
        shape=shape,
        subject=noun.name,
        relations=(noun.name,),
        writes=(noun.name, command),
        reach=reach,
    )


def api_writes(noun: Noun) -> list[Writing]:
    """The writes that PostgREST can express and the role may try."""
    found: list[Writing] = []
    if noun.insertable:
        found += [insert] * 3
    if noun.updatable:
        found += [update] * 3
    if noun.deletable:
        found += [delete]
    return found


def sql_writes(noun: Noun) -> list[Writing]:
    """All writes that the role may try."""
    found = api_writes(noun)
    if noun.insertable and noun.readable:
        found += [insert_select]
    if noun.updatable and noun.insertable and noun.readable and not noun.view:
        found += [merge]
    if found and noun.readable:
        found += [write_in_cte]
    return found
