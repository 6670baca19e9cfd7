"""Parts of statements: literals, columns, conditions, assignments.

Strategies put the plainest choice first: Hypothesis shrinks towards it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from hypothesis import strategies as st
from psycopg import sql

from tenantproof.core.model import QName
from tenantproof.generation.vocabulary import Noun, Values, Word

T = TypeVar("T")


class Draw(Protocol):
    """What `st.composite` hands over."""

    def __call__(self, strategy: st.SearchStrategy[T], /) -> T: ...


@dataclass(frozen=True, slots=True)
class Cell:
    """A column and the expression that goes into it."""

    column: str
    expression: sql.Composable


BOUNDARIES: Mapping[str, tuple[str, ...]] = {
    "N": ("0", "1", "-1", "2147483647"),
    "S": ("", "%", "a", "x' or 'x'='x"),
    "B": ("false", "true"),
    "D": ("2026-11-01", "1970-01-01", "infinity"),
    "T": ("1 hour", "0"),
    "U": ("00000000-0000-0000-0000-000000000000",),
    "J": ("{}", "null"),
}
"""By pg_type.typcategory; U is uuid alone, J json."""


def pick(draw: Draw, options: Sequence[T]) -> T:
    """One of the options, the first being the plainest.  There must be one."""
    return options[0] if len(options) == 1 else draw(st.sampled_from(options))


def chance(draw: Draw, one_in: int) -> bool:
    """True once in so many draws, and false when shrunk."""
    return draw(st.integers(0, one_in - 1)) == one_in - 1


def some(draw: Draw, options: Sequence[T], most: int) -> list[T]:
    """One to *most* different ones, in their order."""
    count = draw(st.integers(1, min(most, len(options))))
    first = draw(st.integers(0, len(options) - 1))
    places = sorted({(first + step * (1 + first % 3)) % len(options) for step in range(count)})
    return [options[place] for place in places]


def table(name: QName) -> sql.Identifier:
    return sql.Identifier(name.schema, name.name)


def names(words: Sequence[Word], alias: str | None = None) -> sql.Composable:
    """The columns, separated by commas."""
    return sql.SQL(", ").join(column(word, alias) for word in words)


def column(word: Word, alias: str | None = None) -> sql.Identifier:
    return sql.Identifier(alias, word.name) if alias else sql.Identifier(word.name)


def literal(value: str | None, spelled: str) -> sql.Composable:
    """A typed literal."""
    if value is None:
        return sql.SQL("NULL::{}").format(sql.SQL(spelled))
    return sql.SQL("{}::{}").format(sql.Literal(value), sql.SQL(spelled))


def value(draw: Draw, values: Values, category: str, labels: Sequence[str] = ()) -> str | None:
    """A value that is one's own, somebody else's, on the boundary, or NULL."""
    kinds = [kind for kind in (values.own, values.others, values.others) if kind]
    rest: tuple[str | None, ...] = (*labels, *BOUNDARIES.get(category, ()), None)
    return pick(draw, pick(draw, [*kinds, rest]))


def of_somebody_else(draw: Draw, word: Word) -> sql.Composable | None:
    """A value that stands in a row of others, or None where there is none to be had."""
    others = word.values.others
    return literal(pick(draw, others), word.type) if others else None


def condition(draw: Draw, words: Sequence[Word], alias: str | None = None) -> sql.Composable:
    """A condition on one or two of the columns."""
    first = _comparison(draw, pick(draw, words), alias)
    if not chance(draw, 6):
        return first
    second = _comparison(draw, pick(draw, words), alias)
    return sql.SQL(pick(draw, ["{} AND {}", "({} OR {})"])).format(first, second)


def _comparison(draw: Draw, word: Word, alias: str | None) -> sql.Composable:
    name = column(word, alias)
    form = draw(st.integers(0, 9))
    if not is_comparable(word) and form not in (5, 7):
        return sql.SQL("{} IS NULL").format(name)
    if form <= 4:
        chosen = value(draw, word.values, word.category, word.labels)
        if chosen is None:
            return sql.SQL("{} IS NULL").format(name)
        return sql.SQL("{} = {}").format(name, literal(chosen, word.type))
    if form == 5:
        return sql.SQL("{} IS NOT NULL").format(name)
    if form == 6:
        chosen = value(draw, word.values, word.category, word.labels)
        return sql.SQL("{} IS DISTINCT FROM {}").format(name, literal(chosen, word.type))
    if form == 7:
        texts = word.values.others or word.values.own or ("",)
        return sql.SQL("{}::text LIKE {}").format(name, sql.Literal(f"%{pick(draw, texts)[:6]}%"))
    if form == 8 and word.category in tuple("NDST"):
        chosen = value(draw, word.values, word.category, word.labels)
        return sql.SQL("{} > {}").format(name, literal(chosen, word.type))
    listed = [value(draw, word.values, word.category, word.labels) for _ in range(2)]
    return sql.SQL("{} IN ({})").format(name, sql.SQL(", ").join(literal(item, word.type) for item in listed))


def where(draw: Draw, words: Sequence[Word], alias: str | None = None) -> sql.Composable:
    """Nothing, or WHERE and a condition."""
    if not words or not chance(draw, 2):
        return sql.SQL("")
    return sql.SQL(" WHERE {}").format(condition(draw, words, alias))


def is_comparable(word: Word) -> bool:
    """Whether the type has an order and an equality (json, xml, point and the like have none)."""
    return word.category in tuple("NSBDTE") or word.type in ("uuid", "jsonb", "bytea", "inet")


def comparable(words: Sequence[Word]) -> list[Word]:
    """Columns whose type has an order and an equality."""
    return [word for word in words if is_comparable(word)]


def cells_of(noun: Noun, draft: Mapping[str, str | None]) -> list[Cell]:
    """The draft's values for the columns that may be given."""
    words = {word.name: word for word in noun.insertable}
    return [
        Cell(name, literal(draft[name], words[name].type) if draft[name] is not None else sql.SQL("NULL"))
        for name in sorted(draft)
        if name in words
    ]
