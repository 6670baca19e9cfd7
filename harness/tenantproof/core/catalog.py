"""The catalog: what introspection read from pg_catalog, as frozen values."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tenantproof.core.model import Command, QName


class RelationKind(enum.StrEnum):
    """pg_class.relkind, in words."""

    TABLE = "table"
    PARTITIONED = "partitioned table"
    VIEW = "view"
    MATVIEW = "materialized view"
    FOREIGN = "foreign table"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column.  `type` is format_type's spelling; `base_type` is the type under domains (schema-qualified
    typname such as `pg_catalog.int4`), `category` pg_type.typcategory of that base type."""

    name: str
    position: int
    type: str
    base_type: str
    category: str
    not_null: bool = False
    default: str | None = None
    identity: str = ""
    """'' none, 'a' always, 'd' by default."""
    generated: bool = False
    enum_values: tuple[str, ...] = ()
    element_type: str | None = None
    """For arrays: format_type of the element."""
    length: int | None = None
    """varchar(n)/char(n)."""
    domain_checks: tuple[str, ...] = ()
    is_domain: bool = False
    comment: str = ""


class ConstraintKind(enum.StrEnum):
    PRIMARY = "primary key"
    UNIQUE = "unique"
    FOREIGN = "foreign key"
    CHECK = "check"
    EXCLUSION = "exclusion"


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """One table constraint.  For FOREIGN: `references` and `ref_columns`, actions as pg_constraint's letters
    (a no action, r restrict, c cascade, n set null, d set default)."""

    name: str
    kind: ConstraintKind
    columns: tuple[str, ...]
    definition: str
    references: QName | None = None
    ref_columns: tuple[str, ...] = ()
    on_delete: str = "a"
    on_update: str = "a"
    deferrable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """One index; `columns` holds plain columns only, "" for an expression."""

    name: str
    columns: tuple[str, ...]
    unique: bool
    primary: bool
    predicate: str = ""
    expressions: str = ""
    nulls_not_distinct: bool = False
    definition: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One row level security policy.  `command` None means ALL; `roles` ("public",) means every role."""

    name: str
    table: QName
    command: Command | None
    permissive: bool
    roles: tuple[str, ...]
    using: str | None
    check: str | None

    def applies_to(self, command: Command, roles: frozenset[str]) -> bool:
        """Whether the policy speaks of *command* for somebody who has the privileges of *roles*."""
        return self.command in (None, command) and ("public" in self.roles or not roles.isdisjoint(self.roles))


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One privilege on a relation (or on one of its columns)."""

    grantee: str
    privilege: str
    """SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER, MAINTAIN."""
    column: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """One user trigger; `timing` BEFORE/AFTER/INSTEAD OF, `events` of INSERT UPDATE DELETE TRUNCATE."""

    name: str
    timing: str
    events: tuple[str, ...]
    row: bool
    function: QName
    enabled: bool
    definition: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rewrite rule for INSERT, UPDATE or DELETE, which is its `event`."""

    event: str
    definition: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """One relation with all that hangs on it."""

    name: QName
    kind: RelationKind
    owner: str
    rls: bool
    force_rls: bool
    columns: tuple[Column, ...]
    constraints: tuple[Constraint, ...] = ()
    indexes: tuple[Index, ...] = ()
    policies: tuple[Policy, ...] = ()
    grants: tuple[Grant, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    rules: tuple[Rule, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    """reloptions: security_invoker, security_barrier, check_option…"""
    definition: str = ""
    """For views and materialized views: the query."""
    parent: QName | None = None
    """The partitioned table (or inheritance parent) this is a part of."""
    partition_key: str = ""
    partition_bound: str = ""
    base_relations: tuple[QName, ...] = ()
    """For views: relations its query names, directly."""
    updatable: frozenset[Command] = frozenset()
    """Commands that the engine can do at all (views: auto-updatable or by INSTEAD OF trigger)."""
    fires_on_delete: bool = True
    """Whether deleting its rows may do anything else: triggers, rules, foreign keys that point here, descendants."""
    replica_identity: str = "d"
    comment: str = ""

    def column(self, name: str) -> Column:
        """The column of that name.  Raises KeyError where there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def primary_key(self) -> tuple[str, ...]:
        """Columns of the primary key, empty where there is none."""
        for constraint in self.constraints:
            if constraint.kind is ConstraintKind.PRIMARY:
                return constraint.columns
        return ()

    @property
    def foreign_keys(self) -> tuple[Constraint, ...]:
        return tuple(c for c in self.constraints if c.kind is ConstraintKind.FOREIGN)

    @property
    def is_table(self) -> bool:
        return self.kind in (RelationKind.TABLE, RelationKind.PARTITIONED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    name: str
    type: str
    mode: str = "i"
    has_default: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One function or procedure; `volatility` i/s/v, `kind` f/p/a/w as pg_proc.prokind."""

    name: QName
    identity: str
    """pg_get_function_identity_arguments."""
    arguments: tuple[Argument, ...]
    returns: str
    returns_set: bool
    language: str
    kind: str
    volatility: str
    security_definer: bool
    leakproof: bool
    owner: str
    settings: tuple[str, ...]
    executable_by: frozenset[str]
    """Grantees of EXECUTE; "public" for everybody."""
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """One role; `member_of` maps role -> whether privileges are inherited."""

    name: str
    superuser: bool
    bypass_rls: bool
    inherit: bool
    login: bool
    member_of: Mapping[str, bool] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    name: str
    all_tables: bool
    tables: tuple[QName, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """What introspection read: all relations of all user schemas, functions, roles, publications."""

    server_version: int
    """server_version_num, such as 180006."""
    relations: Mapping[QName, Relation]
    functions: tuple[Function, ...] = ()
    roles: Mapping[str, Role] = field(default_factory=dict)
    publications: tuple[Publication, ...] = ()
    schema_usage: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """schema -> grantees of USAGE ("public" for everybody)."""
    extensions: Mapping[str, str] = field(default_factory=dict)

    def in_schemas(self, schemas: Iterable[str]) -> tuple[Relation, ...]:
        """Relations of these schemas, sorted by name."""
        wanted = set(schemas)
        return tuple(self.relations[name] for name in sorted(self.relations) if name.schema in wanted)

    def privileges_of(self, role: str) -> frozenset[str]:
        """The role, every role whose privileges it inherits, and "public"."""
        seen, todo = {role, "public"}, [role]
        while todo:
            known = self.roles.get(todo.pop())
            for parent, inherits in (known.member_of if known else {}).items():
                if inherits and parent not in seen:
                    seen.add(parent)
                    todo.append(parent)
        return frozenset(seen)
