"""What a persona can speak of: relations and functions it may use, and values it may know or guess."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tenantproof.core.model import QName
from tenantproof.core.program import Variation


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """Values of one column, as text.

    `own` stand in rows the persona is entitled to; `guessable` in rows of others, where one can guess them (numbers,
    names, slugs); `known` are ids of others that nobody guesses (uuids), of the few rows that are known by their id.
    """

    own: tuple[str, ...] = ()
    guessable: tuple[str, ...] = ()
    known: tuple[str, ...] = ()

    @property
    def others(self) -> tuple[str, ...]:
        """Values of others, however they came to be known."""
        return (*self.known, *self.guessable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One column: its type as PostgreSQL spells it, and what may be said about it."""

    name: str
    type: str
    category: str
    not_null: bool
    values: Values
    labels: tuple[str, ...] = ()
    """The few values of an enum."""
    keyed: bool = False
    """Part of a unique index or a foreign key: a value of somebody else's there is telling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A foreign key: these columns refer to those of the parent."""

    columns: tuple[str, ...]
    parent: QName
    parent_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Noun:
    """One relation, and what the persona's role may do with which of its columns."""

    name: QName
    readable: tuple[Word, ...]
    insertable: tuple[Word, ...]
    updatable: tuple[Word, ...]
    deletable: bool
    key: tuple[Word, ...]
    links: tuple[Link, ...]
    uniques: tuple[tuple[str, ...], ...]
    drafts: tuple[Mapping[str, str | None], ...]
    """Values of valid rows of the persona's own that are not there yet."""
    alien: tuple[Mapping[str, str | None], ...] = ()
    """Values of valid rows of others that are not there yet."""
    copies: tuple[Mapping[str, str], ...] = ()
    """What of rows of others can be guessed, row by row, in the columns that constraints compare."""
    view: bool = False
    read_by: frozenset[QName] = frozenset()
    """Views and functions that read it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One argument of a function, with values by meaning (the column its name points to), then by type."""

    name: str
    type: str
    category: str
    has_default: bool
    values: Values
    loose: Values
    """Values of any column of that type."""
    labels: tuple[str, ...] = ()
    row_of: QName | None = None
    """The argument is a row of this relation."""
    columns: Mapping[str, Values] = field(default_factory=dict)
    """For a row: the columns that hold keys of its own or of other relations."""
    keys: tuple[str, ...] = ()
    """For json: the keys that the function's text reads."""
    element: str | None = None
    """For arrays: the type of an element."""
    variadic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """One function that the persona may call."""

    name: QName
    slots: tuple[Slot, ...]
    many: bool
    """Whether it returns rows rather than one value."""
    fields: Mapping[str, Values] = field(default_factory=dict)
    """For json arguments: values by key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """Everything one persona can speak of."""

    nouns: tuple[Noun, ...]
    verbs: tuple[Verb, ...]
    variations: tuple[Variation, ...] = ()
    unguessable: frozenset[str] = frozenset()
    """Ids of others that nobody guesses."""

    def noun(self, name: QName) -> Noun | None:
        """The relation of that name, where the persona may read it."""
        return next((noun for noun in self.nouns if noun.name == name and noun.readable), None)

    @property
    def subjects(self) -> tuple[Noun | Verb, ...]:
        """What a program can be about."""
        return (*self.nouns, *self.verbs)


def unguessable_in(nouns: Iterable[Noun], verbs: Iterable[Verb]) -> frozenset[str]:
    """Every id of others among the values that nobody guesses."""
    words = (word for noun in nouns for word in (*noun.readable, *noun.insertable, *noun.updatable))
    slots = (slot for verb in verbs for slot in verb.slots)
    values = [*(word.values for word in words), *(v for slot in slots for v in (slot.values, slot.loose))]
    return frozenset(value for known in values for value in known.known)
