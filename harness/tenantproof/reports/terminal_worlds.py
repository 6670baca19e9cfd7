"""Evidence of two worlds in the terminal: what happened behind the persona's back, and what it perceived before and
after; side by side where there is room, else one below the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from rich.text import Text

from tenantproof.core.finding import Evidence
from tenantproof.reports.pen import Pen
from tenantproof.reports.worlds import ALIKE, Pair, Skipped, compare, excerpt, focused, has_two_worlds, looks_alike

INDENT = " " * 15
"""Up to where the content of a finding's fields begins."""

_LINES = 6
_FOLDS = 2
"""Lines of the terminal that one line may take in an excerpt."""
_WIDE = 100
"""Columns from which the worlds stand side by side."""
_BETWEEN = 2
_NARROWEST = 10
_TITLES = ("world 1, before", "world 2, after")
_SAME, _DIFFERS = "  ", "* "
"""Before each line: colour is never alone."""
_STYLE = "yellow"

_Shown = Sequence[Pair | Skipped]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """How wide a line may be, and in how many lines of the terminal it may be folded (None: as many as it takes)."""

    pen: Pen
    width: int
    folds: int | None

    def fold(self, pair: Pair) -> tuple[list[Text], list[Text]]:
        """Both lines of a pair, each as lines of the terminal with their marks."""
        fitting = pair if self.folds is None else focused(pair, self.width * self.folds)
        first, second = (self._folded(line, pair.differs) for line in fitting.lines)
        return first, second

    def _folded(self, line: str | None, differs: bool) -> list[Text]:
        if line is None:
            return []
        text = self.pen.text((line, _STYLE if differs else ""))
        if self.folds is not None and text.cell_len > self.width * self.folds:
            text.truncate(self.width * self.folds - 3)
            text.append(self.pen.spell("…"))
        folded = text.wrap(self.pen.console, self.width, overflow="fold") or [text]
        mark = Text(_DIFFERS, _STYLE) if differs else Text(_SAME)
        return [Text.assemble(_SAME if index else mark, part) for index, part in enumerate(folded)]


def worlds(pen: Pen, evidence: Evidence, *, verbose: bool) -> None:
    """Print what happened behind the persona's back and both observations; nothing for evidence of one world."""
    if evidence.behind:
        pen.paragraph(INDENT, f"behind their back: {evidence.behind}")
    pairs = compare(evidence)
    if not pairs:
        return
    shown = pairs if verbose else excerpt(pairs, _LINES)
    folds = None if verbose else _FOLDS
    room = pen.width - len(INDENT)
    if has_two_worlds(evidence) and pen.width >= _WIDE:
        _beside(_Column(pen=pen, width=(room - _BETWEEN) // 2 - len(_SAME), folds=folds), shown)
    else:
        _below(_Column(pen=pen, width=max(_NARROWEST, room - len(_SAME)), folds=folds), shown, evidence)
    if looks_alike(evidence):
        pen.paragraph(INDENT + _SAME, (ALIKE, "dim"))


def _beside(column: _Column, shown: _Shown) -> None:
    titles = (Text(_SAME + _TITLES[0], "bold"), Text(_SAME + _TITLES[1], "bold"))
    folded = [([titles[0]], [titles[1]]), *(column.fold(item) for item in shown if isinstance(item, Pair))]
    left = max(line.cell_len for first, _ in folded for line in first) + _BETWEEN
    rows = iter(folded)
    _print_beside(column.pen, next(rows), left)
    for item in shown:
        if isinstance(item, Skipped):
            _skipped(column.pen, len(item.pairs), item)
        else:
            _print_beside(column.pen, next(rows), left)


def _print_beside(pen: Pen, row: tuple[list[Text], list[Text]], left: int) -> None:
    for first, second in zip_longest(*row, fillvalue=Text()):
        _print(pen, Text.assemble(first, " " * (left - first.cell_len), second))


def _below(column: _Column, shown: _Shown, evidence: Evidence) -> None:
    for world, lines in enumerate((evidence.world_1, evidence.world_2)):
        if lines:
            _print(column.pen, Text(_SAME + _TITLES[world], "bold"))
            for item in shown:
                _one_world(column, world, item)


def _one_world(column: _Column, world: int, item: Pair | Skipped) -> None:
    if isinstance(item, Skipped):
        _skipped(column.pen, item.counts[world], item)
        return
    for line in column.fold(item)[world]:
        _print(column.pen, line)


def _skipped(pen: Pen, count: int, skipped: Skipped) -> None:
    if count:
        differ = f", {skipped.differing} of them different" if skipped.differing else ""
        _print(pen, pen.text(_SAME, (f"… {count} more{differ} (-v)", "dim")))


def _print(pen: Pen, line: Text) -> None:
    whole = Text.assemble(INDENT, line)
    whole.rstrip()
    pen.console.print(whole, soft_wrap=True, highlight=False)
