"""What simple conditions demand of single columns, and which of them tie columns together: read from their trees."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tenantproof.seeding.branches import Atom
from tenantproof.seeding.expressions import Kind, Node
from tenantproof.seeding.inlining import Body

_NEGATED = {"=": "<>", "<>": "=", "!=": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_TURNED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "<>": "<>", "!=": "<>"}
_SOFT = frozenset({"lower", "upper", "btrim", "trim", "ltrim", "rtrim", "coalesce", "nullif", "unaccent", "initcap"})
"""Functions whose result is (or may be) their first argument."""
_LENGTHS = frozenset({"length", "char_length", "character_length", "octet_length", "cardinality", "array_length"})
_STEPS = frozenset({"->", "->>", "#>", "#>>"})


@dataclass(frozen=True, slots=True)
class Bound:
    """A limit of a column: `value` as text, `sql` as it was written."""

    operator: str
    value: str
    sql: str


@dataclass(frozen=True, slots=True)
class JsonFact:
    """What is demanded at one place of a json value: it is there, has a type, a size, a value, or contains another."""

    path: tuple[str, ...]
    what: str
    """has, type, size, equal, contains, bound"""
    value: str = ""
    operator: str = "="


@dataclass(slots=True)
class Demand:
    """Everything that one branch demands of one column."""

    null: bool | None = None
    truth: bool | None = None
    choices: list[str] = field(default_factory=list)
    excluded: set[str] = field(default_factory=set)
    bounds: list[Bound] = field(default_factory=list)
    sizes: list[tuple[str, int]] = field(default_factory=list)
    patterns: list[str] = field(default_factory=list)
    shunned: list[str] = field(default_factory=list)
    elements: list[str] = field(default_factory=list)
    """For an array: what its elements may be."""
    contained: list[str] = field(default_factory=list)
    """For an array: what its elements must include."""
    floors: list[Bound] = field(default_factory=list)
    """For an array: bounds of each element."""
    json: list[JsonFact] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)
    """For a composite: values of its fields."""
    units: list[tuple[str, str, str]] = field(default_factory=list)
    """For an instant: a part of it (`year`), an operator and a value."""
    computed: list[str] = field(default_factory=list)
    """Expressions that the column is demanded to equal."""
    words: list[str] = field(default_factory=list)
    """Texts and numbers of conditions that were not understood, to try and to build from."""

    def choose(self, values: Iterable[str]) -> None:
        """Only these: those that were allowed before, where there are such."""
        listed = list(dict.fromkeys(values))
        self.choices = [value for value in listed if value in self.choices] or listed


@dataclass(slots=True)
class Reading:
    """A branch read: demands by column, and the comparisons between columns."""

    demands: dict[str, Demand] = field(default_factory=dict)
    relations: list[tuple[Node, str, Node]] = field(default_factory=list)
    """left, operator, right."""

    def of(self, column: str) -> Demand:
        return self.demands.setdefault(column, Demand())


def read_branch(atoms: Iterable[Atom], bodies: Mapping[str, Body]) -> Reading:
    """The demands of atoms that are to hold together; *bodies* are the sources of functions by name."""
    reading = Reading()
    for atom in atoms:
        _read(atom.node, atom.holds, reading, bodies)
    return reading


def _read(node: Node, holds: bool, reading: Reading, bodies: Mapping[str, Body]) -> None:
    node = node.bare
    match node.kind:
        case Kind.NAME:
            reading.of(node.value).truth = holds
            return
        case Kind.IS if _is(node, holds, reading):
            return
        case Kind.ANY | Kind.ALL if _listed(node, holds, reading):
            return
        case Kind.OPERATOR if len(node.parts) == 2 and _operator(node, holds, reading):
            return
        case Kind.CALL if holds and _called(node, reading):
            return
    _not_understood(node, reading, bodies)


def _not_understood(node: Node, reading: Reading, bodies: Mapping[str, Body]) -> None:
    words = [part.value for part in node.walk() if part.kind is Kind.LITERAL]
    patterns: list[str] = []
    for call in (part for part in node.walk() if part.kind is Kind.CALL and part.value in bodies):
        source = bodies[call.value].source
        patterns += [found.replace("''", "'") for found in re.findall(r"~\*?\s*'((?:[^']|'')+)'", source)]
        words += [found.replace("''", "'") for found in re.findall(r"'((?:[^']|'')*)'", source)]
        words += re.findall(r"(?<![\w.'])\d+(?:\.\d+)?", source)
    for name in node.names:
        demand = reading.of(name)
        demand.words += [word for word in words if word not in demand.words]
        demand.patterns += [pattern for pattern in patterns if pattern not in demand.patterns]


def _is(node: Node, holds: bool, reading: Reading) -> bool:
    name = column_of(node.parts[0])
    if node.value in ("null", "not null") and name is not None:
        reading.of(name).null = (node.value == "null") == holds
        return True
    if node.value in ("distinct", "not distinct"):
        same = (node.value == "not distinct") == holds
        return _comparison(node.parts[0], "=" if same else "<>", node.parts[1], reading)
    if node.value.startswith("json") and name is not None and holds:
        kind = {"json array": "array", "json object": "object"}.get(node.value, "object")
        reading.of(name).json.append(JsonFact((), "type", kind))
        return True
    return False


def _listed(node: Node, holds: bool, reading: Reading) -> bool:
    left, right = node.parts
    values, name = literals(right), column_of(left)
    every = node.kind is Kind.ALL
    place = _json_place(left)
    if values and place is not None and place[1] and holds != every and node.value == "=":
        reading.of(place[0]).json.append(JsonFact(place[1], "equal", values[0]))
        return holds
    if values and name is not None:
        if (node.value == "=" and not every) or (node.value in ("<>", "!=") and every):
            wanted = (node.value == "=") == holds
            (reading.of(name).choose if wanted else reading.of(name).excluded.update)(values)
            return True
        if node.value in ("~~", "~~*", "~") and holds and not every:
            reading.of(name).patterns.append(values[0] if node.value == "~" else like(values[0]))
            return True
    array, element = column_of(right), left.bare
    if array is not None and element.kind is Kind.LITERAL and holds:
        if node.value == "=" and not every:
            reading.of(array).contained.append(element.value)
        elif node.value in _TURNED:
            reading.of(array).floors.append(Bound(_TURNED[node.value], element.value, left.text))
        return True
    return False


def _operator(node: Node, holds: bool, reading: Reading) -> bool:
    left, right = node.parts
    operator = node.value
    if operator in _NEGATED:
        return _comparison(left, operator if holds else _NEGATED[operator], right, reading)
    name, word = column_of(left), _word(right)
    if operator.lstrip("!") in ("~", "~*", "~~", "~~*") and name is not None and word is not None:
        pattern = like(word) if "~~" in operator else word
        wanted = operator.startswith("!") != holds
        (reading.of(name).patterns if wanted else reading.of(name).shunned).append(pattern)
        return True
    if not holds:
        return False
    if operator == "^@" and name is not None and word is not None:
        reading.of(name).patterns.append(f"^{re.escape(word)}")
        return True
    return _contains(operator, left, right, reading)


def _contains(operator: str, left: Node, right: Node, reading: Reading) -> bool:
    """Operators of arrays and json values."""
    name, values = column_of(left), literals(right)
    if operator in ("<@", "@>", "&&") and name is not None and _is_array(right):
        demand = reading.of(name)
        match operator:
            case "<@":
                demand.elements = [v for v in values if v in demand.elements] or list(values)
            case "@>":
                demand.contained += values
            case _:
                demand.contained += values[:1]
        return True
    place = _json_place(left)
    if place is None:
        return False
    column, path = place
    match operator:
        case "?":
            reading.of(column).json += [JsonFact((*path, value), "has") for value in values]
        case "?&":
            reading.of(column).json += [JsonFact((*path, value), "has") for value in values]
        case "?|":
            reading.of(column).json += [JsonFact((*path, value), "has") for value in values[:1]]
        case "@>":
            reading.of(column).json += [JsonFact(path, "contains", value) for value in values]
        case "@?" | "@@":
            reading.of(column).json += [JsonFact(path, "path", value) for value in values]
        case _:
            return False
    return True


def _called(node: Node, reading: Reading) -> bool:
    """Functions that are conditions."""
    name = column_of(node.parts[0]) if node.parts else None
    word = _word(node.parts[1]) if len(node.parts) == 2 else None
    if name is None or word is None:
        return False
    match node.value:
        case "starts_with":
            reading.of(name).patterns.append(f"^{re.escape(word)}")
        case "regexp_like":
            reading.of(name).patterns.append(word)
        case "jsonb_path_exists" | "jsonb_path_match":
            reading.of(name).json.append(JsonFact((), "path", word))
        case "jsonb_exists":
            reading.of(name).json.append(JsonFact((word,), "has"))
        case _:
            return False
    return True


def _comparison(left: Node, operator: str, right: Node, reading: Reading) -> bool:
    operator = "<>" if operator == "!=" else operator
    if _word(left) is not None and _word(right) is None:
        left, operator, right = right, _TURNED[operator], left
    word = _word(right)
    if word is None:
        if not (left.names | right.names):
            return False
        reading.relations.append((left, operator, right))
        return True
    name, bare = column_of(left), left.bare
    if name is not None:
        _compared(reading.of(name), operator, word, right)
    elif bare.kind is Kind.CALL and bare.value in _LENGTHS and (measured := column_of(bare.parts[0])) is not None:
        reading.of(measured).sizes.append((operator, _number(word)))
    elif (place := _json_measure(bare)) is not None:
        column, path, what = place
        reading.of(column).json.append(JsonFact(path, what, word, operator))
    elif bare.kind is Kind.CALL and bare.value in ("date_part", "extract") and _part(bare, operator, word, reading):
        pass
    elif bare.kind is Kind.FIELD and (column_name := column_of(bare.parts[0])) is not None:
        reading.of(column_name).fields[bare.value] = _beyond(operator, word)
    elif bare.kind is Kind.CALL and bare.value in ("left", "substr", "substring") and _prefix(bare, word, reading):
        pass
    else:
        reading.relations.append((left, operator, right))
        _not_understood(Node(Kind.CALL, "", (left, right)), reading, {})
    return True


def _compared(demand: Demand, operator: str, word: str, right: Node) -> None:
    match operator:
        case "=":
            demand.choose([word])
        case "<>":
            demand.excluded.add(word)
        case _:
            demand.bounds.append(Bound(operator, word, right.text))


def _beyond(operator: str, word: str) -> str:
    """A value on the right side of a strict bound."""
    steps = {">": 1, "<": -1, "<>": 1}.get(operator, 0)
    return str(_number(word) + steps) if steps and re.fullmatch(r"-?\d+(\.\d+)?", word) else word


def _part(call: Node, operator: str, word: str, reading: Reading) -> bool:
    """`date_part('year', column) >= 2022`."""
    unit, names = _word(call.parts[0]), call.parts[1].names
    if unit is None or len(names) != 1:
        return False
    reading.of(next(iter(names))).units.append((unit.lower(), operator, word))
    return True


def _prefix(call: Node, word: str, reading: Reading) -> bool:
    name = column_of(call.parts[0])
    start = _word(call.parts[1]) if call.value != "left" and len(call.parts) > 1 else "1"
    if name is None or start != "1":
        return False
    reading.of(name).patterns.append(f"^{re.escape(word)}")
    return True


def _json_measure(node: Node) -> tuple[str, tuple[str, ...], str] | None:
    """A place in a json value, and which property of it an expression is."""
    if node.kind is Kind.CALL and node.value in ("jsonb_typeof", "json_typeof"):
        place, what = _json_place(node.parts[0]), "type"
    elif node.kind is Kind.CALL and node.value in ("jsonb_array_length", "json_array_length"):
        place, what = _json_place(node.parts[0]), "size"
    else:
        place, what = _json_place(node), "value"
        if place is not None and not place[1]:
            place = None
    return (*place, what) if place is not None else None


def _json_place(node: Node) -> tuple[str, tuple[str, ...]] | None:
    """The column and the path of `column -> 'a' ->> 'b'`, with an empty path for the column itself."""
    node = node.bare
    if node.kind is Kind.NAME:
        return node.value, ()
    if node.kind is Kind.CALL and node.value in _SOFT and node.parts:
        return _json_place(node.parts[0])
    if node.kind is Kind.OPERATOR and node.value in _STEPS and len(node.parts) == 2:
        inner, step = _json_place(node.parts[0]), _word(node.parts[1])
        if inner is None or step is None:
            return None
        steps = tuple(_array_items(step)) if node.value.startswith("#") else (step,)
        return inner[0], inner[1] + steps
    return None


def column_of(node: Node) -> str | None:
    """The column that an expression is, but for casts, folding, trimming and replaced NULLs."""
    node = node.bare
    if node.kind is Kind.NAME:
        return node.value
    if node.kind is Kind.CALL and node.value in _SOFT and node.parts:
        return column_of(node.parts[0])
    return None


def literals(node: Node) -> list[str]:
    """The texts of a literal, of ARRAY[…] of literals, or of an array literal."""
    node = node.bare
    if node.kind is Kind.LITERAL:
        return _array_items(node.value) if re.fullmatch(r"\{[^:]*\}", node.value) else [node.value]
    if node.kind in (Kind.ARRAY, Kind.ROW):
        found = [_word(part) for part in node.parts]
        return [word for word in found if word is not None]
    return []


def _is_array(node: Node) -> bool:
    return node.bare.kind is Kind.ARRAY or (node.kind is Kind.CAST and node.value.endswith("[]"))


def _array_items(text: str) -> list[str]:
    found = re.findall(r'"((?:[^"\\]|\\.)*)"|([^,{}]+)', text)
    return [re.sub(r"\\(.)", r"\1", quoted) if quoted else plain.strip() for quoted, plain in found]


def _word(node: Node) -> str | None:
    """The text of a constant."""
    node = node.bare
    if node.kind in (Kind.LITERAL, Kind.BOOLEAN):
        return node.value
    if node.kind is Kind.CALL and node.value in ("similar_to_escape", "like_escape") and node.parts:
        word = _word(node.parts[0])
        return None if word is None else similar(word)
    return None


def _number(word: str) -> int:
    try:
        return int(float(word))
    except ValueError:
        return 0


def like(pattern: str) -> str:
    """A LIKE pattern as a regular expression."""
    parts = {"%": "[a-z0-9]*", "_": "[a-z]"}
    return "^" + "".join(parts.get(c, re.escape(c)) for c in re.sub(r"\\(.)", r"\1", pattern)) + "$"


def similar(pattern: str) -> str:
    """A SIMILAR TO pattern as a regular expression."""
    return "^(?:" + pattern.replace("%", "[a-z0-9]*").replace("_", "[a-z]") + ")$"
