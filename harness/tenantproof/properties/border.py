"""On which side of the border a row lies, seen from one persona."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from tenantproof.core.model import Command, Persona, QName, Tenancy
from tenantproof.core.world import Row
from tenantproof.oracle.entitlement import Oracle, Stance


class Side(enum.Enum):
    """Whose a row is."""

    MINE = "inside the border, or open to the persona by the scenario, or of nobody"
    INSIDE = "inside the border, and forbidden to the persona by a line of the scenario"
    FOREIGN = "of another tenant, or of another user where rows have no tenant"


@dataclass(frozen=True, slots=True)
class Border:
    """One persona's border."""

    oracle: Oracle
    persona: Persona

    def side(self, relation: QName, row: Row, command: Command = Command.SELECT) -> Side:
        """Where *row* lies for somebody who would do *command* to it."""
        if self.oracle.stance(self.persona, relation, command, row) is not Stance.FORBIDDEN:
            return Side.MINE
        return Side.FOREIGN if self.crosses(relation, row) else Side.INSIDE

    def crosses(self, relation: QName, row: Row) -> bool:
        """Whether the row is of a tenant that the persona does not belong to; without a tenant, of a stranger."""
        tenancy = self._tenancy(relation)
        if tenancy.tenant is not None:
            return row.tenant is not None and row.tenant not in self.own_tenants
        return row.owner is not None and row.owner != self.persona.user_id and not self._colleague(row.owner)

    def crosses_to_a_tenant(self, row: Row) -> bool:
        """Whether the row is of one of the scenario's tenants, and not of the persona's."""
        return row.tenant in set(self.oracle.tenant_ids.values()) - self.own_tenants

    @property
    def own_tenants(self) -> frozenset[str]:
        """Ids of the tenants the persona belongs to."""
        ids = self.oracle.tenant_ids
        return frozenset(ids[name] for name in self.persona.tenants if name in ids)

    def of_another_team(self, row: Row) -> bool:
        """Whether the row is of somebody whose tenants are not the persona's, where tenants have several people."""
        theirs = self.oracle.people.get(row.owner, frozenset())
        everybody = [tenant for tenants in self.oracle.people.values() for tenant in tenants]
        shared = len(everybody) > len(set(everybody))
        return shared and bool(theirs) and bool(self.own_tenants) and not theirs & self.own_tenants

    def _colleague(self, user: str) -> bool:
        return bool(self.oracle.people.get(user, frozenset()) & self.own_tenants)

    def _tenancy(self, relation: QName) -> Tenancy:
        root = self.oracle.partitions.get(relation, relation)
        return self.oracle.tenancy.get(relation) or self.oracle.tenancy.get(root, Tenancy())
