"""The values of a role column, from the strongest to the weakest."""

from __future__ import annotations

from dataclasses import dataclass

from tenantproof.catalog.inference.keys import single_targets
from tenantproof.catalog.inference.lexicon import UNKNOWN, stems, strength
from tenantproof.catalog.inference.proposal import Evidence
from tenantproof.catalog.inference.reading import Facts
from tenantproof.catalog.inference.tokens import after, bare, before, tokenize
from tenantproof.catalog.inference.vocabulary import in_order, vocabulary
from tenantproof.core.catalog import Column, ConstraintKind, Relation
from tenantproof.core.model import QName

RESERVED = frozenset({"anon", "outsider", "dual", "*", "where", "undecided"})
"""Words that the scenario file keeps for itself."""

_NAMES = in_order("""
    role access level permission rank position grade job standing tier function capacity privilege type kind
    title
    """)
_NOT_ROLES = vocabulary("""
    status state locale language theme currency country timezone gender plan source channel
    """)
_MOST = 12
"""A list of more values than this is hardly one of roles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """A role column and its values; `why` says where they come from."""

    column: str
    values: tuple[str, ...]
    why: str


def find_roles(relation: Relation, facts: Facts, evidence: Evidence, taken: set[str]) -> Roles | None:
    """The role column of a membership table with its values, or None.  *taken* are columns with another meaning."""
    for column in sorted(relation.columns, key=_likelihood):
        if column.name in taken or set(stems(column.name)) & _NOT_ROLES:
            continue
        if _likelihood(column)[0] == len(_NAMES) and not facts.literals.get((relation.name, column.name)):
            continue  # neither called like a role nor asked for by policies
        found = role_values(relation, column, facts, evidence)
        if found is not None:
            return found
    return None


def _likelihood(column: Column) -> tuple[int, int]:
    parts = stems(column.name)
    return next((place for place, name in enumerate(_NAMES) if name in parts), len(_NAMES)), column.position


def role_values(relation: Relation, column: Column, facts: Facts, evidence: Evidence) -> Roles | None:
    """The values of one column: of its enum, its CHECK, the table it refers to, or what policies compare it with."""
    if column.category == "N":
        return _numbered(relation, column, evidence)
    if column.category not in ("S", "E"):
        return None
    values, why = _declared(relation, column)
    if not values:
        values, why = _looked_up(relation, column, evidence)
    if not values:
        values, why = _spoken_of(facts, relation.name, column)
    return Roles(column=column.name, values=ordered(values), why=why) if 0 < len(values) <= _MOST else None


def _numbered(relation: Relation, column: Column, evidence: Evidence) -> Roles | None:
    """Roles that are numbers: keys of a lookup table that gives them names."""
    for table, key in single_targets(relation, column.name):
        lookup = evidence.lookups.get(table, {})
        labels = next((lookup[name] for name in lookup if name != key and _labels(lookup[name])), ())
        if labels and lookup.get(key):
            named = dict(zip(labels, lookup[key], strict=True))
            names = ordered(tuple(named))
            told = ", ".join(f"{named[name]} {name}" for name in names)
            return Roles(column=column.name, values=tuple(named[n] for n in names), why=f"rows of {table}: {told}")
    return None


def _labels(values: tuple[str, ...]) -> bool:
    return len(set(values)) == len(values) and not any(value.lstrip("-").isdigit() for value in values)


def ordered(values: tuple[str, ...]) -> tuple[str, ...]:
    """From the strongest to the weakest by usual names; names nobody knows last, as declared."""
    usable = [value for value in dict.fromkeys(values) if value.strip() and value.lower() not in RESERVED]
    known = [strength(value) for value in usable if strength(value) < UNKNOWN]
    if len(known) > 1 and known == sorted(known):
        return tuple(usable)  # declared from the strongest on: then the names in between have their place too
    if len(known) > 1 and known == sorted(known, reverse=True):
        return tuple(reversed(usable))
    return tuple(sorted(usable, key=strength))


def allowed_values(relation: Relation, column: Column) -> tuple[str, ...]:
    """What an enum or a CHECK lets a column hold; empty where nothing says so."""
    return _declared(relation, column)[0]


def _declared(relation: Relation, column: Column) -> tuple[tuple[str, ...], str]:
    if column.enum_values:
        return column.enum_values, f"labels of the enum {column.type}"
    for constraint in relation.constraints:
        if constraint.kind is ConstraintKind.CHECK:
            values = listed(constraint.definition, column.name)
            if values:
                return values, f"CHECK {constraint.name}"
    for text in column.domain_checks:
        if values := listed(text, "value"):
            return values, f"CHECK of the domain {column.type}"
    return (), ""


def listed(definition: str, column: str) -> tuple[str, ...]:
    """The constants that a CHECK compares a column with by IN, = or = ANY."""
    tokens = tokenize(definition)
    found: dict[str, None] = {}
    for place, token in enumerate(tokens):
        if token.text == "=" or token.says("in"):
            name = bare(before(tokens, place))
            if name and name[-1].lower() == column.lower():
                found.update(dict.fromkeys(t.literal for t in after(tokens, place + 1) if t.kind == "text"))
    return tuple(found)


def _looked_up(relation: Relation, column: Column, evidence: Evidence) -> tuple[tuple[str, ...], str]:
    for table, key in single_targets(relation, column.name):
        values = evidence.lookups.get(table, {}).get(key, ())
        if values:
            return values, f"rows of {table} that the migrations make"
    return (), ""


def _spoken_of(facts: Facts, table: QName, column: Column) -> tuple[tuple[str, ...], str]:
    values = dict(facts.literals.get((table, column.name), {}))
    default = [token.literal for token in tokenize(column.default or "") if token.kind == "text"]
    together = {*values, *default[:1]}
    # One name alone is no scale, and no CHECK says that there are no others.
    if len(together) > 1:
        return tuple(dict.fromkeys([*values, *default[:1]])), "what policies compare it with, and its default"
    return (), ""
