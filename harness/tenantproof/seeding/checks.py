"""
CHECK constraints, read as hints for a value maker.

PostgreSQL prints a CHECK in one canonical form (pg_get_constraintdef), so the usual kinds are found by shape:
lists, bounds, lengths, regular expressions, lower(), comparisons of two columns, num_nonnulls().  What has
another shape is not an error: the database says no, and `repair` looks for values that it accepts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation

_LITERAL = re.compile(r"[eE]?'((?:[^']|'')*)'")
_CAST = re.compile(
    r"::(?:\"[^\"]+\"|\w+)(?:\.\w+)?(?: varying| precision| with(?:out)? time zone)?(?:\(\d+(?:,\d+)?\))?(?:\[\])?"
)
_NAME = r'("(?:[^"]|"")+"|[A-Za-z_]\w*)'
_VALUE = r"(§\d+§|-?\d+(?:\.\d+)?)"
_TRIMMED = rf"(?:btrim\({_NAME}\)|TRIM\(BOTH FROM {_NAME}\)|{_NAME})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """What the CHECKs demand of one column; the empty value demands nothing."""

    choices: tuple[str, ...] = ()
    excluded: frozenset[str] = frozenset()
    low: Decimal | None = None
    high: Decimal | None = None
    min_length: int = 0
    max_length: int | None = None
    patterns: tuple[str, ...] = ()
    lower: bool = False
    upper: bool = False
    json_type: str = ""
    always_null: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """That two columns of a row compare in one way: left op right, op of < <= <>."""

    left: str
    op: str
    right: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Everything that was understood of a table's CHECKs."""

    columns: dict[str, Hints] = field(default_factory=dict)
    comparisons: tuple[Comparison, ...] = ()
    alternatives: tuple[tuple[str, ...], ...] = ()
    """Groups of columns of which one may be filled (num_nonnulls(a, b) = 1; a IS NULL OR b IS NULL)."""

    def of(self, column: str) -> Hints:
        return self.columns.get(column, Hints())


def read_checks(definitions: Iterable[str]) -> Rules:
    """The rules of table CHECKs as pg_get_constraintdef prints them."""
    columns: dict[str, Hints] = {}
    comparisons: list[Comparison] = []
    groups: list[tuple[str, ...]] = []
    for definition in definitions:
        for conjunct, literals in _conjuncts(definition):
            if (group := _alternatives(conjunct)) is not None:
                groups.append(group)
            elif (comparison := _comparison(conjunct)) is not None:
                comparisons.append(comparison)
            elif (found := _hint(conjunct, literals)) is not None:
                name, hints = found
                columns[name] = merge(columns.get(name, Hints()), hints)
    return Rules(columns=columns, comparisons=tuple(comparisons), alternatives=tuple(groups))


def read_domain_checks(definitions: Iterable[str]) -> Hints:
    """The hints of a domain's CHECKs, which speak of VALUE."""
    return read_checks(definitions).of("VALUE")


def merge(first: Hints, second: Hints) -> Hints:
    """Both at once; where both list choices, those in both lists (or the second's)."""
    choices = tuple(c for c in first.choices if c in second.choices) or second.choices or first.choices
    lows = [x for x in (first.low, second.low) if x is not None]
    highs = [x for x in (first.high, second.high) if x is not None]
    lengths = [x for x in (first.max_length, second.max_length) if x is not None]
    return Hints(
        choices=choices,
        excluded=first.excluded | second.excluded,
        low=max(lows, default=None),
        high=min(highs, default=None),
        min_length=max(first.min_length, second.min_length),
        max_length=min(lengths, default=None),
        patterns=first.patterns + second.patterns,
        lower=first.lower or second.lower,
        upper=first.upper or second.upper,
        json_type=second.json_type or first.json_type,
        always_null=first.always_null or second.always_null,
    )


def literals_of(definition: str) -> tuple[str, ...]:
    """All literals in an expression, strings and numbers, in order: what a repair tries first."""
    strings = [text.replace("''", "'") for text in _LITERAL.findall(definition)]
    numbers = re.findall(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w.])", _LITERAL.sub("", definition))
    return tuple(dict.fromkeys([*strings, *numbers]))


def identifiers_in(expression: str) -> frozenset[str]:
    """Every word of an expression that could be a column, quoted names unquoted."""
    bare = _LITERAL.sub(" ", expression)
    return frozenset(_unquote(name) for name in re.findall(_NAME, bare))


def _conjuncts(definition: str) -> Iterator[tuple[str, Sequence[str]]]:
    literals: list[str] = []

    def hide(match: re.Match[str]) -> str:
        literals.append(match.group(1).replace("''", "'"))
        return f"§{len(literals) - 1}§"

    text = _LITERAL.sub(hide, definition.strip())
    text = re.sub(r"^CHECK\s*", "", text)
    text = re.sub(r"\s*(NO INHERIT|NOT VALID|NOT ENFORCED)\s*$", "", text)
    text = re.sub(r"OPERATOR\(\w+\.([^()\s]+)\)", r"\1", text)
    text = _CAST.sub("", _CAST.sub("", text))
    text = re.sub(rf"(?<![\w\"])\({_NAME}\)", r"\1", text)
    text = re.sub(rf"(?<![\w\"])\({_VALUE}\)", r"\1", text)
    for part in _split_all(text, " AND "):
        yield _without_null_escape(part), literals


def _split_all(text: str, word: str) -> Iterator[str]:
    bare = _strip(text)
    parts = _split(bare, word)
    if len(parts) == 1:
        yield bare
    else:
        for part in parts:
            yield from _split_all(part, word)


def _without_null_escape(text: str) -> str:
    """`(x IS NULL) OR (rest)` demands rest of any value that we would give."""
    parts = [_strip(part) for part in _split(text, " OR ")]
    rest = [part for part in parts if not re.fullmatch(rf"{_NAME} IS NULL", part)]
    return rest[0] if len(parts) > 1 and len(rest) == 1 else text


def _split(text: str, word: str) -> list[str]:
    parts, depth, start, position = [], 0, 0, 0
    while position < len(text):
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(text[position], 0)
        if depth == 0 and text.startswith(word, position):
            parts.append(text[start:position])
            position = start = position + len(word)
            continue
        position += 1
    return [*parts, text[start:]]


def _strip(text: str) -> str:
    text = text.strip()
    while text.startswith("(") and text.endswith(")") and _closes_at_end(text):
        text = text[1:-1].strip()
    return text


def _closes_at_end(text: str) -> bool:
    depth = 0
    for position, char in enumerate(text):
        depth += {"(": 1, ")": -1}.get(char, 0)
        if depth == 0:
            return position == len(text) - 1
    return False


def _alternatives(text: str) -> tuple[str, ...] | None:
    if match := re.fullmatch(r"num_nonnulls\(([^()]*)\) (?:<=|=) 1", text):
        return tuple(_unquote(name.strip()) for name in match.group(1).split(","))
    if match := re.fullmatch(rf"\({_NAME} IS (?:NOT )?NULL\) <> \({_NAME} IS (?:NOT )?NULL\)", text):
        return tuple(map(_unquote, match.groups()))
    either = [re.fullmatch(rf"{_NAME} IS NULL", _strip(part)) for part in _split(text, " OR ")]
    return tuple(_unquote(found.group(1)) for found in either if found) if len(either) > 1 and all(either) else None


def _comparison(text: str) -> Comparison | None:
    match = re.fullmatch(rf"{_NAME} (<=|>=|<>|<|>) {_NAME}", text)
    if not match or match.group(1) == match.group(3):
        return None
    left, op, right = _unquote(match.group(1)), match.group(2), _unquote(match.group(3))
    if op in (">", ">="):
        left, right, op = right, left, op.replace(">", "<")
    return Comparison(left=left, op=op, right=right)


def _hint(text: str, literals: Sequence[str]) -> tuple[str, Hints] | None:
    for reader in (_choices, _equalities, _bounds, _lengths, _pattern, _json_type):
        if (found := reader(text, literals)) is not None:
            return found
    return _folded(text) or _null(text)


def _choices(text: str, literals: Sequence[str]) -> tuple[str, Hints] | None:
    match = re.fullmatch(rf"{_NAME} (?:=|<@) (?:ANY )?\(*ARRAY\[(.*)\]\)*", text)
    if not match or "<@" in text:
        return None
    values = tuple(_value(part.strip(" ()"), literals) for part in match.group(2).split(","))
    return _unquote(match.group(1)), Hints(choices=values)


def _equalities(text: str, literals: Sequence[str]) -> tuple[str, Hints] | None:
    """`(a = 1) OR (a = 2)` on one column is a list too."""
    atoms = [re.fullmatch(rf"{_NAME} = {_VALUE}", _strip(part)) for part in _split(text, " OR ")]
    if not all(atoms) or len({atom.group(1) for atom in atoms if atom}) != 1:
        return None
    found = [atom for atom in atoms if atom]
    return _unquote(found[0].group(1)), Hints(choices=tuple(_value(a.group(2), literals) for a in found))


def _bounds(text: str, literals: Sequence[str]) -> tuple[str, Hints] | None:
    match = re.fullmatch(rf"{_NAME} (>=|<=|>|<|<>) {_VALUE}", text)
    if not match:
        return None
    name, op, raw = _unquote(match.group(1)), match.group(2), _value(match.group(3), literals)
    if op == "<>":
        return name, Hints(excluded=frozenset({raw}))
    try:
        number = Decimal(raw)
    except InvalidOperation:
        return None
    step = Decimal(1) if number == number.to_integral_value() else Decimal(10) ** int(number.as_tuple().exponent)
    limits = {">=": ("low", number), ">": ("low", number + step), "<=": ("high", number), "<": ("high", number - step)}
    side, limit = limits[op]
    return name, Hints(low=limit) if side == "low" else Hints(high=limit)


def _lengths(text: str, literals: Sequence[str]) -> tuple[str, Hints] | None:
    shape = rf"(?:char_length|character_length|octet_length|length)\({_TRIMMED}\) (>=|<=|>|<|=) {_VALUE}"
    match = re.fullmatch(shape, text)
    if not match:
        return None
    name = _unquote(next(group for group in match.groups()[:3] if group))
    op, number = match.group(4), int(Decimal(_value(match.group(5), literals)))
    low = {">=": number, ">": number + 1, "=": number}.get(op, 0)
    high = {"<=": number, "<": number - 1, "=": number}.get(op)
    return name, Hints(min_length=low, max_length=high)


def _pattern(text: str, literals: Sequence[str]) -> tuple[str, Hints] | None:
    match = re.fullmatch(rf"{_NAME} (~\*?|~~\*?) (§\d+§)", text)
    if not match:
        return None
    pattern = _value(match.group(3), literals)
    if match.group(2).startswith("~~"):
        wild = re.escape(pattern).replace("%", "[a-z0-9]{6}").replace("_", "[a-z]")
        pattern = f"^{wild}$"
    return _unquote(match.group(1)), Hints(patterns=(pattern,))


def _folded(text: str) -> tuple[str, Hints] | None:
    match = re.fullmatch(rf"{_NAME} = (lower|upper)\({_NAME}\)", text)
    if match is None and (turned := re.fullmatch(rf"(lower|upper)\({_NAME}\) = {_NAME}", text)) is not None:
        return _unquote(turned.group(2)), _case(turned.group(1))
    return (_unquote(match.group(1)), _case(match.group(2))) if match else None


def _case(function: str) -> Hints:
    return replace(Hints(), lower=function == "lower", upper=function == "upper")


def _json_type(text: str, literals: Sequence[str]) -> tuple[str, Hints] | None:
    match = re.fullmatch(rf"jsonb?_typeof\({_NAME}\) = (§\d+§)", text)
    return (_unquote(match.group(1)), Hints(json_type=_value(match.group(2), literals))) if match else None


def _null(text: str) -> tuple[str, Hints] | None:
    match = re.fullmatch(rf"{_NAME} IS NULL", text)
    return (_unquote(match.group(1)), Hints(always_null=True)) if match else None


def _value(token: str, literals: Sequence[str]) -> str:
    return literals[int(token.strip("§"))] if token.startswith("§") else token


def _unquote(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
