"""
What the rows of one tenant differ in, so that a policy that lets some kinds of rows through meets such a row.

Columns with few values take each of them, numbers are zero and positive, nullable columns are empty and filled.
The first row of a tenant is the plain one, as a row is when it is new and in use.  Rows, tables and columns that say
who may do what (memberships, users, flags such as `is_admin`) are left alone: they would change what is right.
"""

from __future__ import annotations

import enum
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence

from tenantproof.core.catalog import Column
from tenantproof.seeding.checks import Hints
from tenantproof.seeding.meaning import is_absent, is_on, is_person
from tenantproof.seeding.plan import TablePlan
from tenantproof.seeding.samples import constant_default
from tenantproof.seeding.store import SeedRow, Values

MOST_ROWS = 6
"""Rows per tenant that variety may ask for."""

_MOST_VARIANTS = 24
_PRIVILEGE = re.compile(r"(^|_)(super_?(admin|user)|admin|staff|root|moderator|internal|employee|impersonat\w*)(_|$)")


class Kind(enum.Enum):
    """A value that only the row's maker knows."""

    PLAIN = "as the column's default or name says"
    FILLED = "not NULL"
    MADE = "not NULL and not the default"


Option = str | None | Kind
Mix = dict[str, Option]
"""What one row has in the columns that vary."""


def mixes(table: TablePlan, pinned: frozenset[str]) -> tuple[Mix, ...]:
    """The mixes that a tenant's rows take in turn, the plain one first; one empty mix where nothing varies."""
    if not table.varies:
        return ({},)
    domains = {
        column.name: options
        for column in table.relation.columns
        if column.name not in pinned and len(options := options_of(column, table)) > 1
    }
    count = max((min(len(options), MOST_ROWS) for options in domains.values()), default=1)
    return _spread(domains, count)


def options_of(column: Column, table: TablePlan) -> tuple[Option, ...]:
    """What a column may take, the plain value first."""
    hints, where = table.rules.of(column.name), table.varied.get(column.name)
    if column.generated or column.identity or hints.always_null or _PRIVILEGE.search(column.name):
        return ()
    few = () if column.name in table.unique_columns else _few_values(column, hints, where)
    if where is not None and not few:
        return ()
    options: list[Option] = [*few]
    if not few and column.category == "N" and column.name not in table.unique_columns:
        options = list(_numbers(column, hints))
    if not column.not_null:
        empty = is_absent(column.name) and not hints.choices
        options = [None, *(options or [Kind.FILLED])] if empty else _second(options or [Kind.FILLED], None)
    return tuple(options)


def pinned_columns(
    table: TablePlan, templates: Mapping[str, str | None], tenant_columns: frozenset[str]
) -> frozenset[str]:
    """Columns that say whose a row is, that tie it to other rows, or that somebody else decides."""
    keys = {column for key in table.foreign_keys for column in key.columns}
    groups = {column for group in table.rules.alternatives for column in group}
    people = {c.name for c in table.relation.columns if is_person(c.name) and c.category not in "BDN"}
    routing = set(re.findall(r"\w+", table.relation.partition_key.partition("(")[2]))
    whole = keys | groups | people | routing | set(templates) | set(table.relation.primary_key)
    return frozenset(whole) | table.locating | table.referenced | tenant_columns


def variants(row: SeedRow, names: frozenset[str]) -> Iterator[Values]:
    """Changes to try on a row that was refused for these columns: a NULL filled or a value emptied, then plain."""
    concerned = [name for name in row.plain if name in names]
    options = [_others(row, name) for name in concerned]
    for chosen in itertools.islice(itertools.product(*options), 1, _MOST_VARIANTS):
        yield dict(zip(concerned, chosen, strict=True))
    yield dict(row.plain)


def like(pattern: SeedRow, row: SeedRow) -> Values:
    """The values that give *row* the mix of another row of its table."""
    found: Values = {}
    for name in row.plain.keys() & pattern.plain.keys():
        value = pattern.values.get(name)
        if value is not None and value == pattern.filled.get(name):
            found[name] = row.filled.get(name)
        elif value is not None and value == pattern.plain[name]:
            found[name] = row.plain[name]
        else:
            found[name] = value
    return found


def _others(row: SeedRow, name: str) -> list[str | None]:
    now = row.values[name]
    found = [now, row.plain[name]]
    if name in row.filled:
        found.insert(1, row.filled[name] if now is None else None)
    return list(dict.fromkeys(found))


def _few_values(column: Column, hints: Hints, where: tuple[str, ...] | None) -> tuple[str, ...]:
    """The values of a column that has only a few: what a `where:` asks for first, else the default."""
    listed = hints.choices or column.enum_values
    plain = constant_default(column)
    if not listed and column.category == "B":
        plain = plain or ("true" if is_on(column.name) or where is not None else "false")
        listed = ("true", "false")
    first = (*(where or ()), *([plain] if plain is not None else []))
    known = [value for value in listed if value not in hints.excluded]
    return tuple(dict.fromkeys([*(value for value in first if value in known), *known]))


def _numbers(column: Column, hints: Hints) -> Iterator[Option]:
    yield Kind.PLAIN
    default = constant_default(column)
    if default is not None:
        yield Kind.MADE
    if re.fullmatch(r"0(\.0*)?", default or "") or "0" in hints.excluded:
        return
    if (hints.low is None or hints.low <= 0) and (hints.high is None or hints.high >= 0):
        yield "0"


def _second(options: Sequence[Option], option: Option) -> list[Option]:
    return [*options[:1], option, *options[1:]]


def _spread(domains: Mapping[str, Sequence[Option]], count: int) -> tuple[Mix, ...]:
    """Each value of each column at least once, and as many pairs of values of two columns as the rows can hold."""
    rows: list[Mix] = [{name: options[0] for name, options in domains.items()}]
    while len(rows) < count:
        mix: Mix = {}
        for name, options in domains.items():
            mix[name] = max(options, key=lambda option: _news(rows, mix, name, option))
        rows.append(mix)
    return tuple(rows)


def _news(rows: Sequence[Mix], mix: Mix, name: str, option: Option) -> tuple[bool, int, int]:
    """How much a value would add: whether the column never had it, with how many neighbours it never stood, and (the
    other way round) how often it was taken."""
    with_it = [row for row in rows if row[name] == option]
    pairs = sum(all(row[other] != chosen for row in with_it) for other, chosen in mix.items())
    return not with_it, pairs, -len(with_it)
