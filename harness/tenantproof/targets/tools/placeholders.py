"""
Placeholders that a tool fills in before it runs a file: Flyway's ${name}, and goose's after `+goose ENVSUB ON`.

Flyway's own (https://documentation.red-gate.com/flyway/flyway-concepts/migrations/migration-placeholders) have values
here; those of a project are in its configuration, so they are an error that names file and line.
"""

from __future__ import annotations

import re
from pathlib import Path

from tenantproof.core.errors import TargetError
from tenantproof.targets.statements import tokens
from tenantproof.targets.tools.flyway import is_flyway
from tenantproof.targets.tools.layout import shown

OF_FLYWAY = re.compile(r"\$\{([^}\n]*)\}")
OF_GOOSE = re.compile(r"\$\{([^}\n]*)\}|\$([A-Za-z_]\w*)(?!\w*\$)")
ENVSUB = re.compile(r"^[ \t]*--[ \t]*\+goose[ \t]+envsub[ \t]+on\b", re.IGNORECASE | re.MULTILINE)
KNOWN = {"flyway:defaultSchema": "public", "flyway:user": "postgres", "flyway:database": "postgres"}


def fill_in(path: Path, text: str) -> str:
    """*text* with Flyway's own placeholders filled in.  Raises TargetError for others, outside comments."""
    if "$" not in text:
        return text
    if is_flyway(path.name):
        text = OF_FLYWAY.sub(lambda found: KNOWN.get(found.group(1), found.group()), text)
        _refuse(path, text, OF_FLYWAY, "Flyway")
    elif ENVSUB.search(text):
        _refuse(path, text, OF_GOOSE, "goose")
    return text


def _refuse(path: Path, text: str, pattern: re.Pattern[str], tool: str) -> None:
    for token in tokens(text) if pattern.search(text) else ():
        found = None if token.kind.endswith("comment") else pattern.search(token.text)
        # `$` and `{` outside quotes are tokens of their own.
        if found is None and token.text == "$":
            found = pattern.match(text, token.start)
        if found is not None:
            line = text.count("\n", 0, token.start) + token.text.count("\n", 0, found.start()) + 1
            raise TargetError(
                f"{shown(path)}:{line}: the placeholder {found.group()} is filled in by {tool}, not by PostgreSQL\n"
                "  write its value there (in a copy), or give a dump of the migrated database instead"
            )
