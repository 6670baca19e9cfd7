"""
Files that hold both directions: only the part that goes up runs.

The other part is replaced by empty lines, so that lines of errors and findings stay those of the file.  A file is
known by its markers, which are comments to PostgreSQL: run as it is, it would make its tables and drop them again.

* dbmate: https://github.com/amacneil/dbmate#creating-migrations
* goose: https://pressly.github.io/goose/documentation/annotations/
* sql-migrate: https://github.com/rubenv/sql-migrate#writing-migrations
* node-pg-migrate: https://salsita.github.io/node-pg-migrate/migrations/
* tern: https://github.com/jackc/tern#migrations
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

FLAGS = re.IGNORECASE | re.MULTILINE


@dataclass(frozen=True, slots=True, kw_only=True)
class Markers:
    """How a tool writes that what follows goes up, or down; `sign` is in lower case what every such file holds."""

    tool: str
    sign: str
    up: re.Pattern[str]
    down: re.Pattern[str]


def _markers(tool: str, sign: str, up: str, down: str) -> Markers:
    return Markers(tool=tool, sign=sign, up=re.compile(up, FLAGS), down=re.compile(down, FLAGS))


DBMATE = _markers("dbmate", "migrate:down", r"^[ \t]*--[ \t]*migrate:up\b.*$", r"^[ \t]*--[ \t]*migrate:down\b.*$")
GOOSE = _markers("goose", "+goose", r"^[ \t]*--[ \t]*\+goose[ \t]+up\b.*$", r"^[ \t]*--[ \t]*\+goose[ \t]+down\b.*$")
OTHERS = (
    _markers(
        "sql-migrate", "+migrate", r"^[ \t]*--[ \t]*\+migrate[ \t]+up\b.*$", r"^[ \t]*--[ \t]*\+migrate[ \t]+down\b.*$"
    ),
    _markers(
        "node-pg-migrate",
        "migration",
        r"^[ \t]*--[ \t]*up[ \t]+migration\b.*$",
        r"^[ \t]*--[ \t]*down[ \t]+migration\b.*$",
    ),
    _markers("tern", "drop below", r"\A", r"^[ \t]*---- create above / drop below ----.*$"),
)
ALL = (DBMATE, GOOSE, *OTHERS)

NO_TRANSACTION = re.compile(
    r"^[ \t]*--[ \t]*(?:migrate:up\b.*\btransaction:[ \t]*false|\+goose[ \t]+no[ \t]+transaction"
    r"|\+migrate[ \t]+up[ \t]+notransaction|atlas:txmode[ \t]+none)\b",
    FLAGS,
)
"""What these tools write into a file that is not to run in a transaction."""


def only_up(text: str) -> str:
    """*text* without what goes down, every line at its place; unchanged where there are no markers."""
    lower = text.lower()
    for markers in ALL:
        if markers.sign in lower and markers.down.search(text) and markers.up.search(text):
            return "".join(_halves(text, markers))
    return text


def _halves(text: str, markers: Markers) -> Iterator[str]:
    turns = sorted(
        [(found.start(), True) for found in markers.up.finditer(text)]
        + [(found.start(), False) for found in markers.down.finditer(text)]
    )
    yield text[: turns[0][0]]
    for (start, up), (end, _) in zip(turns, [*turns[1:], (len(text), True)], strict=True):
        part = text[start:end]
        yield part if up else "\n" * part.count("\n")
