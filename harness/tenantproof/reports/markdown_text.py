"""
Hostile text in GitHub's Markdown: shown as it is, and never obeyed.

Text from a database stands in a line of ours, so that only what Markdown does within a line must be prevented: its
punctuation is escaped by a backslash (CommonMark 0.31, section 2.4), `<`, `>` and `&` are entities, and after `@` and
`#` stands a space of no width, since GitHub looks for mentions and issue numbers after Markdown was rendered.  Longer
text (SQL) stands in a fence that is longer than any in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tenantproof.reports.visible import one_line, visible

_NO_WIDTH = "&#8203;"
_ESCAPES = str.maketrans(
    {char: f"\\{char}" for char in r"\`*_[]|~!:$"}
    | {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": f"@{_NO_WIDTH}", "#": f"\\#{_NO_WIDTH}"}
)
_ADDRESS = re.compile(r"(www)\.", re.IGNORECASE)
"""What GitHub makes a link of although it has no scheme."""


def text(said: str) -> str:
    """One line of text for the middle of a paragraph, a heading or a cell of a table."""
    return _ADDRESS.sub(r"\1\\.", one_line(said).translate(_ESCAPES))


def code_block(said: str, language: str = "sql") -> str:
    """Several lines exactly as they are, apart from what would not print."""
    shown = visible(said).strip("\n")
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{shown}\n{fence}"


def table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table; titles and cells are Markdown already."""
    heads = list(titles)
    lines = [heads, ["---"] * len(heads), *(list(row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
