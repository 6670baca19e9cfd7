"""Who the users are: the platform's table, the application's own, and every column that holds a user's id."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from tenantproof.catalog.inference.keys import PLATFORM_SCHEMAS, Key, carriers, firm_keys, single_targets, unique_keys
from tenantproof.catalog.inference.lexicon import PEOPLE_WORDS, TENANT_WORDS, stems
from tenantproof.catalog.inference.principals import Principal
from tenantproof.catalog.inference.reading import Facts
from tenantproof.catalog.inference.vocabulary import vocabulary
from tenantproof.core.catalog import Catalog, Relation
from tenantproof.core.model import QName

AUTH_USERS = QName("auth", "users")
_IDENTIFYING = vocabulary("email mail username login phone handle")


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """`tables` maps tables with a row for each user to the column with the id; `columns` are all that hold one."""

    tables: Mapping[QName, str]
    columns: Mapping[QName, frozenset[str]]
    principals: frozenset[Principal] = frozenset()
    """What holds the caller's user id."""

    def asked(self, principals: Iterable[Principal]) -> bool:
        """Whether one of these is the caller's user id."""
        return not self.principals.isdisjoint(principals)

    def among(self, relation: Relation) -> tuple[str, ...]:
        """The columns of a relation that hold a user's id, in the table's order."""
        held = self.columns.get(relation.name, frozenset())
        return tuple(column.name for column in relation.columns if column.name in held)


def find_people(catalog: Catalog, facts: Facts, principals: frozenset[Principal]) -> People:
    """The users' tables and columns of a database; *principals* are what holds the caller's user id."""
    origins: set[Key] = {(AUTH_USERS, "id")} if AUTH_USERS in catalog.relations else set()
    held = carriers(catalog, origins)
    origins |= set(_own_tables(catalog, facts, held, principals))
    columns = carriers(catalog, origins)
    tables = dict(origins)
    for name, relation in catalog.relations.items():
        key = relation.primary_key
        if len(key) == 1 and key[0] in columns.get(name, ()) and name.schema not in PLATFORM_SCHEMAS:
            tables[name] = key[0]
    return People(tables=tables, columns=columns, principals=principals)


def _own_tables(
    catalog: Catalog, facts: Facts, held: Mapping[QName, frozenset[str]], principals: frozenset[Principal]
) -> Iterator[Key]:
    """Tables of users that the application keeps by itself."""
    referred = {
        key.references for r in catalog.relations.values() for key in r.foreign_keys if key.references != r.name
    }
    linked = sum(1 for name in held if name.schema not in PLATFORM_SCHEMAS)
    for name, relation in catalog.relations.items():
        key = relation.primary_key
        if len(key) != 1 or name.schema in PLATFORM_SCHEMAS or key[0] in held.get(name, ()) or not relation.is_table:
            continue
        called = stems(name.name)[-1:]
        asked = not principals.isdisjoint(facts.equal.get((name, key[0]), ()))
        if (asked and not (set(called) & TENANT_WORDS - PEOPLE_WORDS)) or (
            set(called) & PEOPLE_WORDS
            and (
                _one_each(relation, held)
                or (not linked and ((name in referred and _identifies(relation)) or _is_employed(relation)))
            )
        ):
            yield name, key[0]


def _one_each(relation: Relation, held: Mapping[QName, frozenset[str]]) -> bool:
    """Whether a unique column refers to the platform's users: one row for each, under an id of its own."""
    unique = {column for columns in unique_keys(relation) if len(columns) == 1 for column in columns}
    mine = unique & held.get(relation.name, frozenset())
    return any(target == (AUTH_USERS, "id") for column in mine for target in single_targets(relation, column))


def _is_employed(relation: Relation) -> bool:
    """Whether each row belongs to one of what tenants are called."""
    return any(
        key.references is not None and not TENANT_WORDS.isdisjoint(stems(key.references.name)[-1:])
        for key in firm_keys(relation)
    )


def _identifies(relation: Relation) -> bool:
    return any(not _IDENTIFYING.isdisjoint(stems(column)) for column in relation.column_names)
