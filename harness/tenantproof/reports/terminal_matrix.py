"""The matrix in the terminal: relations as rows, personas as columns, four glyphs S I U D per cell."""

from __future__ import annotations

import string
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from tenantproof.core.report import Report
from tenantproof.reports.matrix import Matrix, Outcome, tenant_of
from tenantproof.reports.pen import STYLES, Pen
from tenantproof.reports.wording import plural

_SPACED = 2
_LEGEND = (
    Outcome.ALLOWED,
    Outcome.DENIED,
    Outcome.LEAKED,
    Outcome.OVERBLOCKED,
    Outcome.UNTESTED,
    Outcome.ERROR,
    Outcome.ACCEPTED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: its header, and a persona that stands for all the personas it covers."""

    header: str
    persona: str
    covers: str = ""
    """The personas in words, where the header is only a letter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Columns that fit the console, what stands between two glyphs, and how many spaces between two columns."""

    columns: tuple[Column, ...]
    joiner: str
    gap: int

    @property
    def width(self) -> int:
        return sum(_column_width(column, self.joiner) + self.gap for column in self.columns)

    @property
    def header_lines(self) -> int:
        return max((column.header.count("\n") + 1 for column in self.columns), default=1)


def matrix_table(pen: Pen, report: Report, matrix: Matrix, *, verbose: bool) -> None:
    """Print the relations that are not wholly as expected (all of them when verbose), and a legend."""
    shown = [name for name in matrix.relations if verbose or not matrix.as_expected(name)]
    hidden = len(matrix.relations) - len(shown)
    if shown:
        _print_table(pen, report, matrix, shown)
    if hidden:
        more = "more " if shown else ""
        pen.line(f" {plural(hidden, f'{more}relation')} as expected in every cell ", ("(-v shows them)", "dim"))
    if shown or hidden:
        pen.blank()


def _print_table(pen: Pen, report: Report, matrix: Matrix, shown: Sequence[str]) -> None:
    names = _name_width(pen, shown)
    layout = choose_layout(report, matrix, shown, pen.width - names - 1)
    if layout is None:
        pen.paragraph(" ", "The matrix is wider than this terminal; the HTML report holds it.")
        return
    table = Table(box=None, padding=(0, layout.gap, 0, 0), pad_edge=False, show_edge=False, header_style="bold")
    table.add_column(_at_the_foot(" S I U D", layout), no_wrap=True, width=names + 1)
    for column in layout.columns:
        table.add_column(_at_the_foot(_spelled_header(pen, column), layout), no_wrap=True)
    for name in shown:
        cells = [_glyphs(pen, matrix.glyphs(name, column.persona), layout.joiner) for column in layout.columns]
        table.add_row(Text(f" {pen.clip(name, names)}"), *cells)
    pen.console.print(table, highlight=False)
    for column in layout.columns:
        if column.covers:
            pen.paragraph((f" {column.header}  ", "bold"), column.covers)
    _legend(pen, {cell for name in shown for persona in matrix.personas for cell in matrix.glyphs(name, persona)})


def _name_width(pen: Pen, shown: Sequence[str]) -> int:
    longest = max(len(pen.spell(name)) for name in shown)
    return max(9, min(longest, pen.width * 2 // 5))


def _spelled_header(pen: Pen, column: Column) -> str:
    return "\n".join(pen.spell(line) for line in column.header.split("\n"))


def _at_the_foot(header: str, layout: Layout) -> Text:
    """A header moved down to the last of the header's lines."""
    return Text("\n" * (layout.header_lines - 1 - header.count("\n")) + header)


def _glyphs(pen: Pen, outcomes: Sequence[Outcome | None], joiner: str) -> Text:
    """Four glyphs; a cell that does not exist stays empty."""
    parts = [(" ", "") if outcome is None else (pen.glyph(outcome), STYLES[outcome]) for outcome in outcomes]
    return Text(joiner).join(Text(glyph, style) for glyph, style in parts)


def _legend(pen: Pen, seen: set[Outcome | None]) -> None:
    parts = [f"{pen.glyph(outcome)} {outcome.value}" for outcome in _LEGEND if outcome in seen]
    pen.paragraph(" ", ("   ".join(parts), "dim"))


def choose_layout(report: Report, matrix: Matrix, shown: Sequence[str], room: int) -> Layout | None:
    """The most readable layout that fits in `room` cells.

    Every persona a column; else personas whose column is the same in all rows shown share one; else the same
    with the glyphs moved together; else None.
    """
    full = tuple(Column(header=_header(name, report), persona=name) for name in matrix.personas)
    merged = _merged(report, matrix, shown)
    layouts = (
        Layout(columns=full, joiner=" ", gap=_SPACED),
        Layout(columns=merged, joiner=" ", gap=_SPACED),
        Layout(columns=merged, joiner="", gap=1),
    )
    return next((layout for layout in layouts if layout.width <= room), None)


def _header(persona: str, report: Report) -> str:
    tenant = tenant_of(persona, report.tenants)
    return persona if tenant is None or tenant == persona else f"{tenant}\n{persona[len(tenant) + 1 :]}"


def _column_width(column: Column, joiner: str) -> int:
    return max(4 + 3 * len(joiner), *(len(line) for line in column.header.split("\n")))


def _merged(report: Report, matrix: Matrix, shown: Sequence[str]) -> tuple[Column, ...]:
    """One column per group of personas that nothing shown tells apart."""
    groups: dict[tuple[object, ...], list[str]] = defaultdict(list)
    for persona in matrix.personas:
        groups[tuple(matrix.glyphs(name, persona) for name in shown)].append(persona)
    letters = iter(string.ascii_uppercase)
    columns = []
    for members in groups.values():
        label = name_group(members, matrix.personas, report.tenants)
        if len(label) <= 7:
            columns.append(Column(header=label, persona=members[0]))
        else:
            letter = next(letters, "+")
            columns.append(Column(header=letter, persona=members[0], covers=label))
    return tuple(columns)


def name_group(members: Sequence[str], personas: Sequence[str], tenants: tuple[str, ...]) -> str:
    """A group of personas in few words: "*.owner" for that role in every tenant, "acme.*" for a whole tenant."""
    chosen = set(members)
    if chosen == set(personas):
        return "everyone"
    names: list[str] = []
    for persona in personas:
        if persona in chosen:
            names.append(_shorthand(persona, chosen, personas, tenants))
    return ", ".join(dict.fromkeys(names))


def _shorthand(persona: str, chosen: set[str], personas: Sequence[str], tenants: tuple[str, ...]) -> str:
    tenant = tenant_of(persona, tenants)
    if tenant is None:
        return persona
    role = persona[len(tenant) :]
    same_role = {name for other in tenants if (name := f"{other}{role}") in personas}
    if len(same_role) > 1 and same_role <= chosen:
        return f"*{role}"
    whole_tenant = {name for name in personas if tenant_of(name, tenants) == tenant}
    return f"{tenant}.*" if len(whole_tenant) > 1 and whole_tenant <= chosen else persona
