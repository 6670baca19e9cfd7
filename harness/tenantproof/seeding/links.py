"""Foreign keys of a new row: which existing row each of them points at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tenantproof.core.catalog import Constraint
from tenantproof.core.model import Locator
from tenantproof.seeding.cast import Cast
from tenantproof.seeding.plan import TablePlan
from tenantproof.seeding.store import SeedRow, Store, Values

if TYPE_CHECKING:
    from tenantproof.seeding.rows import Want

_PATIENCE = 5
"""How many attempts insist on parents of the same owner before any parent of the tenant will do."""


class NoParent(Exception):
    """There is no row that a required foreign key could point at."""


class Links:
    """Binds the foreign keys of one table: always to rows of the same tenant, if possible of the same owner."""

    def __init__(self, table: TablePlan, store: Store, cast: Cast) -> None:
        self._table, self._store, self._cast = table, store, cast
        self._spares = frozenset(cast.spares.values())
        self._owner_step = _first_step(table.tenancy.owner)

    def bind(self, values: Values, keys: Sequence[Constraint], want: Want, attempt: int) -> dict[str, str]:
        """
        Write the keys' columns into *values*; returns columns that must point at the row itself.

        Raises NoParent where a required key has nothing to point at.
        """
        own: dict[str, str] = {}
        stride = 1
        for position, key in enumerate(self._in_order(keys, values)):
            free = [column for column in key.columns if column not in values]
            if any(values.get(column, "") is None for column in key.columns):
                values.update(dict.fromkeys(free) if self._optional(free) else {})
                if self._optional(free):
                    continue
            parents = self._parents(key, values, want, attempt)
            if not free:
                self._require(parents, key, values)
            elif parents:
                chosen = parents[(want.turn + position + attempt // stride) % len(parents)]
                stride *= len(parents)
                values.update({c: chosen.values.get(r) for c, r in _pairs(key) if c in free})
            else:
                own |= self._without_parent(key, free, values)
        return own

    def choices(self, column: str, want: Want) -> tuple[str | None, ...]:
        """What a foreign key of this column alone could hold: keys of rows of the tenant, or of shared ones."""
        for key in self._table.foreign_keys:
            if key.columns == (column,) and key.references is not None:
                known = [row for row in self._store.of(key.references) if row.owner not in self._spares]
                parents = self._of_tenant(known, want, key)
                parents = self._near_owner(parents, want, optional=self._optional([column]))
                return tuple(dict.fromkeys(row.values.get(key.ref_columns[0]) for row in parents))
        return ()

    def some_member(self, want: Want) -> str | None:
        """A user for a column that only its name calls a user's."""
        members = self._cast.members(want.tenant) if want.tenant else self._cast.users
        return members[want.turn % len(members)].user_id if members else None

    def _in_order(self, keys: Sequence[Constraint], values: Values) -> list[Constraint]:
        """Keys that fixed values narrow down come first, then the wide ones: they decide columns of others."""
        return sorted(keys, key=lambda k: (not any(c in values for c in k.columns), -len(k.columns), k.name))

    def _optional(self, free: Sequence[str]) -> bool:
        return all(not self._table.relation.column(column).not_null for column in free)

    def _require(self, parents: Sequence[SeedRow], key: Constraint, values: Values) -> None:
        if not parents and all(values.get(column) is not None for column in key.columns):
            raise NoParent(f"{key.references} has no row that {', '.join(key.columns)} could refer to")

    def _without_parent(self, key: Constraint, free: Sequence[str], values: Values) -> dict[str, str]:
        nullable = [column for column in free if not self._table.relation.column(column).not_null]
        if nullable:
            values.update(dict.fromkeys(nullable))
            return {}
        if key.references == self._table.name:
            return {column: referred for column, referred in _pairs(key) if column in free}
        raise NoParent(f"{key.references} has no row that {', '.join(key.columns)} could refer to")

    def _parents(self, key: Constraint, values: Values, want: Want, attempt: int) -> list[SeedRow]:
        if key.references is None:
            return []
        fixed = {ref: values[column] for column, ref in _pairs(key) if values.get(column) is not None}
        found = self._store.matching(key.references, fixed)
        if all(column in values for column in key.columns):
            return found
        found = self._of_tenant([row for row in found if row.owner not in self._spares], want, key)
        found = self._near_owner(found, want, optional=self._optional([c for c in key.columns if c not in values]))
        found = [row for row in found if not row.childless] or found
        return self._of_owner(found, key, want, attempt)

    def _of_tenant(self, rows: list[SeedRow], want: Want, key: Constraint) -> list[SeedRow]:
        """Rows of the wanted tenant; of tables without tenants those of its members, or shared ones."""
        if want.tenant is None:
            # Of the tenants themselves those that the scenario does not name are somebody's too.
            named = [row for row in rows if row.tenant is not None]
            are_tenants = any(
                row.values.get(key.ref_columns[0]) == self._cast.tenant_ids[row.tenant or ""] for row in named[:1]
            )
            return named if are_tenants else [row for row in rows if row.tenant is None] or rows
        members = {persona.user_id for persona in self._cast.members(want.tenant)} | {want.owner}
        mine = [row for row in rows if row.tenant == want.tenant]
        if mine or any(row.tenant is not None for row in rows if not row.existing):
            return mine
        tenantless = [row for row in rows if row.tenant is None]
        people = [row for row in tenantless if row.owner in members]
        return people or [row for row in tenantless if row.owner is None]

    def _near_owner(self, rows: list[SeedRow], want: Want, *, optional: bool) -> list[SeedRow]:
        """For a user's row without a tenant those of the user's own tenants: a pointer to a stranger's stays NULL."""
        person = next((p for p in self._cast.users if p.user_id == (want.owner or want.actor)), None)
        if want.tenant is not None or person is None or any(row.tenant is None for row in rows):
            return rows
        near = [row for row in rows if row.tenant in person.tenants]
        return near if near or optional else rows

    def _of_owner(self, rows: list[SeedRow], key: Constraint, want: Want, attempt: int) -> list[SeedRow]:
        owned = [row for row in rows if row.owner is not None and row.owner == (want.actor or want.owner)]
        if self._owner_step in key.columns and want.owner is not None:
            return [row for row in rows if row.owner == want.owner]
        people = all(row.owner is not None and row.tenant is None for row in rows)
        if people and want.actor is None and self._is_user_table(key):
            return rows
        return owned if owned and attempt < _PATIENCE else rows

    def _is_user_table(self, key: Constraint) -> bool:
        """Whether every user has exactly one row there (so that any member will do)."""
        rows = self._store.of(key.references) if key.references else ()
        return len(rows) == len({row.owner for row in rows})


def _pairs(key: Constraint) -> list[tuple[str, str]]:
    return list(zip(key.columns, key.ref_columns, strict=True))


def _first_step(locator: Locator | None) -> str | None:
    return locator.path[0] if locator is not None and len(locator.path) > 1 else None
