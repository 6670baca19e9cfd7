"""Where the checks of `build` write down what is wrong."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tenantproof.core.errors import Problem
from tenantproof.scenario.positions import Document, Path, dotted, shown
from tenantproof.scenario.suggestions import suggest
from tenantproof.scenario.templates import placeholders


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The document and the problems found in it so far."""

    document: Document
    problems: list[Problem] = field(default_factory=list)

    def at_value(self, path: Path, code: str, message: str, hint: str = "") -> None:
        """Write down a problem of the value at a path."""
        spot = self.document.value_spot(path)
        self.problems.append(self.document.source.problem(spot, code, message, hint))

    def at_key(self, path: Path, code: str, message: str, hint: str = "") -> None:
        """Write down a problem of the key, or of the whole list item, at a path."""
        spot = self.document.key_spot(path)
        self.problems.append(self.document.source.problem(spot, code, message, hint))

    def line(self, path: Path) -> int:
        """The line a path stands at, for messages about two places."""
        return self.document.key_spot(path).line

    def unique(self, names: Iterable[tuple[Path, str]], what: str) -> None:
        """Complain of every name that stands there a second time."""
        seen: dict[str, Path] = {}
        for path, name in names:
            first = seen.setdefault(name, path)
            if first != path:
                message = f"{what} {shown(name)} stands there twice (first at line {self.line(first)})"
                self.at_value(path, "duplicate-name", message, "keep one of the two")

    def templates(self, texts: Iterable[tuple[Path, str]], known: frozenset[str]) -> None:
        """Complain of placeholders that do not exist."""
        for path, text in texts:
            for name in placeholders(text):
                if name not in known:
                    message = f"unknown placeholder {shown('{' + name + '}')} in {dotted(path)}"
                    hint = suggest(name, known)
                    # The literal of an array with one element looks the same.
                    array = "" if "." in name or "values" not in path else f""" For an array write '{{"{name}"}}'."""
                    self.at_value(path, "unknown-placeholder", message, hint + array)
