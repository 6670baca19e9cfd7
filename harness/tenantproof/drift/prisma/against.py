"""What a Prisma schema and the migrated database do not agree on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tenantproof.core.catalog import Catalog, Column, Constraint, Relation
from tenantproof.core.drift import Difference, Direction
from tenantproof.core.finding import Severity
from tenantproof.core.model import QName
from tenantproof.drift.names import BOOKKEEPING
from tenantproof.drift.prisma.model import Field, Model, PrismaSchema
from tenantproof.drift.prisma.types import ACTIONS, NATIVE, SCALARS, UNSUPPORTED
from tenantproof.drift.wording import ABSENT, column_words


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The schema, the database, and the schema of the database where a model names none."""

    schema: PrismaSchema
    catalog: Catalog
    home: str

    def differences(self) -> Iterator[Difference]:
        """Models first, then what the schema does not know of, then enums."""
        for model in self.schema.models.values():
            if not model.ignored:
                yield from self._model(model)
        yield from self._unknown_tables()
        yield from self._enums()

    def name_of(self, model: Model) -> QName:
        return QName(model.schema or self.home, model.table)

    def _model(self, model: Model) -> Iterator[Difference]:
        name = self.name_of(model)
        relation = self.catalog.relations.get(name)
        if relation is None:
            what = "view" if model.is_view else "model"
            yield self._difference(
                name, model.place, "model-missing", Severity.MEDIUM, "", ABSENT, f"{what} {model.name}"
            )
            return
        columns = {column.name: column for column in relation.columns}
        for field in self._stored(model):
            if field.column not in columns:
                said = _field_words(field)
                yield self._difference(
                    name, field.place, "column-missing", Severity.MEDIUM, f"column {field.column}", ABSENT, said
                )
            else:
                yield from self._column(name, model, field, columns[field.column])
        yield from self._unknown_columns(name, model, relation)
        if self.schema.enforces and not model.is_view:
            yield from self._relations(name, model, relation)

    def _stored(self, model: Model) -> Iterator[Field]:
        """Fields that are columns: neither models nor ignored."""
        for field in model.fields:
            if field.type not in self.schema.models and not field.ignored:
                yield field

    def _column(self, name: QName, model: Model, field: Field, column: Column) -> Iterator[Difference]:
        part = f"column {column.name}"
        severity = self._type_severity(field, column)
        if severity is not None:
            kind = "type" if severity is Severity.MEDIUM else "native-type"
            yield self._difference(name, field.place, kind, severity, part, column.type, _field_words(field))
        if field.is_list or model.is_view or field.optional != column.not_null:
            return
        if column.not_null:
            severity = Severity.LOW if column.default is not None or column.identity else Severity.MEDIUM
            why = "A row that is created without a value is refused."
        else:
            severity, why = Severity.MEDIUM, "A row that holds NULL there cannot be read."
        here = "not null" if column.not_null else "nullable"
        there = "optional" if field.optional else "required"
        yield self._difference(name, field.place, "nullability", severity, part, here, there, why)

    def _type_severity(self, field: Field, column: Column) -> Severity | None:
        """How far apart the types are; None where they are the same."""
        if field.type == UNSUPPORTED:
            return None
        schema, _, actual = column.base_type.partition(".")
        is_list = column.category == "A"
        if is_list != field.is_list:
            return Severity.MEDIUM
        actual = actual.removeprefix("_") if is_list else actual
        if field.type in self.schema.enums:
            enum = self.schema.enums[field.type]
            return None if (enum.schema or self.home, enum.type) == (schema, actual) else Severity.MEDIUM
        holding = SCALARS.get(field.type, ())
        if actual == (NATIVE.get(field.native, "") or (holding[0] if holding else "")):
            return None
        return Severity.LOW if actual in holding else Severity.MEDIUM

    def _unknown_columns(self, name: QName, model: Model, relation: Relation) -> Iterator[Difference]:
        known = {field.column for field in model.fields}
        for column in relation.columns:
            if column.name not in known:
                needed = column.not_null and column.default is None and not column.identity and not column.generated
                yield self._difference(
                    name,
                    model.place,
                    "column-unknown",
                    Severity.MEDIUM if needed and not model.is_view else Severity.LOW,
                    f"column {column.name}",
                    column_words(column),
                    ABSENT,
                    "It has no default, so no row can be created." if needed and not model.is_view else "",
                )

    def _relations(self, name: QName, model: Model, relation: Relation) -> Iterator[Difference]:
        told: list[Constraint] = []
        for field in model.fields:
            if field.reference is None or field.type not in self.schema.models:
                continue
            expected = self._foreign_key(model, field)
            found = next((key for key in relation.foreign_keys if _ends(key) == expected), None)
            if found is None:
                yield self._no_foreign_key(name, field, expected)
            else:
                told.append(found)
                yield from self._actions(name, field, found, optional=field.optional)
        modelled = {self.name_of(other) for other in self.schema.models.values()}
        for key in relation.foreign_keys:
            if key not in told and key.references in modelled:
                yield self._difference(
                    name,
                    model.place,
                    "relation-unknown",
                    Severity.LOW,
                    f"constraint {key.name}",
                    key.definition,
                    ABSENT,
                )

    def _foreign_key(self, model: Model, field: Field) -> tuple[tuple[str, ...], QName, tuple[str, ...]]:
        assert field.reference is not None
        target = self.schema.models[field.type]
        here, there = _columns(model), _columns(target)
        return (
            tuple(here.get(name, name) for name in field.reference.fields),
            self.name_of(target),
            tuple(there.get(name, name) for name in field.reference.references),
        )

    def _no_foreign_key(
        self, name: QName, field: Field, expected: tuple[tuple[str, ...], QName, tuple[str, ...]]
    ) -> Difference:
        columns, table, references = expected
        said = f"({', '.join(columns)}) references {table} ({', '.join(references)})"
        why = "The database takes a reference to a row that is not there."
        return self._difference(
            name, field.place, "relation-missing", Severity.MEDIUM, f"relation {field.name}", ABSENT, said, why
        )

    def _actions(self, name: QName, field: Field, key: Constraint, *, optional: bool) -> Iterator[Difference]:
        """Prisma's defaults: onDelete SetNull where the relation is optional, else Restrict; onUpdate Cascade."""
        assert field.reference is not None
        by_default = "SetNull" if optional else "Restrict"
        for said, actual, words in (
            (field.reference.on_delete or by_default, key.on_delete, "onDelete"),
            (field.reference.on_update or "Cascade", key.on_update, "onUpdate"),
        ):
            if ACTIONS.get(said, said) != actual:
                has = next(name for name, letter in ACTIONS.items() if letter == actual)
                yield self._difference(
                    name,
                    field.place,
                    "relation-action",
                    Severity.LOW,
                    f"relation {field.name}",
                    f"{words}: {has}",
                    f"{words}: {said}",
                )

    def _unknown_tables(self) -> Iterator[Difference]:
        modelled = {self.name_of(model) for model in self.schema.models.values()}
        schemas = {name.schema for name in modelled}
        joins = {QName(self.home, name) for name in implicit_tables(self.schema)}
        for name in sorted(joins - self.catalog.relations.keys()):
            yield self._difference(name, None, "model-missing", Severity.MEDIUM, "", ABSENT, "a table of pairs")
        for relation in self.catalog.in_schemas(schemas):
            whole = relation.is_table and not relation.partition_bound
            if whole and relation.name not in modelled | joins and relation.name.name not in BOOKKEEPING:
                yield self._difference(relation.name, None, "table-unknown", Severity.LOW, "", "a table", ABSENT)

    def _enums(self) -> Iterator[Difference]:
        """Values of enums, by a column that has the type."""
        held: dict[tuple[str, str], Column] = {}
        for relation in self.catalog.relations.values():
            for column in relation.columns:
                schema, _, name = column.base_type.partition(".")
                if column.enum_values:
                    held.setdefault((schema, name), column)
        for enum in self.schema.enums.values():
            example = held.get((enum.schema or self.home, enum.type))
            if example is not None and set(example.enum_values) != set(enum.values):
                yield self._difference(
                    QName(enum.schema or self.home, enum.type),
                    enum.place,
                    "enum-values",
                    Severity.MEDIUM,
                    "enum",
                    ", ".join(example.enum_values),
                    ", ".join(enum.values),
                )

    def _difference(
        self,
        name: QName,
        place: tuple[str, int] | None,
        kind: str,
        severity: Severity,
        part: str,
        migrations: str,
        schema: str,
        why: str = "",
    ) -> Difference:
        return Difference(
            kind=f"prisma-{kind}",
            severity=severity,
            direction=Direction.DIFFERENT,
            object=str(name),
            part=part,
            migrations=migrations,
            live=schema,
            why=why,
            file=place[0] if place else self.schema.path,
            line=place[1] if place else None,
        )


def implicit_tables(schema: PrismaSchema) -> frozenset[str]:
    """Tables of many-to-many relations without a model: `_AToB`, or `_Name` where the relation has one."""
    found: set[str] = set()
    for model in schema.models.values():
        for field in model.fields:
            other = schema.models.get(field.type)
            if not field.is_list or other is None or field.reference is not None:
                continue
            back = [f for f in other.fields if f.type == model.name and f.relation == field.relation and f != field]
            if back and all(f.is_list for f in back):
                found.add(f"_{field.relation or 'To'.join(sorted((model.name, other.name)))}")
    return frozenset(found)


def _columns(model: Model) -> Mapping[str, str]:
    return {field.name: field.column for field in model.fields}


def _ends(key: Constraint) -> tuple[tuple[str, ...], QName | None, tuple[str, ...]]:
    return key.columns, key.references, key.ref_columns


def _field_words(field: Field) -> str:
    mark = "[]" if field.is_list else "?" if field.optional else ""
    if field.type == UNSUPPORTED:
        return f'Unsupported("{field.native}"){mark}'
    return f"{field.type}{mark}" + (f" @db.{field.native}" if field.native else "")
