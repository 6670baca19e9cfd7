"""
The live side as our server would spell it.

PostgreSQL prints expressions and views back from their parse trees, and versions print a few things differently (since
16 a view over one table names its columns without the table).  What is spelled differently is therefore given to our
server, on the migrated database, and read back, each in a savepoint that is rolled back: equal meaning then has equal
text.  What our server does not take (it names what the migrations do not make) stays as it is, and differs rightly.

Nothing is evaluated: policies, checks, defaults and views are parsed and stored, over empty tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg import sql

from tenantproof.core.catalog import Column, Constraint, ConstraintKind, Function, Index, Policy, Relation, RelationKind
from tenantproof.core.model import QName
from tenantproof.drift.side import Side

Connection = psycopg.Connection[Any]

_PROBE = "tenantproof_respelled"
_VIEWS = frozenset({RelationKind.VIEW, RelationKind.MATVIEW})


def respelled(live: Side, ours: Side, connection: Connection) -> Side:
    """*live*, with expressions of objects that both sides have as the server of *connection* spells them.

    *connection* is to the migrated database, as a superuser, in no transaction or in one that may be rolled back.
    """
    with connection.transaction(force_rollback=True):
        connection.execute("SELECT pg_catalog.set_config('search_path', 'pg_catalog', true)")
        speller = _Speller(connection=connection, ours=ours.catalog.relations)
        relations = {name: speller.relation(relation) for name, relation in live.catalog.relations.items()}
        known = {(f.name, f.identity): f for f in ours.catalog.functions}
        functions = tuple(speller.function(f, known.get((f.name, f.identity))) for f in live.catalog.functions)
    return replace(live, catalog=replace(live.catalog, relations=relations, functions=functions))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Speller:
    connection: Connection
    ours: Mapping[QName, Relation]

    def relation(self, live: Relation) -> Relation:
        ours = self.ours.get(live.name)
        if ours is None or ours == live:
            return live
        policies = {policy.name: policy for policy in ours.policies}
        columns = {column.name: column for column in ours.columns}
        definitions = {constraint.definition for constraint in ours.constraints}
        indexes = {index.definition for index in ours.indexes}
        return replace(
            live,
            policies=tuple(self._policy(policy, policies.get(policy.name)) for policy in live.policies),
            columns=tuple(self._column(live.name, column, columns.get(column.name)) for column in live.columns),
            constraints=tuple(self._constraint(live.name, c, definitions) for c in live.constraints),
            indexes=tuple(self._index(live.name, index, indexes) for index in live.indexes),
            definition=self._view(live, ours),
        )

    def _policy(self, live: Policy, ours: Policy | None) -> Policy:
        return replace(
            live,
            using=self._row_expression(live.table, live.using, ours.using if ours else None),
            check=self._row_expression(live.table, live.check, ours.check if ours else None),
        )

    def _row_expression(self, table: QName, live: str | None, ours: str | None) -> str | None:
        """A boolean over a row, sub-queries allowed: as the USING of a policy."""
        if live is None or live == ours:
            return live
        create = sql.SQL("CREATE POLICY {} ON {} USING ({})").format(_name(), _of(table), _text(live))
        return self._said(create, "SELECT pg_get_expr(polqual, polrelid) FROM pg_policy WHERE polname = %s") or live

    def _column(self, table: QName, live: Column, ours: Column | None) -> Column:
        if live.default is None or ours is None or ours.default == live.default:
            return live
        return replace(live, default=self._generated(table, live) if live.generated else self._default(table, live))

    def _default(self, table: QName, column: Column) -> str | None:
        alter = sql.SQL("ALTER TABLE {} ALTER COLUMN {} SET DEFAULT {}")
        statement = alter.format(_of(table), sql.Identifier(column.name), _text(column.default or ""))
        return self._said_of_column(statement, table, column.name) or column.default

    def _generated(self, table: QName, column: Column) -> str | None:
        statement = sql.SQL("ALTER TABLE {} ADD COLUMN {} {} GENERATED ALWAYS AS ({}) STORED").format(
            _of(table), _name(), _text(column.type), _text(column.default or "")
        )
        return self._said_of_column(statement, table, _PROBE) or column.default

    def _said_of_column(self, statement: sql.Composed, table: QName, column: str) -> str | None:
        return self._said(
            statement,
            "SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d JOIN pg_attribute a"
            " ON a.attrelid = d.adrelid AND a.attnum = d.adnum"
            " JOIN pg_class c ON c.oid = d.adrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE a.attname = %s AND n.nspname = %s AND c.relname = %s",
            (column, *table),
        )

    def _constraint(self, table: QName, live: Constraint, ours: set[str]) -> Constraint:
        spelled = live.kind in (ConstraintKind.CHECK, ConstraintKind.EXCLUSION)
        if not spelled or live.definition in ours:
            return live
        add = sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {}").format(_of(table), _name(), _text(live.definition))
        said = self._said(add, "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s")
        return replace(live, definition=said or live.definition)

    def _index(self, table: QName, live: Index, ours: set[str]) -> Index:
        if not live.unique or live.definition in ours or not (live.predicate or live.expressions):
            return live
        keys = live.definition.partition(" USING ")[2]
        create = sql.SQL("CREATE UNIQUE INDEX {} ON {} USING {}").format(_name(), _of(table), _text(keys))
        said = self._said(create, "SELECT pg_get_indexdef(c.oid) FROM pg_class c WHERE c.relname = %s")
        return replace(live, definition=said or live.definition)

    def _view(self, live: Relation, ours: Relation) -> str:
        if live.kind not in _VIEWS or live.definition == ours.definition:
            return live.definition
        schema = sql.Identifier(live.name.schema)
        create = sql.SQL("CREATE VIEW {}.{} AS {}").format(schema, _name(), _text(live.definition.rstrip().rstrip(";")))
        return (
            self._said(create, "SELECT pg_get_viewdef(c.oid) FROM pg_class c WHERE c.relname = %s") or live.definition
        )

    def function(self, live: Function, ours: Function | None) -> Function:
        """A body of parsed SQL (BEGIN ATOMIC, RETURN) is printed back from its parse tree as well."""
        parsed = live.source.startswith(("BEGIN ATOMIC", "RETURN "))
        if ours is None or not parsed or live.source == ours.source or live.kind != "f":
            return live
        create = sql.SQL("CREATE FUNCTION {}.{}({}) RETURNS {} LANGUAGE sql {}").format(
            sql.Identifier(live.name.schema), _name(), _text(live.identity), _text(live.returns), _text(live.source)
        )
        said = self._said(create, "SELECT pg_get_function_sqlbody(p.oid) FROM pg_proc p WHERE p.proname = %s")
        return replace(live, source=said or live.source)

    def _said(self, make: sql.Composed, ask: str, about: tuple[str, ...] = (_PROBE,)) -> str | None:
        """What the server prints of an object that is made and unmade; None where it does not take it.

        Prepared, so that the server takes one statement and no more.
        """
        try:
            with self.connection.transaction(force_rollback=True):
                self.connection.execute(make, prepare=True)
                row = self.connection.execute(ask.encode(), about).fetchone()
        except psycopg.Error:
            return None
        return str(row[0]) if row is not None and row[0] is not None else None


def _name() -> sql.Identifier:
    return sql.Identifier(_PROBE)


def _of(table: QName) -> sql.Identifier:
    return sql.Identifier(*table)


def _text(expression: str) -> sql.SQL:
    """What the live server printed from a parse tree; it is never anything that a user typed."""
    return sql.SQL(expression)
