"""From catalog and facts to what one persona can speak of."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from tenantproof.core.catalog import Argument, Column, ConstraintKind, Function, Relation, RelationKind
from tenantproof.core.model import QName, Tenancy
from tenantproof.core.report import Gap
from tenantproof.core.world import Draft, Key
from tenantproof.engine.interference.facts import Facts, Sides
from tenantproof.engine.interference.outward import reason_not_to_call
from tenantproof.engine.interference.secrets import is_secret, is_unguessable
from tenantproof.engine.interference.variations import variations
from tenantproof.engine.plan import Plan
from tenantproof.generation.vocabulary import Link, Noun, Slot, Values, Verb, Vocabulary, Word, unguessable_in
from tenantproof.properties.border import Border, Side

_LONGEST = 120
_RANDOM_LENGTH = 20
_MOST = 12
_MOST_ALIEN = 4
_NOT_AN_ARGUMENT = frozenset("ot")
_RESULTS = frozenset("obt")
_JSON_KEYS = re.compile(r"->>?\s*'([A-Za-z_][\w]*)'")
_WORDS_SAID = re.compile(r"'([A-Za-z][\w .-]{0,40})'")
_PREFIX = re.compile(r"^(p|in|v|arg|_|target|the|new|input|for|my)_|^_+|_+$")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One column's values, findable by name and type."""

    relation: QName
    column: Column
    values: Values


@dataclass(frozen=True)
class _Entries:
    """All columns, by relation and name."""

    columns: Mapping[QName, Mapping[str, _Entry]]

    @cached_property
    def by_type(self) -> Mapping[str, list[_Entry]]:
        """Kind of type -> the columns of which values are known."""
        found: dict[str, list[_Entry]] = defaultdict(list)
        for columns in self.columns.values():
            for entry in columns.values():
                if entry.values != Values():
                    found[_kind_of(entry.column)].append(entry)
        return found


def function_gaps(plan: Plan) -> tuple[Gap, ...]:
    """Functions that somebody may call and that are not called, with the reason."""
    gaps = []
    for function in plan.callable_by(plan.callers):
        reason = reason_not_to_call(function, plan.catalog)
        if reason is not None:
            gaps.append(Gap(object=f"{function.name}({function.identity})", reason=f"not called: {reason}"))
    return tuple(gaps)


class Lexicon:
    """Makes vocabularies."""

    def __init__(self, plan: Plan, facts: Facts, famous: Mapping[QName, frozenset[Key]]) -> None:
        self._plan, self._facts, self._famous = plan, facts, famous
        self._called: dict[tuple[QName, str], bool] = {}

    def of(self, border: Border, sides: Sides) -> Vocabulary:
        """What the border's persona can speak of; *sides* says where the rows lie."""
        entries = _Entries({name: self._columns(name, sides.get(name, {})) for name in self._plan.catalog.relations})
        role = self._plan.identities[border.persona.name].role
        nouns = tuple(
            noun
            for relation in self._plan.relations
            if (noun := self._noun(border, role, relation, entries)).readable
            or noun.insertable
            or noun.updatable
            or noun.deletable
        )
        held = self._plan.catalog.privileges_of(role)
        verbs = tuple(
            self._verb(function, entries) for function in self._plan.callable_by(held) if self._is_called(function)
        )
        return Vocabulary(
            nouns=nouns,
            verbs=verbs,
            variations=variations(self._plan, border),
            unguessable=unguessable_in(nouns, verbs) | self._tenants_of_others(border),
        )

    def _tenants_of_others(self, border: Border) -> frozenset[str]:
        """Where tenants have random ids, a variation may mention them."""
        ids = {value for value in self._plan.manifest.tenant_ids.values() if value not in border.own_tenants}
        return frozenset(value for value in ids if len(value) >= _RANDOM_LENGTH)

    def _is_called(self, function: Function) -> bool:
        """Asked for each persona, and the same for all."""
        key = (function.name, function.identity)
        if key not in self._called:
            self._called[key] = reason_not_to_call(function, self._plan.catalog) is None
        return self._called[key]

    def _columns(self, name: QName, sides: Mapping[Key, Side]) -> dict[str, _Entry]:
        relation = self._plan.catalog.relations[name]
        leaves = [name] if name in self._facts.rows else self._leaves(name)
        return {
            column.name: _Entry(relation=name, column=column, values=self._values(relation, column, leaves, sides))
            for column in relation.columns
        }

    def _leaves(self, name: QName) -> list[QName]:
        return [
            leaf for leaf, root in self._plan.oracle.partitions.items() if root == name and leaf in self._facts.rows
        ]

    def _values(self, relation: Relation, column: Column, leaves: Iterable[QName], sides: Mapping[Key, Side]) -> Values:
        own: dict[str, None] = {}
        hidden: dict[str, None] = {}
        famous: dict[str, None] = {}
        keyed = column.name in relation.primary_key or any(column.name in fk.columns for fk in relation.foreign_keys)
        for leaf in leaves:
            place = self._facts.relations[leaf].column_names.index(column.name)
            for fact in self._facts.rows[leaf]:
                value = fact.values[place]
                if value is None or len(value) > _LONGEST or not fact.row.seeded or _is_of_now(column, value):
                    continue
                if sides.get(fact.row.key) is not Side.FOREIGN:
                    own[value] = None
                elif fact.row.key in self._famous.get(leaf, ()):
                    famous[value] = None
                else:
                    hidden[value] = None
        others = _few(value for value in (*hidden, *famous) if value not in own)
        if is_secret(column, keyed=keyed):
            return Values(own=_few(own))
        if is_unguessable(column):
            return Values(own=_few(own), known=_few(value for value in famous if value not in own))
        return Values(own=_few(own), guessable=others)

    def _noun(self, border: Border, role: str, relation: Relation, entries: _Entries) -> Noun:
        held = self._plan.privileges(role, relation)
        known = self._known_columns(relation, entries)
        words = {column.name: self._word(relation, column, known, entries.by_type) for column in relation.columns}
        settable = [column.name for column in relation.columns if not column.generated and column.identity != "a"]

        def allowed(privilege: str, names: Iterable[str]) -> tuple[Word, ...]:
            return tuple(words[name] for name in names if {(privilege, None), (privilege, name)} & held)

        key = relation.primary_key
        return Noun(
            name=relation.name,
            readable=allowed("SELECT", relation.column_names),
            insertable=allowed("INSERT", settable),
            updatable=allowed("UPDATE", settable),
            deletable=("DELETE", None) in held,
            key=tuple(words[name] for name in key),
            links=tuple(_links(relation)),
            uniques=tuple(
                index.columns
                for index in relation.indexes
                if index.unique and "" not in index.columns and not index.predicate
            ),
            drafts=tuple(draft.values for draft in self._own_drafts(border, relation.name)),
            copies=tuple(self._copies(border, relation, words)),
            alien=tuple(draft.values for draft in self._alien_drafts(border, relation.name))[:_MOST_ALIEN],
            view=relation.kind in (RelationKind.VIEW, RelationKind.MATVIEW),
            read_by=self._readers.get(relation.name, frozenset()),
        )

    def _known_columns(self, relation: Relation, entries: _Entries) -> Mapping[str, _Entry]:
        """The relation's columns; those of a view have the values of the columns of that name below it."""
        found = dict(entries.columns[relation.name])
        for below in self._plan.below(relation):
            for name, entry in entries.columns.get(below, {}).items():
                if name in found and found[name].values == Values():
                    found[name] = entry
        return found

    def _word(
        self, relation: Relation, column: Column, known: Mapping[str, _Entry], by_type: Mapping[str, list[_Entry]]
    ) -> Word:
        values = self._with_namesakes(known[column.name], by_type)
        if column.element_type is not None:
            alike = _merged(by_type.get(_plain_type(column.element_type, self._domains), []))
            values = replace(values, known=_wrapped(alike.known), guessable=_wrapped(alike.guessable))
        unique = {name for index in relation.indexes if index.unique for name in index.columns}
        linked = {name for key in relation.foreign_keys for name in key.columns}
        linked |= {
            name
            for constraint in relation.constraints
            if constraint.kind is ConstraintKind.EXCLUSION
            for name in constraint.columns
        }
        return Word(
            name=column.name,
            type=column.type,
            category=_category(column),
            not_null=column.not_null,
            values=values,
            labels=column.enum_values,
            keyed=column.name in unique | linked | self._joined or column.element_type == "uuid",
        )

    def _with_namesakes(self, entry: _Entry, by_type: Mapping[str, list[_Entry]]) -> Values:
        """The column's values, and those of columns of its name and kind elsewhere: what is joined without a key."""
        column = entry.column
        if column.name not in self._joined or column.name in self._plan.catalog.relations[entry.relation].primary_key:
            return entry.values
        alike = [other for other in by_type.get(_kind_of(column), []) if other.column.name == column.name]
        return replace(
            entry.values,
            guessable=_few(_in_turn([entry.values.guessable, *(other.values.guessable for other in alike)])),
        )

    @cached_property
    def _joined(self) -> frozenset[str]:
        """Names of columns that are part of a natural key somewhere: what other relations call so may be joined."""
        return frozenset(
            column.name
            for relation in self._facts.relations.values()
            for index in relation.indexes
            for column in relation.columns
            if index.unique and column.name in index.columns and column.category == "S"
        )

    def _own_drafts(self, border: Border, name: QName) -> Iterator[Draft]:
        for draft in self._plan.manifest.drafts.get(name, ()):
            mine = draft.owner == border.persona.user_id or draft.owner is None
            inside = draft.tenant in border.own_tenants or (draft.tenant is None and draft.owner is not None)
            if draft.replaces is None and inside and mine:
                yield draft

    def _alien_drafts(self, border: Border, name: QName) -> Iterator[Draft]:
        """Rows of other tenants, those that name the persona as their owner first."""
        drafts = [draft for draft in self._plan.manifest.drafts.get(name, ()) if draft.replaces is None]
        foreign = [draft for draft in drafts if draft.tenant is not None and draft.tenant not in border.own_tenants]
        return iter(sorted(foreign, key=lambda draft: draft.owner != border.persona.user_id))

    def _copies(self, border: Border, relation: Relation, words: Mapping[str, Word]) -> Iterator[dict[str, str]]:
        """Values of some rows of others in the columns of unique and exclusion constraints: those that can be guessed,
        and all but those that say whose the row is, for who knows the ids."""
        compared = [name for name, word in words.items() if word.keyed]
        guessed = [name for name in compared if words[name].values.guessable]
        whose = _first_steps(self._plan.tenancy_of(relation.name))
        of_its_own = set(relation.primary_key) - {name for key in relation.foreign_keys for name in key.columns}
        known = [name for name in compared if name not in whose and {name} != of_its_own]
        foreign = (
            dict(zip(self._facts.relations[leaf].column_names, fact.values, strict=True))
            for leaf in (relation.name, *self._leaves(relation.name))
            for fact in self._facts.rows.get(leaf, ())
            if border.side(leaf, fact.row) is Side.FOREIGN
        )
        seen: list[dict[str, str]] = []
        for values in itertools.islice(foreign, _MOST_ALIEN):
            for told, least in ((guessed, 2), (known, 1)):
                copied = {name: value for name in told if (value := values[name]) is not None}
                if len(copied) >= least and copied not in seen:
                    seen.append(copied)
                    yield copied

    def _verb(self, function: Function, entries: _Entries) -> Verb:
        keys = tuple(dict.fromkeys(_JSON_KEYS.findall(function.source)))
        words = tuple(dict.fromkeys(_WORDS_SAID.findall(function.source)))[:_MOST]
        slots = tuple(
            self._slot(argument, entries, keys, words)
            for argument in function.arguments
            if argument.mode not in _NOT_AN_ARGUMENT
        )
        fields = {key: _merged(_named(key, None, entries.columns)) for key in keys}
        results = any(argument.mode in _RESULTS for argument in function.arguments)
        many = results or (function.returns_set and "record" not in function.returns)
        return Verb(name=function.name, slots=slots, many=many, fields=fields)

    @cached_property
    def _readers(self) -> Mapping[QName, frozenset[QName]]:
        """relation -> the views over it, and the functions that name it."""
        catalog = self._plan.catalog
        found: dict[QName, set[QName]] = defaultdict(set)
        for relation in catalog.relations.values():
            for below in self._plan.below(relation) if relation.base_relations else ():
                found[below].add(relation.name)
        for function in catalog.functions:
            words = set(re.findall(r"\w+", function.source))
            for name in catalog.relations:
                if name.name in words:
                    found[name].add(function.name)
        return {name: frozenset(readers) for name, readers in found.items()}

    @cached_property
    def _domains(self) -> Mapping[str, str]:
        """Spelled type of a column with a domain -> the kind under it."""
        columns = (column for relation in self._plan.catalog.relations.values() for column in relation.columns)
        return {column.type: _kind_of(column) for column in columns if column.is_domain}

    def _slot(self, argument: Argument, entries: _Entries, keys: tuple[str, ...], words: tuple[str, ...]) -> Slot:
        """*words* are the texts that the function itself speaks of: what it compares an argument with."""
        spelled = _CONCRETE.get(argument.type, argument.type)
        element = spelled.removesuffix("[]") if spelled.endswith("[]") else None
        kind = _plain_type(element or spelled, self._domains)
        alike = entries.by_type.get(kind, [])
        row_of = self._row_type(argument.type)
        return Slot(
            name=argument.name,
            type=spelled,
            category=_category(alike[0].column) if alike else "",
            has_default=argument.has_default,
            variadic=argument.mode == "v",
            values=_merged(_named(argument.name, kind, entries.columns)),
            loose=_merged(sorted(alike, key=lambda e: (e.column.name not in _keys_of(self._plan, e), str(e.relation)))),
            labels=words if kind == "text" else alike[0].column.enum_values if alike else (),
            row_of=row_of,
            columns=_keys_in_row(self._plan.catalog.relations[row_of], entries.columns[row_of]) if row_of else {},
            keys=keys if kind in ("json", "jsonb") else (),
            element=element,
        )

    def _row_type(self, spelled: str) -> QName | None:
        plain = spelled.replace('"', "")
        if plain in _BUILT_IN:
            return None
        for name in self._plan.catalog.relations:
            if plain in (name.name, str(name)):
                return name
        return None


def _first_steps(tenancy: Tenancy) -> frozenset[str]:
    """The columns of a row that lead to its tenant and its owner."""
    return frozenset(loc.path[0] for loc in (tenancy.tenant, tenancy.owner) if loc is not None and loc.path)


def _keys_in_row(relation: Relation, columns: Mapping[str, _Entry]) -> dict[str, Values]:
    keyed = {*relation.primary_key, *(name for key in relation.foreign_keys for name in key.columns)}
    return {name: entry.values for name, entry in columns.items() if name in keyed}


def _keys_of(plan: Plan, entry: _Entry) -> tuple[str, ...]:
    return plan.catalog.relations[entry.relation].primary_key


def _is_of_now(column: Column, value: str) -> bool:
    """Whether the value is an instant that a default or trigger wrote: not the same in another run."""
    return column.category == "D" and "." in value


def _category(column: Column) -> str:
    """pg_type.typcategory, but for what has no numbers or no boundaries in common with its category."""
    base = column.base_type.rpartition(".")[2]
    if base in ("json", "jsonb"):
        return "J"
    if base.startswith("reg") or (column.category == "U" and base != "uuid"):
        return ""
    return column.category


def _few(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))[:_MOST]


def _merged(entries: Iterable[_Entry]) -> Values:
    found = list(entries)
    return Values(
        own=_few(_in_turn([entry.values.own for entry in found])),
        guessable=_few(_in_turn([entry.values.guessable for entry in found])),
        known=_few(_in_turn([entry.values.known for entry in found])),
    )


def _wrapped(values: Iterable[str]) -> tuple[str, ...]:
    """Each as an array of one."""
    quoted = (value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return tuple(f'{{"{value}"}}' for value in quoted)


def _in_turn(lists: list[tuple[str, ...]]) -> Iterator[str]:
    """The first of each, then the second of each."""
    for place in range(_MOST):
        yield from (values[place] for values in lists if place < len(values))


_CONCRETE = {
    "anyelement": "text",
    "anynonarray": "text",
    "anycompatible": "text",
    "anycompatiblenonarray": "text",
    "anyarray": "text[]",
    "anycompatiblearray": "text[]",
}
"""A type for arguments that take any."""

_BUILT_IN = frozenset(
    {
        "box",
        "circle",
        "date",
        "interval",
        "line",
        "lseg",
        "money",
        "name",
        "path",
        "point",
        "polygon",
        "text",
        "time",
        "xml",
    }
)
"""Types of pg_catalog that a table may be named after."""

_KINDS = {
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "float4": "real",
    "float8": "double precision",
    "bool": "boolean",
    "timestamptz": "timestamp with time zone",
    "timestamp": "timestamp without time zone",
    "varchar": "text",
    "bpchar": "text",
    "citext": "text",
    "name": "text",
}
"""pg_type.typname to the name that format_type prints; texts are one."""


def _kind_of(column: Column) -> str:
    """The type under domains, in one spelling for columns and arguments."""
    base = column.base_type.rpartition(".")[2]
    return _KINDS.get(base, base)


def _plain_type(spelled: str, domains: Mapping[str, str]) -> str:
    """Without length, schema and domain; the texts are one."""
    plain = re.sub(r"\(.*?\)", "", spelled).strip()
    if plain in ("character varying", "character"):
        return "text"
    last = plain.rpartition(".")[2].strip('"')
    return domains.get(plain) or _KINDS.get(last) or (plain if "." not in plain else last)


def _named(name: str, kind: str | None, tables: Mapping[QName, Mapping[str, _Entry]]) -> list[_Entry]:
    """Columns that an argument's name points to, the closest first: `p_org_id` means any `org_id`, or `orgs.id`."""
    wanted = _PREFIX.sub("", _PREFIX.sub("", name.lower()))
    scored = []
    for relation, columns in tables.items():
        for column, entry in columns.items():
            if kind is not None and _kind_of(entry.column) != kind:
                continue
            if entry.values != Values() and (score := _likeness(wanted, relation.name, column)):
                scored.append((-score, str(relation), column, entry))
    scored.sort(key=lambda item: item[:3])
    best = scored[0][0] if scored else 0
    return [entry for score, _, _, entry in scored if score == best or score <= -3][:6]


def _likeness(wanted: str, relation: str, column: str) -> int:
    """5 the row's own key by its relation's name, 4 the column itself, 3 and less for parts of names."""
    wanted = wanted if wanted == column else _singular(wanted)
    stem = wanted.removesuffix("_id").removesuffix("id").rstrip("_")
    if stem and column in ("id", "uuid", wanted) and _singular(relation).endswith(_singular(stem)):
        return 5
    if column == wanted:
        return 4
    if stem and _abbreviates(stem, relation) and column == "id":
        return 3
    if wanted and (column.endswith(f"_{wanted}") or wanted.endswith(f"_{column}")):
        return 2
    return 1 if stem and stem in column else 0


def _abbreviates(stem: str, relation: str) -> bool:
    """`org` for organizations, `ws` is nobody's business."""
    return len(stem) > 2 and any(part.startswith(stem) for part in relation.split("_"))


def _singular(word: str) -> str:
    return word[:-3] + "y" if word.endswith("ies") else word.removesuffix("s")


def _links(relation: Relation) -> Iterator[Link]:
    for key in relation.foreign_keys:
        if key.references is not None:
            yield Link(columns=key.columns, parent=key.references, parent_columns=key.ref_columns)
