"""Names and values as YAML 1.2 reads them back: plain where nothing can go wrong, in double quotes elsewhere."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping

from tenantproof.core.model import QName

WIDTH = 118

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:[./-][A-Za-z0-9_]+)*")
_WORDS = frozenset(["true", "false", "null", "yes", "no", "on", "off", "y", "n", "undecided"])
_PATH = re.compile(r"(?:\.{1,2}/)*[A-Za-z0-9_][A-Za-z0-9_./-]*")
_SIMPLE = re.compile(r'[^".]+')


def scalar(text: str) -> str:
    """A text as a YAML scalar inside a flow mapping."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    if '"' in text and "'" not in text and text.isprintable():
        return f"'{text}'"
    # JSON's escapes are YAML's, but JSON leaves what YAML's reader takes for a line break.
    return re.sub(
        "[\x7f-\x9f\u2028\u2029\ufeff]", lambda m: f"\\u{ord(m.group()):04x}", json.dumps(text, ensure_ascii=False)
    )


def path(text: str) -> str:
    """A path of the file system as a YAML scalar."""
    return text if _PATH.fullmatch(text) else scalar(text)


def identifier(name: str) -> str:
    """One name as the scenario's dotted names take it: in SQL's quotes where it holds a dot or a quote."""
    return name if _SIMPLE.fullmatch(name) else '"' + name.replace('"', '""') + '"'


def dotted(names: Iterable[str]) -> str:
    """A path of columns, or schema and table, as the scenario writes it."""
    return ".".join(identifier(name) for name in names)


def qualified(name: QName, first: str) -> str:
    """A relation as the scenario names it, where *first* is its first schema."""
    return identifier(name.name) if name.schema == first else dotted(name)


def comment(text: str, indent: str = "") -> Iterator[str]:
    """A sentence as comment lines.  What comes from the database cannot end the comment."""
    plain = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    for line in textwrap.wrap(plain, WIDTH - len(indent) - 2, break_long_words=False) or [""]:
        yield f"{indent}# {line}"


def flow(value: object) -> str:
    """A value as flow YAML: mappings, lists, texts, booleans and numbers."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(str(key))}: {flow(below)}" for key, below in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else scalar(str(value))


def expressible(name: str) -> bool:
    """Whether the scenario can name it at all: names that begin or end with a blank it cannot."""
    return name == name.strip() and name != ""
