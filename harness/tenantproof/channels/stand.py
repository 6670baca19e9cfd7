"""Where a persona stands before a relation: all that a channel needs to know to think of attempts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tenantproof.core.attempt import Stage
from tenantproof.core.catalog import Relation
from tenantproof.core.model import Command, Membership, Persona, QName, Tenancy
from tenantproof.core.world import Draft, Key, Row
from tenantproof.oracle.entitlement import Oracle, Stance


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """One persona before one relation.

    `relation` and `rows` are the table that is meant; `through` is the name that statements use: the table itself,
    or a view over it, whose columns are `visible` and on which the privileges are held.  `privileges` are pairs of
    privilege and column (None: the whole relation).  `consulted` tells that the relation's policies read the
    relation itself, so that taking rows away could change who the persona is.
    """

    persona: Persona
    relation: Relation
    through: QName
    visible: frozenset[str]
    tenancy: Tenancy
    rows: tuple[Row, ...]
    drafts: tuple[Draft, ...]
    oracle: Oracle
    tenant_ids: Mapping[str, str]
    privileges: frozenset[tuple[str, str | None]]
    consulted: bool
    watch: Mapping[Command, tuple[QName, ...]]
    """Of each command the relations that it may write to, the tables that are meant first."""
    referring: tuple[QName, ...]
    """Relations with a foreign key to this one that its policies do not consult."""
    plain_columns: tuple[str, ...]
    """Columns in no key, best candidates for a harmless change first."""
    user_columns: tuple[str, ...] = ()
    """Columns with a foreign key to the users."""
    predicates: tuple[str, ...] = ()
    """The `where:` predicates of the relation's expectations."""
    membership: Membership | None = None
    roles: tuple[str, ...] = ()

    @property
    def name(self) -> QName:
        return self.relation.name

    @property
    def key_columns(self) -> tuple[str, ...]:
        """The primary key, or all columns where there is none."""
        return self.relation.primary_key or self.relation.column_names

    @property
    def own_tenants(self) -> tuple[str, ...]:
        """Ids of the tenants the persona belongs to."""
        return tuple(self.tenant_ids[name] for name in self.persona.tenants if name in self.tenant_ids)

    @property
    def foreign_tenants(self) -> tuple[str, ...]:
        """Ids of all other tenants."""
        own = set(self.own_tenants)
        return tuple(tenant for tenant in self.tenant_ids.values() if tenant not in own)

    def holds(self, privilege: str) -> bool:
        """Whether the role holds the privilege on the table or on any column of it."""
        return any(held == privilege for held, _ in self.privileges)

    def writable(self, privilege: str) -> frozenset[str]:
        """The columns on which the role holds the privilege."""
        if (privilege, None) in self.privileges:
            return self.visible
        return frozenset(column for held, column in self.privileges if held == privilege and column)

    def stance(self, command: Command, row: Row) -> Stance:
        return self.oracle.stance(self.persona, self.name, command, row)

    def rows_with(self, command: Command, *stances: Stance) -> Iterator[Row]:
        """The relation's rows for which the scenario says one of *stances*."""
        return (row for row in self.rows if self.stance(command, row) in stances)

    def one_of_each_tenant(self, command: Command, *stances: Stance) -> Iterator[Row]:
        """One row per (tenant, mine or not) with one of *stances*: enough, since policies read no row numbers."""
        seen = set()
        for row in self.rows_with(command, *stances):
            kind = (row.tenant, row.owner == self.persona.user_id if self.tenancy.owner else None)
            if kind not in seen:
                seen.add(kind)
                yield row

    def alone(self, row: Row) -> Stage:
        """The stage on which *row* is the only row, but for what makes the persona who it is."""
        kept = [row.key]
        if self.consulted:
            kept += [other.key for other in self.rows if self._is_mine(other) and other.key != row.key]
        return self._stage(tuple(kept))

    @property
    def one_of_mine(self) -> Row | None:
        """A row that belongs to the persona or to their tenant, whatever they may do with it; their own first."""
        me = self.persona.user_id
        own = [row for row in self.rows if row.tenant in self.own_tenants or (me is not None and row.owner == me)]
        return min(own, key=lambda row: row.owner != me, default=None)

    def without(self, key: Key) -> Stage:
        """The stage from which the row with this key is gone."""
        kept = tuple(row.key for row in self.rows if row.key != key)
        return self._stage(kept)

    def _stage(self, kept: tuple[Key, ...]) -> Stage:
        return Stage(
            relation=self.name,
            key_columns=self.key_columns,
            keep=kept,
            clear=self.referring,
            fires=self.relation.fires_on_delete,
        )

    def _is_mine(self, row: Row) -> bool:
        """Whether the row makes the persona who they are: it names them, or their tenant where no row names people."""
        if self.membership is not None or self.tenancy.owner is not None:
            return row.owner is not None and row.owner == self.persona.user_id
        return row.tenant in self.own_tenants
