"""Which line of `expect:` speaks of a table, a command and a role: the most specific one."""

from __future__ import annotations

from collections.abc import Sequence

from tenantproof.core.model import Command, Expectation, QName


def resolve(
    expectations: Sequence[Expectation], table: QName, command: Command, role: str | None
) -> Expectation | None:
    """The expectation that holds, or None where no line says anything.

    Exact table before "*"; within a table the exact command before read/write before all; within a command the
    named role before "*" before a scalar.
    """
    candidates = [
        line
        for line in expectations
        if line.command is command and line.table in (table, None) and line.role in (role, "*", None)
    ]
    return min(candidates, key=_distance, default=None)


def _distance(line: Expectation) -> tuple[bool, int, int]:
    role_distance = {None: 2, "*": 1}.get(line.role, 0)
    return (line.table is None, line.breadth, role_distance)
