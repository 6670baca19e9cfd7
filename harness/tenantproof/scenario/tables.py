"""`tables:` and `membership:` to values: names of tables, locators, and declarations that contradict themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from tenantproof.core.model import Locator, Membership, QName, SystemRows, Tenancy
from tenantproof.scenario import models, names, templates
from tenantproof.scenario.ledger import Ledger
from tenantproof.scenario.positions import Path, dotted, shown
from tenantproof.scenario.suggestions import suggest


@dataclass(frozen=True, slots=True, kw_only=True)
class Namer:
    """Turns the names of the file into qualified ones; `elsewhere` are known tables outside the schemas in scope."""

    ledger: Ledger
    schemas: tuple[str, ...]
    elsewhere: frozenset[QName] = frozenset()

    def anywhere(self, path: Path, text: str) -> QName | None:
        """The name, whatever its schema; complains at the value and gives None where it is no name."""
        parts = names.split(text)
        if parts is not None and len(parts) <= 2:
            return QName(parts[0], parts[1]) if len(parts) == 2 else QName(self.schemas[0], parts[0])
        hint = "write table or schema.table; a dot inside a name needs SQL quotes: '\"order.items\"'"
        self.ledger.at_key(path, "bad-name", f"{shown(text)} is no name of a table", hint)
        return None

    def in_scope(self, path: Path, text: str) -> QName | None:
        """The name of a table in the schemas in scope (or of a membership table); complains otherwise."""
        name = self.anywhere(path, text)
        if name is None or name.schema in self.schemas or name in self.elsewhere:
            return name
        message = f"{shown(text)} is in the schema {shown(name.schema)}, which database.schemas does not name"
        hint = f"{suggest(name.schema, set(self.schemas))} Or name it in database.schemas."
        self.ledger.at_key(path, "unknown-schema", message, hint)
        return None

    def all_in_scope(self, path: Path, keys: Iterable[str]) -> dict[str, QName]:
        """File key -> qualified name, without those that are wrong or name a table a second time."""
        found: dict[QName, str] = {}
        for key in keys:
            name = self.in_scope((*path, key), key)
            if name in found:
                first = found[name]
                line = self.ledger.line((*path, first))
                message = f"{shown(key)} is the same table as {shown(first)} at line {line}"
                self.ledger.at_key((*path, key), "duplicate-table", message, "keep one of the two")
            elif name is not None:
                found[name] = key
        return {key: name for name, key in found.items()}


def texts(ledger: Ledger, path: Path, values: Mapping[str, str] | None) -> dict[str, str]:
    """A mapping of scalars exactly as written, so that `0010` keeps its zeros."""
    return {key: ledger.document.text((*path, key)) for key in values or {}}


def values_of(ledger: Ledger, path: Path, given: Mapping[str, str | None] | None) -> dict[str, str | None]:
    """`values:` with its templates checked; null is NULL."""
    written = texts(ledger, path, {key: value for key, value in (given or {}).items() if value is not None})
    ledger.templates([((*path, key), text) for key, text in written.items()], templates.ROW)
    return {key: written.get(key) for key in given or {}}


def memberships(
    ledger: Ledger, namer: Namer, entries: models.Membership | list[models.Membership] | None
) -> tuple[Membership, ...]:
    """`membership:`, which is one mapping or a list of them."""
    if isinstance(entries, list):
        pairs = [(("membership", index), entry) for index, entry in enumerate(entries)]
        built = [_membership(ledger, namer, path, entry) for path, entry in pairs]
    else:
        built = [_membership(ledger, namer, ("membership",), entries)] if entries else []
    return tuple(membership for membership in built if membership)


def _membership(ledger: Ledger, namer: Namer, path: Path, entry: models.Membership) -> Membership | None:
    values = values_of(ledger, (*path, "values"), entry.values)
    for column in {entry.user, entry.tenant, entry.role or ""} & values.keys():
        message = f"the column {shown(column)} gets its value from the membership already"
        ledger.at_key((*path, "values", column), "contradiction", message, "remove it from values")
    table = namer.anywhere((*path, "table"), entry.table)
    if table is None:
        return None
    return Membership(table=table, user=entry.user, tenant=entry.tenant, role=entry.role, values=values)


def tenancies(
    ledger: Ledger, keys: Mapping[str, QName], tables: Mapping[str, models.Table | Literal["undecided"]]
) -> dict[QName, Tenancy]:
    """`tables:` by qualified name."""
    return {name: _tenancy(ledger, ("tables", key), tables[key]) for key, name in keys.items()}


def _tenancy(ledger: Ledger, path: Path, table: models.Table | Literal["undecided"]) -> Tenancy:
    if isinstance(table, str):
        return Tenancy(undecided=True, place=ledger.document.key_place(path))
    _contradictions(ledger, path, table)
    values = values_of(ledger, (*path, "values"), table.values)
    return Tenancy(
        tenant=_locator(ledger, (*path, "tenant"), table.tenant),
        owner=_locator(ledger, (*path, "owner"), table.owner),
        shared=table.shared,
        private=table.private,
        system_rows=SystemRows(table.system_rows or SystemRows.UNDECIDED),
        values=values,
        rows=table.rows,
        place=ledger.document.key_place(path),
    )


def _locator(ledger: Ledger, path: Path, locator: str | models.Expression | None) -> Locator | None:
    if locator is None:
        return None
    if isinstance(locator, models.Expression):
        return Locator(sql=locator.sql)
    steps = names.split(locator)
    if steps is None:
        hint = "write column, or column.column along foreign keys, or {sql: expression}"
        ledger.at_value(path, "bad-path", f"{dotted(path)}: {shown(locator)} is no path of columns", hint)
        return None
    return Locator(path=steps)


def _contradictions(ledger: Ledger, path: Path, table: models.Table) -> None:
    if table.shared and table.private:
        message = f"{dotted(path)} is shared and private at once"
        ledger.at_key((*path, "private"), "contradiction", message, "shared: all may know it; private: nobody may")
        return
    word = "shared" if table.shared else "private" if table.private else ""
    why = {"shared": "shared rows belong to nobody", "private": "nobody may reach private rows"}
    for key in ("tenant", "owner", "system_rows"):
        if word and getattr(table, key) is not None:
            message = f"{dotted(path)} is {word} and has '{key}': {why[word]}"
            ledger.at_key((*path, key), "contradiction", message, f"remove '{key}' or '{word}'")
