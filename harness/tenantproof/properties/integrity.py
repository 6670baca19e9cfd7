"""
Integrity: an attempt leaves every row that the persona may not change exactly as it was.

Pure functions over the changes that the observer saw.  In the relations that the program itself writes to, the
scenario decides row by row.  Elsewhere (what triggers, cascades and functions did) the application may do inside the
own tenant what it likes; there the border alone holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tenantproof.core.attempt import Change
from tenantproof.core.model import Command, QName
from tenantproof.core.world import Row
from tenantproof.properties.border import Border, Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """One row that was changed against the scenario; `row` is the state of it that was not the persona's to make."""

    change: Change
    row: Row
    crosses: bool
    """Whether the row is another tenant's (or a stranger's), rather than forbidden inside the own tenant."""
    raised: bool = False
    """Whether the persona's own role or memberships grew."""
    beside: bool = False
    """Whether the program did not name the relation as a target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranks:
    """The flags that tell a role in a membership table, strongest first."""

    flags: Sequence[str]

    def of(self, row: Row) -> int:
        """0 is the strongest; one past the last where the row has no role at all."""
        return next((i for i, flag in enumerate(self.flags) if flag in row.flags), len(self.flags))


@dataclass(frozen=True, slots=True, kw_only=True)
class Hanging:
    """What rows of a relation can hang on, and whether a write to one may rightly write to others of the relation."""

    parents: frozenset[QName] = frozenset()
    tangled: bool = False


LOOSE = Hanging()


def breaches(
    border: Border,
    changes: Iterable[Change],
    direct: Mapping[QName, Command],
    memberships: Mapping[QName, Ranks],
    hanging: Mapping[QName, Hanging],
) -> list[Breach]:
    """What the changes of one program did that they should not.

    *direct* are the relations that the program names as targets, with its command; *memberships* the tables that say
    who belongs where; *hanging* what rows can drag along.  Inside the own tenant, and between users of tables without
    tenants, rows that go along with one that was changed rightly (older versions that are marked, replies and shares
    that go with what they hang on) are the application's affair.
    """
    told = list(changes)
    found = [_breach(border, change, direct, memberships) for change in told]
    permitted = [change for change, breach in zip(told, found, strict=True) if breach is None]
    return [breach for breach in found if breach is not None and not _drags_along(border, breach, permitted, hanging)]


def _drags_along(border: Border, breach: Breach, permitted: Sequence[Change], hanging: Mapping[QName, Hanging]) -> bool:
    """Whether the row went along with one that was changed rightly."""
    if breach.raised:
        return False
    if _is_reaction(border, breach, permitted):
        return True
    if _foreign(border, breach.row):
        return False
    around = hanging.get(breach.change.relation, LOOSE)
    if around.tangled and any(_place(change) == _place(breach.change) for change in permitted):
        return True
    gone = {change.relation for change in permitted if change.after is None}
    return breach.change.after is None and bool(around.parents & gone)


def _is_reaction(border: Border, breach: Breach, permitted: Sequence[Change]) -> bool:
    """Whether a row that is open to the persona counts or rates something that the persona rightly wrote."""
    before, after = breach.change.before, breach.change.after
    if before is None or after is None or not breach.beside:
        return False
    open_to_read = all(border.side(breach.change.relation, row) is Side.MINE for row in (before, after))
    return open_to_read and any(change.relation != breach.change.relation for change in permitted)


def _place(change: Change) -> tuple[QName, str | None]:
    """The relation, and the tenant in it."""
    row = change.before or change.after
    return change.relation, row.tenant if row is not None else None


def _breach(
    border: Border, change: Change, direct: Mapping[QName, Command], memberships: Mapping[QName, Ranks]
) -> Breach | None:
    ranks = memberships.get(change.relation)
    if ranks is not None and _raised(border, change, ranks):
        assert change.after is not None
        return Breach(change=change, row=change.after, crosses=_foreign(border, change.after), raised=True)
    command = direct.get(change.relation)
    if command not in (change.command, Command.DELETE):
        command = None  # what a trigger or an upsert did beside it
    for row in _states(change, command):
        if command is not None:
            side = border.side(change.relation, row, command)
            if side is not Side.MINE:
                return Breach(change=change, row=row, crosses=side is Side.FOREIGN)
        elif _trespass(border, change, row):
            return Breach(change=change, row=row, crosses=True, beside=True)
    return None


def _states(change: Change, command: Command | None) -> tuple[Row, ...]:
    """The row as it was and as it became; of a DELETE that a trigger turns into a mark, only as it was."""
    deleted = command is Command.DELETE and change.before is not None
    states = (change.before,) if deleted else (change.before, change.after)
    return tuple(row for row in states if row is not None)


def _trespass(border: Border, change: Change, row: Row) -> bool:
    """Whether a side effect crossed the border.

    A message left for a stranger (a new row of a table whose rows have owners and no tenant) is what such tables are
    for, unless people belong to teams and the stranger to another one.
    """
    if _foreign(border, row):
        return True
    stranger = row.tenant is None and border.crosses(change.relation, row)
    return stranger and (change.before is not None or border.of_another_team(row))


def _foreign(border: Border, row: Row) -> bool:
    return border.crosses_to_a_tenant(row)


def _raised(border: Border, change: Change, ranks: Ranks) -> bool:
    """Whether the persona now belongs where it did not, or is stronger than before."""
    after, before, user = change.after, change.before, border.persona.user_id
    if after is None or user is None or after.owner != user:
        return False
    if before is None or before.owner != user or before.tenant != after.tenant:
        return _foreign(border, after)
    return ranks.of(after) < ranks.of(before)
