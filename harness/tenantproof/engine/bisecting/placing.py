"""Which statement of a migration speaks of a leak, and most likely opened it: read from the text alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tenantproof.core.finding import Finding
from tenantproof.core.model import QName
from tenantproof.core.ports import Source
from tenantproof.engine.bisecting.likeness import policies_of
from tenantproof.targets.locate import find_policy
from tenantproof.targets.statements import Piece, statements, without_comments

_CALL = re.compile(r'([\w$]+)"?\(')

_FAMILIAR = frozenset(
    {"and", "any", "array", "coalesce", "current_setting", "exists", "in", "lower", "nullif", "or", "select", "using"}
)
"""Names before a parenthesis that are no function of the project's."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A line of a file and the statement that begins there."""

    line: int
    statement: str


def speaks_of(source: Source, finding: Finding) -> bool:
    """Whether a file names the object, its policies, or a function that these call."""
    return _names(without_comments(source.text), {*_objects(finding), *policies_of(finding), *_functions(finding)})


def spot_of(source: Source, finding: Finding) -> Spot | None:
    """The statement of the file that decides on the leak; None where none speaks of it."""
    pieces = list(statements(source.text))
    line = _policy_line(source, finding)
    if line is None and finding.file == source.path:
        line = finding.line
    chosen = next((piece for piece in pieces if piece.line == line), None) or _likeliest(pieces, finding)
    return Spot(chosen.line, _first_line(chosen)) if chosen is not None else None


def _policy_line(source: Source, finding: Finding) -> int | None:
    """Where the file makes or alters a policy that the cause speaks of."""
    for name in sorted(policies_of(finding)):
        for table in finding.objects or (finding.object,):
            found = find_policy((source,), QName(*table.split(".", 1)), name)
            if found is not None:
                return found[1]
    return None


def _likeliest(pieces: Iterable[Piece], finding: Finding) -> Piece | None:
    """The last statement that makes a function the leak goes through, or that changes rights on its object."""
    known = [(piece, without_comments(piece.body).lower()) for piece in pieces]
    for wanted in _forms(finding):
        matching = [piece for piece, text in known if wanted.match(text)]
        if matching:
            return matching[-1]
    named = [piece for piece, text in known if _names(text, _objects(finding))]
    return named[-1] if named else None


def _forms(finding: Finding) -> Iterator[re.Pattern[str]]:
    """What a statement that opens something looks like, the most telling first."""
    objects = "|".join(re.escape(name.lower()) for name in sorted(_objects(finding)))
    functions = "|".join(re.escape(name.lower()) for name in sorted(_functions(finding)))
    here = rf'.*?(?<![\w$])"?(?:{objects})"?(?![\w$])'
    if functions:
        yield _form(rf'create\s+(?:or\s+replace\s+)?(?:function|procedure)\s+[^(]*?"?(?:{functions})"?\s*\(')
    yield _form(rf"(?:create|alter|drop)\s+policy{here}")
    yield _form(rf"alter\s+table\s{here}.*?row\s+level\s+security")
    yield _form(rf"grant\s{here}")
    yield _form(rf"(?:create|alter)\s[^(]*?(?:table|view|function|procedure)\s{here}")


def _form(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.DOTALL)


def _objects(finding: Finding) -> set[str]:
    """Bare names of what leaks."""
    return {name.rsplit(".", 1)[-1] for name in (finding.object, *finding.objects)}


def _functions(finding: Finding) -> set[str]:
    """Bare names of functions that the cause or the policies' expressions call."""
    called = {name for name in _CALL.findall(finding.policy_text) if name.lower() not in _FAMILIAR}
    blamed = finding.cause.removeprefix("function ").rsplit(".", 1)[-1]
    return {*called, blamed} if finding.cause.startswith("function ") else called


def _names(text: str, names: Iterable[str]) -> bool:
    lowered = text.lower()
    return any(re.search(rf"(?<![\w$]){re.escape(name.lower())}(?![\w$])", lowered) for name in names if name)


def _first_line(piece: Piece) -> str:
    return piece.body.strip().splitlines()[0].rstrip()
