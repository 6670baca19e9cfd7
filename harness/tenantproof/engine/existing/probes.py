"""
How a persona reads a relation that is too large to be read as a whole.

Rows of others come first: the condition that a row is somebody else's is part of the persona's own query, so that a
leak is among the first rows of the answer however large the table is.  Rows that the observer chose are asked for by
their keys, too: they are compared where the search takes too long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from psycopg import sql

from tenantproof.channels.stand import Stand
from tenantproof.core.attempt import Attempt, Form
from tenantproof.core.catalog import Catalog
from tenantproof.core.model import Command, Locator
from tenantproof.core.world import Row
from tenantproof.engine.existing.samples import with_keys
from tenantproof.oracle.entitlement import Stance
from tenantproof.seeding.paths import locate


@dataclass(frozen=True, slots=True)
class Probe:
    """One read.  `masked` is its text without ids, with psql's variables in their place; `in_script` is what a script
    asks, which holds no ids either; `decisive` tells that its failure leaves the cell open."""

    attempt: Attempt
    masked: str
    in_script: str
    decisive: bool


def probes(stand: Stand, whole: Attempt, chosen: Sequence[Row], most: int, catalog: Catalog) -> Iterator[Probe]:
    """The reads of one cell; *whole* is the attempt that would read everything, *chosen* the observer's sample."""
    by_key = whole.form is Form.READ
    if by_key and chosen:
        yield _by_key(stand, whole, chosen)
    for narrowing, only_way in _narrowings(stand, catalog, by_key=by_key):
        yield Probe(
            attempt=replace(whole, sql=_ask(whole, narrowing(_Ids.of(stand)), most)),
            masked=_ask(whole, narrowing(_Ids.as_variables(stand)), most),
            in_script=_ask(whole, narrowing(_Ids.as_variables(stand)), most),
            decisive=only_way,
        )


def _by_key(stand: Stand, whole: Attempt, chosen: Sequence[Row]) -> Probe:
    condition = with_keys(stand.relation, [row.key for row in chosen])
    masked = f"{whole.sql} WHERE ({', '.join(stand.key_columns)}) IN (… {len(chosen)} rows that the observer chose …)"
    return Probe(replace(whole, sql=_ask(whole, condition, None)), masked, whole.sql, decisive=True)


@dataclass(frozen=True, slots=True)
class _Ids:
    """The persona's own ids, as literals or as psql's variables."""

    tenants: Sequence[sql.Composable]
    user: Sequence[sql.Composable]

    @classmethod
    def of(cls, stand: Stand) -> _Ids:
        user = stand.persona.user_id
        return cls([*map(sql.Literal, stand.own_tenants)], [sql.Literal(user)] if user else [])

    @classmethod
    def as_variables(cls, stand: Stand) -> _Ids:
        tenants = [sql.SQL(f":'{tenant_variable(number)}'") for number, _ in enumerate(stand.own_tenants, start=1)]
        return cls(tenants, [sql.SQL(f":'{USER}'")] if stand.persona.user_id else [])


USER = "user_id"
"""psql's variable for the persona's id."""


def tenant_variable(number: int) -> str:
    """psql's variable for a tenant of the persona's."""
    return f"tenant_{number}"


_Narrowing = Callable[[_Ids], sql.Composable | None]


def _narrowings(stand: Stand, catalog: Catalog, *, by_key: bool) -> Iterator[tuple[_Narrowing, bool]]:
    """Conditions, rows of others first, and whether the cell stays open where the statement fails.

    A path to the tenant is followed with the persona's own eyes: a row whose path ends in the dark is asked for, too.
    """
    tenant, owner = (_place(stand, locator, catalog) for locator in (stand.tenancy.tenant, stand.tenancy.owner))
    known = _not_given(stand)
    if tenant is not None:
        yield lambda ids: _both(_not_in(tenant, ids.tenants), known), not by_key
        yield lambda _: _both(sql.SQL("{} IS NULL").format(tenant), known), False
        if stand.own_tenants and not by_key:
            yield lambda ids: _in(tenant, ids.tenants), True
        if owner is not None and stand.own_tenants and _keeps_from_colleagues(stand):
            yield lambda ids: _both(_in(tenant, ids.tenants), _or_null(owner, _not_in(owner, ids.user)), known), False
    elif owner is not None and stand.tenancy.tenant is None:
        yield lambda ids: _both(_or_null(owner, _not_in(owner, ids.user)), known), not by_key
    else:
        yield lambda _: known, not by_key


def _not_given(stand: Stand) -> sql.Composable | None:
    """That a row has none of the flags for which the scenario gives the persona rows of others, too."""
    flagged = [
        sql.SQL("({}) IS NOT TRUE").format(sql.SQL(predicate))
        for predicate in stand.predicates
        if stand.stance(Command.SELECT, Row(key=(), tenant=_NOBODYS, flags=frozenset({predicate})))
        is not Stance.FORBIDDEN
    ]
    return sql.SQL(" AND ").join(flagged) if flagged else None


_NOBODYS = "a tenant that nobody has"


def _ask(whole: Attempt, condition: sql.Composable | None, most: int | None) -> str:
    where = sql.SQL(" WHERE {}").format(condition) if condition is not None else sql.SQL("")
    bound = sql.SQL(" LIMIT {}").format(sql.Literal(most)) if most is not None else sql.SQL("")
    return whole.sql + (where + bound).as_string(None)


def _place(stand: Stand, locator: Locator | None, catalog: Catalog) -> sql.Composable | None:
    """Where the persona finds a row's tenant or owner: the bare column, for which an index can be used, or a text."""
    if locator is None:
        return None
    readable = stand.writable("SELECT") or stand.visible
    if locator.path and locator.path[0] not in readable:
        return None
    if len(locator.path) == 1:
        return sql.Identifier(locator.path[0])
    return sql.SQL("({})::text").format(locate(stand.relation, locator, catalog))


def _keeps_from_colleagues(stand: Stand) -> bool:
    own = stand.own_tenants
    return any(row.tenant in own for row in stand.rows_with(Command.SELECT, Stance.FORBIDDEN))


def _in(place: sql.Composable, values: Sequence[sql.Composable]) -> sql.Composable:
    return sql.SQL("{} IN ({})").format(place, sql.SQL(", ").join(values))


def _not_in(place: sql.Composable, values: Sequence[sql.Composable]) -> sql.Composable:
    if not values:
        return sql.SQL("{} IS NOT NULL").format(place)
    return sql.SQL("{} NOT IN ({})").format(place, sql.SQL(", ").join(values))


def _or_null(place: sql.Composable, condition: sql.Composable) -> sql.Composable:
    return sql.SQL("({} OR {} IS NULL)").format(condition, place)


def _both(*conditions: sql.Composable | None) -> sql.Composable:
    return sql.SQL(" AND ").join(condition for condition in conditions if condition is not None)
