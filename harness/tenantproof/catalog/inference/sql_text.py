"""Expressions for `{sql: ...}`: the value at the end of a path, in PostgreSQL's own words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tenantproof.catalog.inference.keys import single_targets
from tenantproof.catalog.inference.tokens import KEYWORDS
from tenantproof.core.catalog import Catalog, Relation


def value_at(catalog: Catalog, relation: Relation, path: Sequence[str], alias: str, depth: int = 1) -> str:
    """The value at the end of a path as SQL over the row's columns; empty where a step has no foreign key."""
    column = quoted(path[0]) if not alias else f"{alias}.{quoted(path[0])}"
    if len(path) == 1:
        return column
    for table, key in single_targets(relation, path[0]):
        target = catalog.relations.get(table)
        if target is not None and path[1] in target.column_names:
            onward = value_at(catalog, target, path[1:], f"t{depth}", depth + 1)
            source = f"{quoted(table.schema)}.{quoted(table.name)} t{depth}"
            return looked_up(onward, source, f"t{depth}.{quoted(key)}", column) if onward else ""
    return ""


def looked_up(value: str, source: str, key: str, column: str) -> str:
    """A scalar subquery for the scenario's text; every name in it is quoted already."""
    return f"(select {value} from {source} where {key} = {column})"  # noqa: S608  # written into a file, for people


def quoted(name: str) -> str:
    return (
        name
        if re.fullmatch(r"[a-z_][a-z0-9_]*", name) and name not in KEYWORDS
        else '"' + name.replace('"', '""') + '"'
    )
