"""Whose the rows of a view are, where the tables below it do not say so by columns of the same name."""

from __future__ import annotations

from collections.abc import Mapping

from tenantproof.catalog.inference.ground import Ground
from tenantproof.catalog.inference.lexicon import names_key_of
from tenantproof.catalog.inference.proposal import Decision, Kind
from tenantproof.catalog.inference.tokens import Token, bare, tokenize
from tenantproof.core.catalog import Relation
from tenantproof.core.model import Locator, QName, Tenancy


def decide_view(ground: Ground, view: Relation, decided: Mapping[QName, Decision]) -> Decision:
    """The decision on one view or materialized view; *decided* are the tables and the views below it."""
    if not ground.privileges.any_granted(view) and view.name not in ground.shown:
        return Decision(
            name=view.name,
            kind=Kind.PRIVATE,
            tenancy=Tenancy(private=True),
            why="no role of the application holds a privilege on it",
        )
    bases = [decided[name] for name in view.base_relations if name in decided]
    owners = {d.tenancy.owner.path[-1] for d in bases if d.tenancy.owner is not None and len(d.tenancy.owner.path) == 1}
    owner = next((c for c in view.column_names if c in owners), None)
    column = _tenant_column(ground, view, bases)
    if column is not None:
        tenancy = Tenancy(tenant=Locator(path=(column,)), owner=Locator(path=(owner,)) if owner else None)
        return Decision(name=view.name, kind=Kind.TENANT, tenancy=tenancy, why=f"{column} shows the tenant")
    kinds = {base.kind for base in bases}
    if bases and kinds == {Kind.SHARED}:
        why = "shows reference data alone"
        return Decision(name=view.name, kind=Kind.SHARED, tenancy=Tenancy(shared=True), why=why)
    if owner is not None and kinds <= {Kind.OWNER, Kind.SHARED}:
        why = f"{owner} shows the owner"
        return Decision(name=view.name, kind=Kind.OWNER, tenancy=Tenancy(owner=Locator(path=(owner,))), why=why)
    return Decision(
        name=view.name,
        kind=Kind.UNDECIDED,
        tenancy=Tenancy(undecided=True),
        why="none of its columns shows a tenant: whose are its rows? (counts of everybody are nobody's to see)",
    )


def _tenant_column(ground: Ground, view: Relation, bases: list[Decision]) -> str | None:
    """The output column that the tenant's own column of a base becomes: by its place in the query, or by its name."""
    located = {
        (b.name, b.tenancy.tenant.path[0]) for b in bases if b.tenancy.tenant and len(b.tenancy.tenant.path) == 1
    }
    carried = {(name, c) for name in view.base_relations for c in ground.tenant_columns.get(name, ())}
    outputs = _outputs(view)
    for wanted in (located, carried):
        by_query = [column for column, source in outputs.items() if any(source == c for _table, c in wanted)]
        named = [column for column in view.column_names if any(column == c for _table, c in wanted)]
        for found in (named if wanted is located else [], by_query):
            if len(found) == 1 and not (found[0] == "id" and _is_ambiguous(view, bases)):
                return found[0]
    usual = [column for column in view.column_names if column in ground.usual or _called_after(ground, column)]
    return usual[0] if len(usual) == 1 and (located or carried) else None


def _is_ambiguous(view: Relation, bases: list[Decision]) -> bool:
    """Whether a column called `id` may be that of another table than the tenants'."""
    plain = all(base.kind in (Kind.TENANTS, Kind.MEMBERS) for base in bases)
    return not plain and len(view.base_relations) > 1


def _called_after(ground: Ground, column: str) -> bool:
    return ground.tenants is not None and names_key_of(column, ground.tenants.name)


def _outputs(view: Relation) -> dict[str, str]:
    """Output column -> the base column it is, for what stands in the outermost SELECT list as a plain name."""
    tokens = tokenize(view.definition)
    if not tokens or not tokens[0].says("select"):
        return {}
    items: list[list[Token]] = [[]]
    depth = 0
    for token in tokens[1:]:
        depth += (token.kind == "open") - (token.kind == "close")
        if depth == 0 and token.says("from"):
            break
        if depth == 0 and token.text == ",":
            items.append([])
        else:
            items[-1].append(token)
    found = {}
    for item, column in zip(items, view.column_names, strict=False):
        value = item[: next((place for place, token in enumerate(item) if token.says("as")), len(item))]
        if name := bare(value):
            found[column] = name[-1]
    return found
