"""A value for a column: by its constraints, its default, the meaning of its name and its type, in this order."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from faker import Faker

from tenantproof.core.catalog import Column
from tenantproof.core.model import QName
from tenantproof.core.seeds import child_random, child_uuid
from tenantproof.seeding.checks import Hints, read_domain_checks
from tenantproof.seeding.meaning import Wish, is_absent, is_future, is_on, text_for
from tenantproof.seeding.patterns import accepts, matching
from tenantproof.seeding.typebook import TypeBook

_TEXT = {"text", "varchar", "bpchar", "citext", "name"}
_JSON = {"json", "jsonb"}
_WHOLE = {"int2": 32_000, "int4": 2_000_000_000, "int8": 2_000_000_000}
_STATE = re.compile(
    r"(^|_)(status|state|type|kind|plan|tier|level|role|visibility|priority|provider|source|method|mode)$"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """The two instants that values are made from: one for keys (stable within a month), one for the rest."""

    now: datetime

    @property
    def month(self) -> datetime:
        return self.now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)

    @property
    def yesterday(self) -> datetime:
        midnight = self.now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight - timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """Where a value goes: the column, what is demanded of it, and the row's number and tenant."""

    table: QName
    column: Column
    hints: Hints
    number: int
    """Counts the table's rows, drafts and retries; no two rows share it."""
    turn: int
    """Counts the rows of one tenant; varied columns alternate with it."""
    attempt: int
    canary: str
    unique: bool = False
    keyed: bool = False
    """Whether the value is part of a key, so must not depend on today's date."""
    apart: bool = False
    """Whether an instant must lie days from those of other rows."""
    varied: tuple[str, ...] | None = None
    """For a column that a `where:` scope names: the literals it is compared with."""


@dataclass(slots=True)
class Samples:
    """Makes values; a function of the seed and of the order in which it is asked."""

    seed: int
    clock: Clock
    types: TypeBook = field(default_factory=TypeBook)
    faker: Faker = field(default_factory=lambda: Faker("en_US"))

    def start(self, table: QName) -> None:
        """Begin a table: its words do not depend on the tables before."""
        self.faker.seed_instance(hashlib.sha256(f"{self.seed}/{table}".encode()).hexdigest())

    def value(self, slot: Slot) -> str | None:
        """A text literal for the column, or None for NULL."""
        column, hints = slot.column, slot.hints
        if hints.always_null:
            return None
        if self._left_empty(slot):
            return None
        if slot.varied and slot.turn % 2 == 0 and not slot.attempt:
            return slot.varied[slot.turn // 2 % len(slot.varied)]
        if (listed := self._choice(slot)) is not None:
            return listed
        default = constant_default(column)
        if default is not None and not slot.unique and self._keeps_default(slot, default):
            return default
        return self._made(slot)

    def made(self, slot: Slot) -> str | None:
        """A value that is neither the default nor NULL, if one can be made."""
        return self._choice(slot) or self._made(slot)

    def _choice(self, slot: Slot) -> str | None:
        """One of the few values that a list, an enum or a flag leaves; retries draw, so that all pairs come up."""
        allowed = slot.hints.choices or slot.column.enum_values
        if not allowed and slot.column.category == "B" and slot.attempt:
            allowed = ("true", "false")
        shunned = slot.hints.excluded | frozenset(slot.varied or ())
        listed = [choice for choice in allowed if choice not in shunned] or list(allowed)
        if not listed:
            return None
        default = constant_default(slot.column)
        if default in listed and not (slot.unique or slot.attempt):
            return default
        if slot.attempt > 1:
            return child_random(self.seed, slot.table, slot.column.name, slot.number).choice(listed)
        return listed[(slot.turn + slot.attempt) % len(listed)]

    def _left_empty(self, slot: Slot) -> bool:
        nullable = not slot.column.not_null and not slot.unique
        if slot.varied == () and nullable and slot.column.category != "B":
            return slot.turn % 2 == 1
        return nullable and is_absent(slot.column.name) and not slot.hints.choices

    def _keeps_default(self, slot: Slot, default: str) -> bool:
        if slot.varied is not None or default == "":
            return False
        if _kind(slot.column) in _JSON:
            return not (default in ("{}", "[]") or slot.hints.json_type)
        return slot.column.category not in "D" and default != "{}"

    def _made(self, slot: Slot) -> str | None:
        kind, category = _kind(slot.column), slot.column.category
        if kind in _TEXT:
            return self._text(slot)
        if category == "A":
            return self._array(slot)
        maker = _MAKERS.get(kind)
        if maker is not None:
            return maker(self, slot)
        if category == "C":
            return self._record(slot)
        return None if not slot.column.not_null else _STRANGE.get(category, "")

    def _text(self, slot: Slot) -> str:
        hints = slot.hints
        if hints.patterns:
            made = self._matching(hints, slot)
            if made is not None:
                return made
        if _STATE.search(slot.column.name) and not slot.unique:
            return fit("default", slot)
        return fit(text_for(slot.column.name, self.faker, self._wish(slot)), slot)

    def _matching(self, hints: Hints, slot: Slot) -> str | None:
        natural = fit(text_for(slot.column.name, self.faker, self._wish(slot)), slot)
        if all(accepts(pattern, natural) for pattern in hints.patterns):
            return natural
        for attempt in range(40):
            rng = child_random(self.seed, slot.table, slot.column.name, slot.number, attempt)
            made = matching(hints.patterns[0], rng)
            if made is not None and _long_enough(made, slot) and all(accepts(p, made) for p in hints.patterns):
                return made
        return None

    def _wish(self, slot: Slot) -> Wish:
        path = f"{self.seed}/{slot.table}/{slot.column.name}/{slot.number}"
        return Wish(number=slot.number, canary=slot.canary, digest=hashlib.sha256(path.encode()).hexdigest())

    def _array(self, slot: Slot) -> str:
        whole = slot.column.element_type or "text"
        element = whole.split("(")[0]
        if element in ("text", "character varying", "citext") and "(" not in whole:
            return "{" + (f'"{slot.canary}-{slot.number}"' if slot.canary else "general") + "}"
        if element in ("integer", "bigint", "smallint", "numeric", "real", "double precision"):
            return "{" + str(slot.number) + "}"
        if element == "uuid":
            return "{" + child_uuid(self.seed, slot.table, slot.column.name, slot.number) + "}"
        made = self.element(whole, slot)
        return "{}" if made is None else '{"' + _escaped(made) + '"}'

    def element(self, type_name: str, slot: Slot) -> str | None:
        """A value of a type that a column is made of, or None where there is no such type."""
        column = self.types.column(type_name, slot.column.name)
        if column is None:
            return None
        return self._made_or_listed(replace(slot, column=column, hints=read_domain_checks(column.domain_checks)))

    def _made_or_listed(self, slot: Slot) -> str | None:
        inner = replace(slot, unique=False, keyed=False, varied=None)
        return self._choice(inner) or self._made(inner)

    def _record(self, slot: Slot) -> str:
        """A composite value: each of its fields by its own name and type."""
        found = []
        for name, type_name in self.types.fields(slot.column.base_type):
            column = self.types.column(type_name, name)
            if column is None:
                found.append("")
                continue
            hints = read_domain_checks(column.domain_checks)
            made = self._made_or_listed(replace(slot, column=column, hints=hints))
            found.append("" if made is None else '"' + _escaped(made) + '"')
        return f"({','.join(found)})"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def constant_default(column: Column) -> str | None:
    """The default where it is a constant, as a text literal."""
    return _constant(column.default or "")


@functools.cache
def _constant(text: str) -> str | None:
    if match := re.fullmatch(r"'((?:[^']|'')*)'(?:::.+)?", text):
        return match.group(1).replace("''", "'")
    if re.fullmatch(r"\(?-?\d+(?:\.\d+)?\)?(?:::.+)?", text):
        return text.split("::")[0].strip("()")
    return text if text in ("true", "false") else None


def fit(text: str, slot: Slot) -> str:
    """The text folded, lengthened or cut as the column demands; a cut keeps what tells rows apart."""
    hints = slot.hints
    text = text.lower() if hints.lower else text.upper() if hints.upper else text
    text = text + "x" * (hints.min_length - len(text))
    limits = [limit for limit in (slot.column.length, hints.max_length) if limit is not None]
    longest = min(limits, default=None)
    if longest is None or len(text) <= longest:
        return text
    if not slot.unique:
        return text[:longest].rstrip() or text[:longest]
    return (text[:longest] + _base36(slot.number))[-longest:].rjust(longest, "0")


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, rest = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[rest] + digits
    return digits or "0"


def _kind(column: Column) -> str:
    return column.base_type.rsplit(".", 1)[-1]


def _long_enough(text: str, slot: Slot) -> bool:
    limits = [limit for limit in (slot.column.length, slot.hints.max_length) if limit is not None]
    return slot.hints.min_length <= len(text) <= min(limits, default=len(text))


def _boolean(_: Samples, slot: Slot) -> str:
    if slot.varied is not None:
        return "true" if slot.turn % 2 == 0 else "false"
    return "true" if is_on(slot.column.name) else "false"


def _whole(_: Samples, slot: Slot) -> str:
    top = min(_WHOLE[_kind(slot.column)], int(slot.hints.high) if slot.hints.high is not None else 10**9)
    low = int(slot.hints.low) if slot.hints.low is not None else 1
    return str(low + (slot.number - 1 + slot.attempt) % max(1, top - low + 1))


def _decimal(_: Samples, slot: Slot) -> str:
    match = re.search(r"\((\d+)(?:,(\d+))?\)", slot.column.type)
    precision, scale = (int(match.group(1)), int(match.group(2) or 0)) if match else (12, 2)
    low = slot.hints.low if slot.hints.low is not None else Decimal(0)
    high = Decimal(10) ** (precision - scale) - 1
    high = min(high, slot.hints.high) if slot.hints.high is not None else high
    span = max(Decimal(1), (high - low) // 1)
    return str(min(high, low + Decimal(slot.number) % span))


def _instant(samples: Samples, slot: Slot) -> datetime:
    clock = samples.clock
    if slot.apart:
        return clock.month - timedelta(days=3 * slot.number)
    if slot.keyed:
        return clock.month + timedelta(days=62 if is_future(slot.column.name) else 0, seconds=slot.number)
    base = clock.yesterday + timedelta(days=31 if is_future(slot.column.name) else 0)
    return base + timedelta(minutes=slot.number)


def _timestamptz(samples: Samples, slot: Slot) -> str:
    return _instant(samples, slot).isoformat(sep=" ")


def _timestamp(samples: Samples, slot: Slot) -> str:
    return _instant(samples, slot).replace(tzinfo=None).isoformat(sep=" ")


def _date(samples: Samples, slot: Slot) -> str:
    if (slot.unique or slot.keyed) and not slot.apart:
        return (samples.clock.month - timedelta(days=slot.number)).date().isoformat()
    return _instant(samples, slot).date().isoformat()


def _json(_: Samples, slot: Slot) -> str:
    kind = slot.hints.json_type or ("array" if constant_default(slot.column) == "[]" else "object")
    note = f"{slot.canary}-{slot.number}"
    about = {"role": "authenticated"} if slot.column.name.endswith("claims") else {}
    shapes: dict[str, object] = {
        "object": {"note": note} | about,
        "array": [note],
        "string": note,
        "number": slot.number,
        "boolean": True,
    }
    return json.dumps(shapes.get(kind))


def _range(samples: Samples, slot: Slot) -> str:
    kind = _kind(slot.column)
    begin = samples.clock.yesterday + timedelta(days=2 * slot.number)
    if slot.keyed:
        begin = samples.clock.month + timedelta(days=2 * slot.number)
    end = begin + timedelta(days=1)
    shown = {
        "int4range": f"[{10 * slot.number},{10 * slot.number + 5})",
        "int8range": f"[{10 * slot.number},{10 * slot.number + 5})",
        "numrange": f"[{10 * slot.number},{10 * slot.number + 5})",
        "daterange": f"[{begin.date()},{end.date()})",
        "tsrange": f"[{begin.replace(tzinfo=None)},{end.replace(tzinfo=None)})",
        "tstzrange": f"[{begin},{end})",
    }[kind.replace("multirange", "range")]
    return f"{{{shown}}}" if "multirange" in kind else shown


def _bits(_: Samples, slot: Slot) -> str:
    match = re.search(r"\((\d+)\)", slot.column.type)
    width = int(match.group(1)) if match else 1
    return f"{slot.number % 2**width:0{width}b}"


def _vector(_: Samples, slot: Slot) -> str:
    match = re.search(r"\((\d+)\)", slot.column.type)
    width = int(match.group(1)) if match else 3
    return "[" + ",".join(str(round((slot.number + i) % 7 / 7 + 0.1, 2)) for i in range(width)) + "]"


def _octets(slot: Slot) -> tuple[int, int]:
    return slot.number // 250 % 250, slot.number % 250 + 1


def _article_number(prefix: str) -> Callable[[Samples, Slot], str]:
    """Article, book and music numbers of the extension isn: twelve digits and the one that checks them."""

    def made(_: Samples, slot: Slot) -> str:
        digits = prefix + f"{slot.number:0{12 - len(prefix)}d}"
        weighted = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits))
        return digits + str(-weighted % 10)

    return made


def _geometry(_: Samples, slot: Slot) -> str:
    """Well-known text of the shape and reference system that the column's type names (PostGIS)."""
    shape, system = "point", ""
    if match := re.search(r"\((\w+)(?:,(\d+))?\)", slot.column.type):
        shape, system = match.group(1).lower(), f"SRID={match.group(2)};" if match.group(2) else ""
    x = slot.number % 90
    texts = {
        "linestring": f"LINESTRING({x} 0,{x} 1)",
        "polygon": f"POLYGON(({x} 0,{x} 1,{x + 1} 1,{x} 0))",
        "multipoint": f"MULTIPOINT(({x} 0))",
        "multilinestring": f"MULTILINESTRING(({x} 0,{x} 1))",
        "multipolygon": f"MULTIPOLYGON((({x} 0,{x} 1,{x + 1} 1,{x} 0)))",
    }
    return system + texts.get(shape, f"POINT({x} 1)")


_STRANGE = {"R": "empty", "C": "()"}
"""What a type without a maker of its own can hold, by its category."""

_MAKERS: dict[str, Callable[[Samples, Slot], str]] = {
    "bool": _boolean,
    "int2": _whole,
    "int4": _whole,
    "int8": _whole,
    "numeric": _decimal,
    "float4": _decimal,
    "float8": _decimal,
    "money": lambda _, s: f"{s.number}.00",
    "uuid": lambda m, s: child_uuid(m.seed, s.table, s.column.name, s.number),
    "timestamptz": _timestamptz,
    "timestamp": _timestamp,
    "date": _date,
    "time": lambda _, s: f"{s.number % 24:02d}:00:00",
    "timetz": lambda _, s: f"{s.number % 24:02d}:00:00+00",
    "interval": lambda _, s: f"{s.number} minutes",
    "json": _json,
    "jsonb": _json,
    "bytea": lambda _, s: "\\x" + (s.canary or f"{s.number}").encode().hex(),
    "inet": lambda _, s: "10.1.{}.{}".format(*_octets(s)),
    "cidr": lambda _, s: "10.1.{}.{}/32".format(*_octets(s)),
    "macaddr": lambda _, s: "08:00:2b:01:{:02x}:{:02x}".format(*_octets(s)),
    "macaddr8": lambda _, s: "08:00:2b:01:02:03:{:02x}:{:02x}".format(*_octets(s)),
    "int4range": _range,
    "int8range": _range,
    "numrange": _range,
    "daterange": _range,
    "tsrange": _range,
    "tstzrange": _range,
    "int4multirange": _range,
    "int8multirange": _range,
    "nummultirange": _range,
    "datemultirange": _range,
    "tsmultirange": _range,
    "tstzmultirange": _range,
    "bit": _bits,
    "varbit": _bits,
    "tsvector": lambda _, s: f"'{s.canary or 'word'}' 'row{s.number}'",
    "tsquery": lambda _, s: f"row{s.number}",
    "xml": lambda _, s: f"<note>{s.canary}</note>",
    "vector": _vector,
    "halfvec": _vector,
    "ltree": lambda _, s: f"top.n{s.number}",
    "hstore": lambda _, s: f'"note"=>"{s.canary}"',
    "point": lambda _, s: f"({s.number},{s.number})",
    "box": lambda _, s: f"({s.number},{s.number}),(0,0)",
    "circle": lambda _, s: f"<({s.number},0),1>",
    "line": lambda _, s: f"{{1,-1,{s.number}}}",
    "lseg": lambda _, s: f"[(0,0),({s.number},1)]",
    "path": lambda _, s: f"[(0,0),({s.number},1)]",
    "polygon": lambda _, s: f"((0,0),({s.number},1),(1,0))",
    "oid": lambda _, s: str(s.number),
    "regclass": lambda _, _s: "pg_catalog.pg_class",
    "regrole": lambda _, _s: "0",
    "regproc": lambda _, _s: "0",
    "pg_lsn": lambda _, s: f"0/{s.number:X}",
    "char": lambda _, _s: "a",
    "sparsevec": lambda _, s: f"{{1:{s.number}}}/{(re.search(r'[0-9]+', s.column.type) or ['3'])[0]}",
    "jsonpath": lambda _, s: f"$.row{s.number}",
    "lquery": lambda _, s: f"top.n{s.number}",
    "ltxtquery": lambda _, s: f"n{s.number}",
    "cube": lambda _, s: f"({s.number})",
    "seg": lambda _, s: f"{s.number}",
    "query_int": lambda _, s: f"{s.number}",
    "ean13": _article_number("4"),
    "isbn13": _article_number("978"),
    "isbn": _article_number("978"),
    "issn13": _article_number("977"),
    "ismn13": _article_number("9790"),
    "upc": _article_number("0"),
    "xid": lambda _, s: str(s.number),
    "xid8": lambda _, s: str(s.number),
    "tid": lambda _, s: f"(0,{s.number % 60_000 + 1})",
    "txid_snapshot": lambda _, s: f"{s.number}:{s.number + 1}:",
    "pg_snapshot": lambda _, s: f"{s.number}:{s.number + 1}:",
    "regtype": lambda _, _s: "integer",
    "regconfig": lambda _, _s: "simple",
    "regnamespace": lambda _, _s: "pg_catalog",
    "geometry": _geometry,
    "geography": _geometry,
}
