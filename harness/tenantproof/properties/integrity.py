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


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranks:
    """The flags that tell a role in a membership table, strongest first."""

    flags: Sequence[str]

    def of(self, row: Row) -> int:
        """0 is the strongest; one past the last where the row has no role at all."""
        return next((i for i, flag in enumerate(self.flags) if flag in row.flags), len(self.flags))


def breaches(
    border: Border,
    changes: Iterable[Change],
    direct: Mapping[QName, Command],
    memberships: Mapping[QName, Ranks],
) -> list[Breach]:
    """What the changes of one program did that they should not.

    *direct* are the relations that the program names as targets, with its command; *memberships* the tables that say
    who belongs where.  Inside the own tenant, and between users of tables without tenants, what else
    happens in a relation where the program changed a row rightly (older versions marked, replies that go with their
    thread) is the application's affair.
    """
    told = list(changes)
    found = [_breach(border, change, direct, memberships) for change in told]
    permitted = {change.relation for change, breach in zip(told, found, strict=True) if breach is None}
    return [
        breach
        for breach in found
        if breach is not None and (_in_any_case(border, breach) or breach.change.relation not in permitted)
    ]


def _in_any_case(border: Border, breach: Breach) -> bool:
    """Whether a tenant's border was crossed, or a right was gained."""
    return breach.raised or _foreign(border, breach.row)


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
            return Breach(change=change, row=row, crosses=True)
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
    if change.after is None:
        return False  # what hangs on a row (a share, a reaction) goes with it, whosever it is
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
