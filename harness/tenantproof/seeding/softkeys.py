"""
Keys that no foreign key declares: a tenant is found by a sub-select, which says which row a column refers to.

In `(select t0.org_id from invoice t0 where t0.id = invoice_id)` the column `invoice_id` refers to `invoice.id`; so it
does in `org_of(invoice_id)` where that is what the function's body says.
Seeding treats such a column like a foreign key; other expressions than this usual kind give none, and what then comes
of the seeded rows is looked at afterwards (`aftermath`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from tenantproof.core.catalog import Catalog, Constraint, ConstraintKind, Function, Relation
from tenantproof.core.model import QName, Tenancy

_NAME = r'(?:"(?:[^"]|"")+"|[A-Za-z_][\w$]*)'
_CAST = rf"(?:::\s*{_NAME})?"
_FROM = re.compile(rf"\b(?:from|join)\s+({_NAME}(?:\.{_NAME})?)(?:\s+(?:as\s+)?({_NAME}))?", re.IGNORECASE)
_SIDE = rf"\(?({_NAME}(?:\.{_NAME})*)\)?{_CAST}"
_EQUAL = re.compile(rf"{_SIDE}\s*=\s*{_SIDE}")
_WORDS = frozenset(
    {"where", "join", "on", "left", "right", "inner", "cross", "full", "group", "order", "limit", "using"}
)


def keys_of(relation: Relation, tenancy: Tenancy, catalog: Catalog) -> tuple[Constraint, ...]:
    """The foreign keys of a table, and those that the expression of its tenant implies."""
    # What the scenario fills itself, it answers for.
    bound = {column for key in relation.foreign_keys for column in key.columns} | tenancy.values.keys()
    text = tenancy.tenant.sql if tenancy.tenant is not None else ""
    implied: dict[str, Constraint] = {}
    for column, parent, referred in _implied(text, relation, catalog) if text else ():
        if column not in bound and parent != relation.name:
            implied.setdefault(column, _key(column, parent, referred))
    return (*relation.foreign_keys, *implied.values())


def _key(column: str, parent: QName, referred: str) -> Constraint:
    return Constraint(
        name=f"{column} as the tenancy says",
        kind=ConstraintKind.FOREIGN,
        columns=(column,),
        definition="",
        references=parent,
        ref_columns=(referred,),
    )


def _implied(text: str, relation: Relation, catalog: Catalog) -> Iterator[tuple[str, QName, str]]:
    """The table's column, the other table, and its column, for each equality between them."""
    relations = catalog.relations
    for said in (text, *_called(text, relation, catalog.functions)):
        sources = dict(_sources(said, relation, relations))
        for sides in _EQUAL.findall(said):
            for own, other in (sides, sides[::-1]):
                column, (alias, referred) = _own_column(own, relation, sources, relations), _qualified(other)
                parent = sources.get(alias) or _only(sources, alias)
                if column is not None and parent is not None and referred in relations[parent].column_names:
                    yield column, parent, referred


def _only(sources: Mapping[str, QName], alias: str) -> QName | None:
    """The table that an unqualified name is of, where there is one only."""
    return next(iter(sources.values())) if not alias and len(sources) == 1 else None


def _called(text: str, relation: Relation, functions: Iterable[Function]) -> Iterator[str]:
    """Bodies of functions that the expression calls with one column, which stands in the place of the argument."""
    for function in functions:
        names = [argument.name for argument in function.arguments if argument.mode in "ib"]
        call = re.search(rf"(?<![\w\"]){re.escape(function.name.name)}\"?\s*\(\s*{_SIDE}\s*\)", text)
        if call is None or len(names) != 1 or not function.source:
            continue
        yield _given(function, names[0], _qualified(call.group(1))[1], relation)


def _given(function: Function, argument: str, column: str, relation: Relation) -> str:
    """The function's source with the table's column where it names its argument."""
    own = ".".join('"' + part.replace('"', '""') + '"' for part in (relation.name.name, column))
    name = rf"(?:{re.escape(function.name.name)}\.)?{re.escape(argument)}" if argument else r"\$1"
    return re.sub(rf"(?<![\w.\"])(?:{name}|\$1)(?![\w.\"(])", lambda _: own, function.source)


def _sources(text: str, relation: Relation, relations: Mapping[QName, Relation]) -> Iterator[tuple[str, QName]]:
    for named, alias in _FROM.findall(text):
        schema, name = _qualified(named)
        found = QName(schema or relation.name.schema, name)
        if found in relations:
            yield (_bare(alias) if alias and alias.lower() not in _WORDS else name), found


def _own_column(
    text: str, relation: Relation, sources: Mapping[str, QName], relations: Mapping[QName, Relation]
) -> str | None:
    """The table's column that a name in the sub-select means: an unqualified one is looked for inside first."""
    qualifier, name = _qualified(text)
    inside = any(name in relations[source].column_names for source in sources.values())
    if name not in relation.column_names or qualifier not in ("", relation.name.name) or qualifier in sources:
        return None
    return name if qualifier or not inside else None


def _qualified(text: str) -> tuple[str, str]:
    parts = [_bare(part) for part in re.findall(_NAME, text)]
    return (parts[-2] if len(parts) > 1 else "", parts[-1])


def _bare(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
