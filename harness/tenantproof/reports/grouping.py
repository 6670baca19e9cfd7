"""Many cells with one reason become one paragraph: reason, then relations, commands and personas."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tenantproof.core.finding import CellResult, Verdict
from tenantproof.core.model import Command
from tenantproof.core.report import Report
from tenantproof.reports.matrix import Matrix


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Relations for which the same commands of the same personas share a reason."""

    objects: tuple[str, ...]
    commands: tuple[Command, ...]
    personas: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One reason, how many cells it holds for, and which."""

    text: str
    count: int
    blocks: tuple[Block, ...]


def group_by_reason(
    cells: Iterable[CellResult], why: Callable[[CellResult], str], personas: Sequence[str]
) -> tuple[Reason, ...]:
    """Cells grouped by `why(cell)`, the most frequent first; personas in the order given."""
    by_reason: dict[str, list[CellResult]] = defaultdict(list)
    for cell in cells:
        by_reason[why(cell)].append(cell)
    reasons = [
        Reason(text=text, count=len(members), blocks=blocks(members, personas)) for text, members in by_reason.items()
    ]
    return tuple(sorted(reasons, key=lambda reason: (-reason.count, reason.text)))


def blocks(cells: Iterable[CellResult], personas: Sequence[str]) -> tuple[Block, ...]:
    """The fewest lines that name exactly these cells: rectangles of objects, commands and personas."""
    commands: dict[tuple[str, str], set[Command]] = defaultdict(set)
    for cell in cells:
        commands[cell.object, cell.persona].add(cell.command)
    order = {persona: index for index, persona in enumerate(personas)}
    rows: dict[tuple[str, frozenset[Command]], list[str]] = defaultdict(list)
    for (name, persona), said in sorted(commands.items(), key=lambda item: (item[0][0], order[item[0][1]])):
        rows[name, frozenset(said)].append(persona)
    merged: dict[tuple[frozenset[Command], tuple[str, ...]], list[str]] = defaultdict(list)
    for (name, said_by), members in rows.items():
        merged[said_by, tuple(members)].append(name)
    return tuple(
        Block(
            objects=tuple(names),
            commands=tuple(command for command in Command if command in said_by),
            personas=members,
        )
        for (said_by, members), names in merged.items()
    )


def why(cell: CellResult) -> str:
    """A cell's reason, or else what was expected and what came."""
    if cell.reason:
        return cell.reason
    if cell.expected or cell.observed:
        return f"expected {cell.expected or 'nothing'}, observed {cell.observed or 'nothing'}"
    return "no reason was recorded"


def deviating_cells(report: Report, matrix: Matrix, verdict: Verdict) -> list[CellResult]:
    """Cells with this verdict that no finding tells of."""
    return [
        cell
        for cell in report.cells
        if cell.verdict is verdict and (cell.object, cell.persona, cell.command) not in matrix.findings
    ]
