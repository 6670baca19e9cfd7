"""
How a persona reads a relation that is too large to be read as a whole.

Rows of others come first: the condition that a row is somebody else's is part of the persona's own query, so that a
leak is among the first rows of the answer however large the table is.  Where no column says whose a row is, or where
that takes too long, rows that the observer chose are asked for by their keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from psycopg import sql

from tenantproof.channels.stand import Stand
from tenantproof.core.attempt import Attempt, Form
from tenantproof.core.model import Command, Locator
from tenantproof.core.world import Row
from tenantproof.engine.existing.samples import with_keys
from tenantproof.oracle.entitlement import Stance


@dataclass(frozen=True, slots=True)
class Probe:
    """One read.  `masked` is its text without ids, with psql's variables in their place; `in_script` is what a script
    asks, which holds no ids either; `decisive` tells that its failure leaves the cell open."""

    attempt: Attempt
    masked: str
    in_script: str
    decisive: bool


def probes(stand: Stand, whole: Attempt, chosen: Sequence[Row], most: int) -> Iterator[Probe]:
    """The reads of one cell; *whole* is the attempt that would read everything, *chosen* the observer's sample."""
    by_key = whole.form is Form.READ
    if by_key and chosen:
        yield _by_key(stand, whole, chosen)
    for narrowing, only_way in _narrowings(stand, by_key=by_key):
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


def _narrowings(stand: Stand, *, by_key: bool) -> Iterator[tuple[_Narrowing, bool]]:
    """Conditions, rows of others first, and whether the cell stays open where the statement fails."""
    tenant, owner = (_column(stand, locator) for locator in (stand.tenancy.tenant, stand.tenancy.owner))
    if tenant is not None:
        yield lambda ids: _of_others(tenant, ids.tenants), not by_key
        if stand.own_tenants and not by_key:
            yield lambda ids: _of(tenant, ids.tenants), True
        if owner is not None and _keeps_from_colleagues(stand):
            yield (
                lambda ids: sql.SQL("{} AND {}").format(_of(tenant, ids.tenants), _of_others(owner, ids.user)),
                False,
            )
    elif owner is not None and stand.tenancy.tenant is None:
        yield lambda ids: _of_others(owner, ids.user), not by_key
    else:
        yield lambda _: None, not by_key


def _ask(whole: Attempt, condition: sql.Composable | None, most: int | None) -> str:
    where = sql.SQL(" WHERE {}").format(condition) if condition is not None else sql.SQL("")
    bound = sql.SQL(" LIMIT {}").format(sql.Literal(most)) if most is not None else sql.SQL("")
    return whole.sql + (where + bound).as_string(None)


def _column(stand: Stand, locator: Locator | None) -> str | None:
    """The column of the relation that holds the value, where the persona may read it."""
    if locator is None or len(locator.path) != 1:
        return None
    column = locator.path[0]
    readable = stand.writable("SELECT") or stand.visible
    return column if column in readable else None


def _keeps_from_colleagues(stand: Stand) -> bool:
    own = stand.own_tenants
    return any(row.tenant in own for row in stand.rows_with(Command.SELECT, Stance.FORBIDDEN))


def _of(column: str, values: Sequence[sql.Composable]) -> sql.Composable:
    return sql.SQL("{} IN ({})").format(sql.Identifier(column), sql.SQL(", ").join(values))


def _of_others(column: str, values: Sequence[sql.Composable]) -> sql.Composable:
    if not values:
        return sql.SQL("true")
    listed = sql.SQL(", ").join(values)
    return sql.SQL("({0} NOT IN ({1}) OR {0} IS NULL)").format(sql.Identifier(column), listed)
