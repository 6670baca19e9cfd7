"""The world: the seeded content, as the observer (a role that sees everything) reads it back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tenantproof.core.model import Persona, QName, Tenancy

Key = tuple[str | None, ...]
"""A row's identity: its primary key columns as text (all columns where there is no key)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row as ground truth: its key, whose it is, and which named predicates hold for it.

    `tenant` and `owner` are ids as text (None: no tenant, no owner); `flags` are the `where:` predicates true
    for it; `seeded` tells rows that the seeder wrote (same keys in every run) from rows that triggers made.
    """

    key: Key
    tenant: str | None = None
    owner: str | None = None
    flags: frozenset[str] = frozenset()
    seeded: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A valid row that was never inserted: what a persona may try to INSERT.

    `values` are SQL literals as text by column (None = NULL); columns left out take their default.
    """

    relation: QName
    tenant: str | None
    owner: str | None
    values: Mapping[str, str | None]
    replaces: tuple[str | None, ...] | None = None
    """Key of the seeded row that must be taken away before this row can be inserted; the engine does that on the
    attempt's stage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unseeded:
    """A relation that could not be (fully) filled, and what the database said."""

    relation: QName
    tenant: str | None
    sqlstate: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What the seeder did: who exists, with which ids, and what it could not do."""

    seed: int
    tenant_ids: Mapping[str, str]
    """tenant name -> id as text."""
    canaries: Mapping[str, str]
    """tenant name -> the string that stands in its text and json columns and nowhere else."""
    personas: tuple[Persona, ...]
    drafts: Mapping[QName, tuple[Draft, ...]] = field(default_factory=dict)
    seeded_keys: Mapping[QName, frozenset[Key]] = field(default_factory=dict)
    unseeded: tuple[Unseeded, ...] = ()
    rows_per_tenant: Mapping[QName, Mapping[str | None, int]] = field(default_factory=dict)
    """Rows of each table by tenant name (None: of no tenant), as far as the seeder knows whose they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Manifest plus ground truth: every row of every relation in scope."""

    manifest: Manifest
    rows: Mapping[QName, tuple[Row, ...]]
    tenancy: Mapping[QName, Tenancy]
    """Declared or inferred; a relation that is missing here is undecided."""

    def tenant_name(self, tenant_id: str | None) -> str | None:
        """The scenario's name for a tenant id, or None."""
        for name, known in self.manifest.tenant_ids.items():
            if known == tenant_id:
                return name
        return None
