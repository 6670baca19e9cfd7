"""What a Prisma schema says, as far as a database can agree or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tenantproof.core.errors import Problem, UsageError


class PrismaError(UsageError):
    """A Prisma schema cannot be read; carries all its problems at once."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n\n".join(problem.render() for problem in self.problems))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The side of a relation that holds the foreign key, in names of fields; actions as Prisma spells them."""

    fields: tuple[str, ...]
    references: tuple[str, ...]
    on_delete: str | None = None
    on_update: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a model; `place` is where it stands, path and line.

    `type` is a scalar's, a model's or an enum's name ("Unsupported" with the type in `native`); `column` what the
    database calls it; `relation` the name of its relation, where one is given.
    """

    name: str
    column: str
    type: str
    place: tuple[str, int]
    optional: bool = False
    is_list: bool = False
    native: str = ""
    ignored: bool = False
    relation: str = ""
    reference: Reference | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model, or view; `table` is what the database calls it, `schema` empty where none is given."""

    name: str
    table: str
    place: tuple[str, int]
    fields: tuple[Field, ...]
    schema: str = ""
    is_view: bool = False
    ignored: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Enum:
    """One enum, with its values as the database calls them."""

    name: str
    type: str
    place: tuple[str, int]
    values: tuple[str, ...]
    schema: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrismaSchema:
    """A whole schema.  `enforces` tells whether relations are foreign keys in the database."""

    path: str
    models: Mapping[str, Model]
    enums: Mapping[str, Enum]
    enforces: bool = True
