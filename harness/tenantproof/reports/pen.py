"""Writes lines to a console: hostile text made visible, ASCII where the encoding is no Unicode, hanging indents."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from tenantproof.reports.matrix import GLYPHS, Outcome
from tenantproof.reports.visible import one_line

_ASCII_GLYPHS = {
    Outcome.ALLOWED: "+",
    Outcome.DENIED: ".",
    Outcome.LEAKED: "X",
    Outcome.OVERBLOCKED: "o",
    Outcome.UNTESTED: "?",
    Outcome.ERROR: "!",
    Outcome.ACCEPTED: "w",
}
_ASCII_PUNCTUATION = str.maketrans({"·": "-", "…": "...", "→": "->", "\u00d7": "x", "\u2013": "-", "\u2014": "-"})

STYLES = {
    Outcome.ALLOWED: "green",
    Outcome.DENIED: "dim",
    Outcome.LEAKED: "bold white on red",
    Outcome.OVERBLOCKED: "bold yellow",
    Outcome.UNTESTED: "magenta",
    Outcome.ERROR: "bold magenta",
    Outcome.ACCEPTED: "cyan",
}

Part = str | tuple[str, str]
"""Text, or text and its style."""


@dataclass(frozen=True, slots=True)
class Pen:
    """The only way the terminal report reaches the console: no markup, no highlighting, nothing unescaped."""

    console: Console

    @property
    def ascii(self) -> bool:
        return self.console.options.ascii_only

    @property
    def width(self) -> int:
        return self.console.width

    def glyph(self, outcome: Outcome) -> str:
        return _ASCII_GLYPHS[outcome] if self.ascii else GLYPHS[outcome]

    def spell(self, text: str) -> str:
        """Text as this console can show it, on one line."""
        shown = one_line(text)
        if not self.ascii:
            return shown
        plain = shown.translate(_ASCII_PUNCTUATION)
        return plain.encode("ascii", "backslashreplace").decode("ascii")

    def text(self, *parts: Part) -> Text:
        """One line of text from styled parts."""
        line = Text()
        for part in parts:
            content, style = part if isinstance(part, tuple) else (part, "")
            line.append(self.spell(content), style or None)
        return line

    def blank(self) -> None:
        self.console.print()

    def line(self, *parts: Part) -> None:
        """A line that is never wrapped, so that a path or a command can be copied."""
        self.console.print(self.text(*parts), soft_wrap=True, highlight=False)

    def paragraph(self, prefix: Part, *parts: Part) -> None:
        """Text wrapped to the console, its further lines indented below where the text began."""
        head = self.text(prefix)
        room = max(20, self.width - head.cell_len)
        lines = self.text(*parts).wrap(self.console, room, overflow="fold")
        for index, line in enumerate(lines or [Text()]):
            line.rstrip()
            start = head if index == 0 else Text(" " * head.cell_len)
            self.console.print(Text.assemble(start, line), soft_wrap=True, highlight=False)

    def clip(self, text: str, width: int) -> str:
        """Text shortened at its end to `width` cells."""
        shown = Text(self.spell(text))
        if shown.cell_len > width:
            shown.truncate(width, overflow="crop" if self.ascii else "ellipsis")
        return shown.plain
