"""Answer rows to the values of core.catalog: pure functions, one per kind of object."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from tenantproof.core.catalog import (
    Argument,
    Column,
    Constraint,
    ConstraintKind,
    Function,
    Grant,
    Index,
    Policy,
    Publication,
    Relation,
    RelationKind,
    Role,
    Rule,
    Trigger,
)
from tenantproof.core.model import Command, QName

Record: TypeAlias = Any
"""One answer row as a named tuple; its fields are the column names of the query."""

_RULE_EVENTS = {"2": "UPDATE", "3": "INSERT", "4": "DELETE"}

RELATION_KINDS = {
    "r": RelationKind.TABLE,
    "p": RelationKind.PARTITIONED,
    "v": RelationKind.VIEW,
    "m": RelationKind.MATVIEW,
    "f": RelationKind.FOREIGN,
}
CONSTRAINT_KINDS = {
    "p": ConstraintKind.PRIMARY,
    "u": ConstraintKind.UNIQUE,
    "f": ConstraintKind.FOREIGN,
    "c": ConstraintKind.CHECK,
    "x": ConstraintKind.EXCLUSION,
}
POLICY_COMMANDS = {
    "*": None,
    "r": Command.SELECT,
    "a": Command.INSERT,
    "w": Command.UPDATE,
    "d": Command.DELETE,
}
UPDATABLE_BITS = {Command.UPDATE: 4, Command.INSERT: 8, Command.DELETE: 16}
"""pg_relation_is_updatable answers 1 << CmdType (nodes.h)."""

INPUT_MODES = frozenset("ibv")
"""Argument modes that a caller supplies: IN, INOUT, VARIADIC."""


def relation(record: Record, names: Mapping[int, QName], parts: Mapping[str, Sequence[Record]]) -> Relation:
    """A relation with all that hangs on it; *names* are the relations in the catalog, by oid."""
    name = names[record.oid]
    return Relation(
        name=name,
        kind=RELATION_KINDS[record.kind],
        owner=record.owner,
        rls=record.rls,
        force_rls=record.force_rls,
        columns=tuple(map(column, parts["columns"])),
        constraints=tuple(map(constraint, parts["constraints"])),
        indexes=tuple(map(index, parts["indexes"])),
        policies=tuple(policy(name, part) for part in parts["policies"]),
        grants=tuple(map(grant, parts["grants"])),
        triggers=tuple(map(trigger, parts["triggers"])),
        options=settings(record.options or ()),
        definition=record.definition,
        parent=names.get(record.parent),
        partition_key=record.partition_key,
        partition_bound=record.partition_bound,
        base_relations=tuple(sorted(names[oid] for oid in record.bases if oid in names)),
        updatable=_updatable(record.updatable),
        fires_on_delete=record.fires_on_delete,
        rules=tuple(Rule(event=_RULE_EVENTS[event], definition=text) for event, text in record.rules),
        replica_identity=record.replica_identity,
        comment=record.comment,
    )


def column(record: Record) -> Column:
    return Column(
        name=record.name,
        position=record.position,
        type=record.type,
        base_type=record.base_type,
        category=record.category,
        not_null=record.not_null,
        default=record.default_value,
        identity=record.identity,
        generated=record.generated,
        enum_values=tuple(record.enum_values or ()),
        element_type=record.element_type,
        length=record.length,
        domain_checks=tuple(record.domain_checks or ()),
        is_domain=record.is_domain,
        comment=record.comment,
    )


def constraint(record: Record) -> Constraint:
    return Constraint(
        name=record.name,
        kind=CONSTRAINT_KINDS[record.kind],
        columns=tuple(record.columns),
        definition=record.definition,
        references=QName(record.ref_schema, record.ref_name) if record.ref_name is not None else None,
        ref_columns=tuple(record.ref_columns),
        # PostgreSQL stores a blank where there is no foreign key.
        on_delete=record.on_delete.strip() or "a",
        on_update=record.on_update.strip() or "a",
        deferrable=record.is_deferrable,
    )


def index(record: Record) -> Index:
    return Index(
        name=record.name,
        columns=tuple(record.columns),
        unique=record.is_unique,
        primary=record.is_primary,
        predicate=record.predicate,
        expressions=record.expressions,
        nulls_not_distinct=record.nulls_not_distinct,
        definition=record.definition,
    )


def policy(table: QName, record: Record) -> Policy:
    return Policy(
        name=record.name,
        table=table,
        command=POLICY_COMMANDS[record.command],
        permissive=record.permissive,
        roles=tuple(record.roles),
        using=record.using_expression,
        check=record.check_expression,
    )


def grant(record: Record) -> Grant:
    return Grant(grantee=record.grantee, privilege=record.privilege, column=record.column_name)


def trigger(record: Record) -> Trigger:
    return Trigger(
        name=record.name,
        timing=record.timing,
        events=tuple(record.events),
        row=record.per_row,
        function=QName(record.function_schema, record.function_name),
        enabled=record.enabled,
        definition=record.definition,
    )


def function(record: Record) -> Function:
    return Function(
        name=QName(record.schema, record.name),
        identity=record.identity,
        arguments=_arguments(record),
        returns=record.returns,
        returns_set=record.returns_set,
        language=record.language,
        kind=record.kind,
        volatility=record.volatility,
        security_definer=record.security_definer,
        leakproof=record.leakproof,
        owner=record.owner,
        settings=tuple(record.settings),
        executable_by=frozenset(record.executable_by),
        source=record.source,
    )


def role(record: Record) -> Role:
    return Role(
        name=record.name,
        superuser=record.superuser,
        bypass_rls=record.bypass_rls,
        inherit=record.inherit,
        login=record.login,
        member_of=dict(sorted(record.member_of.items())),
        settings=settings(record.settings),
    )


def publication(record: Record) -> Publication:
    return Publication(
        name=record.name,
        all_tables=record.all_tables,
        tables=tuple(map(QName, record.schemas, record.tables)),
    )


def settings(pairs: Iterable[str]) -> dict[str, str]:
    """PostgreSQL's name=value texts as a mapping; the last of a name stands."""
    return dict(pair.split("=", 1) for pair in pairs)


def _updatable(bits: int) -> frozenset[Command]:
    return frozenset({Command.SELECT, *(command for command, bit in UPDATABLE_BITS.items() if bits & bit)})


def _arguments(record: Record) -> tuple[Argument, ...]:
    """Names and modes are left empty by PostgreSQL where all are unnamed, or all IN; defaults are the last inputs'."""
    types = record.argument_types
    names = record.argument_names or [""] * len(types)
    modes = record.argument_modes or ["i"] * len(types)
    inputs = [place for place, mode in enumerate(modes) if mode in INPUT_MODES]
    optional = frozenset(inputs[len(inputs) - record.defaults :])
    return tuple(
        Argument(name=name, type=type_, mode=mode, has_default=place in optional)
        for place, (name, type_, mode) in enumerate(zip(names, types, modes, strict=True))
    )
