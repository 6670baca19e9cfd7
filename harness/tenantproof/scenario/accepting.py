"""
A new entry under `accept:` in the text of a scenario file: everything else stays as it is, byte for byte.

The entry goes where a person would put it: last in the list that is there, else in a section of its own at the end.
The new text is read again and compared; what cannot be done without guessing is an error that shows the entry to be
added by hand.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence

import yaml

from tenantproof.core.errors import ScenarioError, UsageError
from tenantproof.core.model import LONGEST_ACCEPTANCE, Acceptance
from tenantproof.scenario.parsing import LOADER, parse
from tenantproof.scenario.positions import BREAKS

KEY = "accept"


def require_term(reason: str, until: str) -> None:
    """Raise UsageError for a reason that says nothing, and for a date that is none, is over or is too far away."""
    today = datetime.datetime.now(datetime.UTC).date()
    if not reason.strip() or not _is_text(reason):
        raise UsageError(f"reason {reason!r}: say why in words; it stands in every report")
    try:
        day = datetime.date.fromisoformat(until)
        if until != day.isoformat():
            raise ValueError
    except ValueError:
        raise UsageError(f"until {until!r}: expected a date, such as {today.year + 1}-01-31") from None
    if day <= today:
        raise UsageError(f"until {until}: is over; name a day after {today}")
    last = today + datetime.timedelta(days=LONGEST_ACCEPTANCE)
    if day > last:
        raise UsageError(f"until {until}: is more than a year away; {last} or before: somebody should look at it again")


def _is_text(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def with_acceptance(path: str, data: bytes, entry: Acceptance) -> bytes:
    """The content of a scenario file with one more entry.

    *data* is a scenario that loads; *path* is for messages.  Raises UsageError where a person has to add the entry.
    """
    before = parse(path, data)
    text = data.decode("utf-8")
    after = _inserted(text, _composed("\n".join(before.source.lines)), entry)
    if after is None or _plain(path, after) != _expected(before.root.plain(), entry):
        by_hand = "".join(_lines(entry, "  ", "\n"))
        raise UsageError(f"{path}: nothing was changed, since it is not clear where the entry goes; add:\n\n{by_hand}")
    return after.encode("utf-8")


def _composed(text: str) -> yaml.MappingNode:
    root = yaml.compose(text, Loader=LOADER)
    assert isinstance(root, yaml.MappingNode)  # parse let nothing else through
    return root


def _inserted(text: str, root: yaml.MappingNode, entry: Acceptance) -> str | None:
    """The text with the entry; None where the file is written in a way in which it cannot be put."""
    if root.flow_style:
        return None
    end = "\r\n" if "\r\n" in text else "\n"
    lines = _kept_lines(text)
    margin = " " * root.start_mark.column
    known = next(((key, value) for key, value in root.value if key.value == KEY), None)
    if known is None:
        return _put(lines, len(lines), [f"{margin}{KEY}:{end}", *_lines(entry, f"{margin}  ", end)], end)
    key, value = known
    if isinstance(value, yaml.SequenceNode) and value.value and not value.flow_style:
        indent = " " * value.start_mark.column
        return _put(lines, _line_after(value), _lines(entry, indent, end), end)
    if value.value and value.value != "[]":  # a list in brackets, an alias
        return None
    line = key.start_mark.line
    if isinstance(value, yaml.SequenceNode):
        lines[line] = _without_brackets(lines[line], value)
    return _put(lines, line + 1, _lines(entry, f"{margin}  ", end), end)


def _kept_lines(text: str) -> list[str]:
    """The lines as YAML counts them, each with its end."""
    lines, at = [], 0
    for found in BREAKS.finditer(text):
        lines.append(text[at : found.end()])
        at = found.end()
    return [*lines, text[at:]] if at < len(text) else lines


def _put(lines: Sequence[str], at: int, added: Sequence[str], end: str) -> str:
    above = "".join(lines[:at])
    if above and not BREAKS.fullmatch(above[-1]):
        above += end
    return above + "".join(added) + "".join(lines[at:])


def _line_after(node: yaml.Node) -> int:
    """The index of the line below the last thing that belongs to a node; the end of a block itself is further down."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _line_after(last[1] if isinstance(node, yaml.MappingNode) else last)
    mark = node.end_mark
    return int(mark.line + 1 if mark.column else mark.line)


def _without_brackets(line: str, empty: yaml.SequenceNode) -> str:
    start, stop = empty.start_mark, empty.end_mark
    return line if stop.line != start.line else line[: start.column].rstrip(" ") + line[stop.column :]


def _lines(entry: Acceptance, indent: str, end: str) -> list[str]:
    said = [f"{key}: {_quoted(value)}" for key, value in _said(entry).items()]
    said[-1] = f"until: {entry.until}"
    return [f"{indent}{'- ' if index == 0 else '  '}{text}{end}" for index, text in enumerate(said)]


def _quoted(text: str) -> str:
    """JSON, which is YAML, so that no text can become anything else; YAML breaks lines at U+2028, JSON does not."""
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(char if char.isprintable() else f"\\U{ord(char):08x}" for char in quoted)


def _said(entry: Acceptance) -> dict[str, str]:
    values = {
        "channel": entry.channel,
        "object": entry.object,
        "fingerprint": entry.fingerprint,
        "reason": entry.reason,
        "until": entry.until,
    }
    return {key: value for key, value in values.items() if value is not None}


def _plain(path: str, text: str) -> object:
    try:
        document = parse(path, text.encode("utf-8"))
    except ScenarioError:
        return None
    return None if document.problems else document.root.plain()


def _expected(before: object, entry: Acceptance) -> object:
    assert isinstance(before, dict)
    return {**before, KEY: [*(before.get(KEY) or []), _said(entry)]}
