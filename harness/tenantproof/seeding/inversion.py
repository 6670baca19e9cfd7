"""Templates for columns in which an sql locator finds the tenant or owner (`split_part(topic, ':', 2)`)."""

from __future__ import annotations

import json
import re
from collections import defaultdict

from tenantproof.core.model import Tenancy

_FOLDER = re.compile(r"^\(*(?:storage\.)?foldername\(\s*(?:\w+\.)?\"?(\w+)\"?\s*\)+\[(\d+)\]")
_SPLIT = re.compile(r"^\(*split_part\(\s*(?:\w+\.)?\"?(\w+)\"?\s*,\s*'([^']+)'(?:::text)?\s*,\s*(\d+)\s*\)")
_JSON = re.compile(r"^\(*(?:\w+\.)?\"?(\w+)\"?\s*->>\s*'([^']+)'")


def templates_for(tenancy: Tenancy) -> dict[str, str]:
    """Column -> template that makes the tenancy's expressions find tenant and owner; unknown shapes give none."""
    parts: dict[tuple[str, str], dict[int, str]] = defaultdict(dict)
    objects: dict[str, dict[str, str]] = defaultdict(dict)
    for locator, mark in ((tenancy.tenant, "{tenant.id}"), (tenancy.owner, "{owner.id}")):
        text = locator.sql.strip() if locator else ""
        if match := _FOLDER.match(text):
            parts[match.group(1), "/"][int(match.group(2))] = mark
        elif match := _SPLIT.match(text):
            parts[match.group(1), match.group(2)][int(match.group(3))] = mark
        elif match := _JSON.match(text):
            objects[match.group(1)][match.group(2)] = mark
    found = {column: json.dumps({**keys, "note": "{canary}-{n}"}) for column, keys in objects.items()}
    return found | {column: _joined(marks, separator) for (column, separator), marks in parts.items()}


def _joined(marks: dict[int, str], separator: str) -> str:
    pieces = [marks.get(position, "part") for position in range(1, max(marks) + 1)]
    return separator.join([*pieces, "{canary}-{n}.txt" if separator == "/" else "{n}"])
