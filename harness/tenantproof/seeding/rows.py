"""One row of one table: fixed values first, then foreign keys to rows of the same tenant, then the rest."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from tenantproof.core.catalog import Column, Constraint
from tenantproof.core.seeds import child_uuid
from tenantproof.seeding import partitions
from tenantproof.seeding.cast import TOPS, Cast, slug
from tenantproof.seeding.checks import Comparison
from tenantproof.seeding.inversion import templates_for
from tenantproof.seeding.links import Links, NoParent
from tenantproof.seeding.meaning import is_person
from tenantproof.seeding.plan import TablePlan
from tenantproof.seeding.replacing import Replacement
from tenantproof.seeding.samples import Samples, Slot, fit
from tenantproof.seeding.solving import Solver, Subject
from tenantproof.seeding.store import SeedRow, Store, UniqueKeys, Values
from tenantproof.seeding.variety import Kind, Option, mixes, pinned_columns

FULL = "every combination of"
"""How the message begins that says that a table is full."""

_ATTEMPTS = 60
_FEW = 3
_NOBODY = "shared"
"""What stands in for tenant name and canary in rows without a tenant."""
_TENANT_NAME = re.compile(r"^(name|title|display_name|company_name|organi[sz]ation_name|team_name|full_name)$")
_TENANT_SLUG = re.compile(r"^(slug|subdomain|handle|key|code|short_name)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """A row that should exist: whose it is, and what it must hold.

    `actor` is the user whom the other user columns name as well (drafts: who inserts it).
    """

    tenant: str | None = None
    owner: str | None = None
    fixed: Mapping[str, str | None] = field(default_factory=dict)
    actor: str | None = None
    turn: int = 0
    childless: bool = False
    """Whether no other row should refer to it."""


@dataclass(frozen=True, slots=True)
class Impossible:
    """Why there is no such row, in the database's terms."""

    sqlstate: str
    message: str


class Builder:
    """Makes the rows of one table; remembers which keys are taken."""

    def __init__(
        self,
        table: TablePlan,
        *,
        cast: Cast,
        store: Store,
        samples: Samples,
        tenant_columns: frozenset[str],
        slots: Sequence[partitions.Slot] = (),
    ) -> None:
        self.table, self._cast, self._store, self._samples = table, cast, store, samples
        self._tenant_columns, self._slots = tenant_columns, slots
        self._links = Links(table, store, cast)
        self._taken = UniqueKeys(table.unique)
        self._templates: Values = {**templates_for(table.tenancy), **table.tenancy.values}
        for membership in table.memberships:
            self._templates |= dict(membership.values)
        for row in store.of(table.name):
            self._taken.take(row.values)
        self._number = len(store.of(table.name))
        self._first_serial = {c.name: self._last(c) for c in table.relation.columns if is_serial(c)}
        self._key_columns = self._keyed()
        self._learned: Values = {}
        self._mixes = list(mixes(table, pinned_columns(table, self._templates, tenant_columns)))
        self._solver: Solver | None = None

    def build(self, want: Want, keys: Sequence[Constraint]) -> SeedRow | Impossible:
        """A new row, with these foreign keys bound; its unique keys are taken from now on."""
        problem = Impossible("23505", f"{FULL} a unique key is taken")
        for attempt in range(_ATTEMPTS):
            self._number += 1
            row = self._new_row(want)
            try:
                values = self._values(row, want, keys, attempt)
            except NoParent as error:
                problem = Impossible("23503", str(error))
                if self.table.rules.alternatives and attempt < 2 * _FEW:
                    continue
                return problem
            if (clash := self._taken.conflict(values)) is not None:
                problem = Impossible("23505", f"{FULL} the unique key {clash.name} is taken")
                if set(clash.columns) <= self._settled(want):
                    break
            elif all(_holds(rule, values) for rule in self.table.rules.comparisons):
                self._taken.take(values)
                row.values = values
                self.solve(row)
                return row
        return problem

    def replace(self, want: Want) -> Replacement | None:
        """A row of the wanted tenant and owner that takes the place of one that is there."""
        for attempt in range(_ATTEMPTS):
            self._number += 1
            row = self._new_row(want)
            try:
                row.values = self._values(row, want, self.table.foreign_keys, attempt)
            except NoParent:
                return None
            gone = self._in_the_way(row)
            if gone is not None:
                keys = {column for key in self.table.unique for column in key.columns}
                row.values |= {column: gone.values.get(column) for column in keys}
                return Replacement(row=row, gone=gone)
        return None

    def _in_the_way(self, row: SeedRow) -> SeedRow | None:
        clash = self._taken.conflict(row.values)
        if clash is None:
            return None
        place = {column: row.values.get(column) for column in clash.columns}
        rows = self._store.matching(self.table.name, place)
        return next((known for known in rows if known.tenant == row.tenant), None)

    def judge_by(self, solver: Solver) -> None:
        """From now on the database judges each row before it is offered."""
        self._solver = solver

    def solve(self, row: SeedRow) -> bool:
        """Change a row until the table's CHECKs hold; whether they do, as far as anybody knows."""
        if self._solver is None:
            return True
        self._taken.release(row.values)
        solved = self._solver.mend(self._subject(row))
        if solved is not None:
            row.values = solved
        self._taken.take(row.values)
        return solved is not None

    def _subject(self, row: SeedRow) -> Subject:
        table, relation = self.table, self.table.relation
        want = Want(tenant=row.tenant, owner=row.owner, turn=row.turn)
        tied = {column for key in table.foreign_keys for column in key.columns}
        routing = {column for slot in self._slots for column in slot.starts}
        frozen = {*table.locating, *self._templates, *routing}
        shared = {column for key in table.foreign_keys if len(key.columns) > 1 for column in key.columns}
        choices = {column: self._links.choices(column, want) for column in tied - frozen - shared}
        frozen |= {column for column in tied if relation.column(column).not_null and column not in choices}
        counter = itertools.count(row.number * 10)

        def slot(name: str) -> Slot:
            return replace(self._slot(relation.column(name), want, 0), number=row.number)

        return Subject(
            values=dict(row.values),
            number=row.number,
            frozen=frozenset(frozen),
            detachable=frozenset(tied - frozen - choices.keys()),
            choices=choices,
            unique=table.unique_columns,
            dear=frozenset(name for name in row.plain if relation.column(name).not_null),
            make=lambda name: None if name in tied else self._samples.made(slot(name)),
            element=lambda name: self._samples.element(
                name, replace(slot(relation.columns[0].name), number=next(counter))
            ),
            acceptable=lambda values: self._taken.conflict(values) is None,
        )

    @property
    def slot_count(self) -> int:
        """How many partitions rows are spread over."""
        return len(self._slots)

    def notice(self, row: SeedRow) -> None:
        """A row that somebody else made: its keys are taken, and numbers go on after its numbers."""
        self._taken.take(row.values)
        for column, first in self._first_serial.items():
            value = row.values.get(column) or ""
            self._first_serial[column] = max(first, int(value)) if value.isdigit() else first

    def start(self) -> None:
        """Begin the table: keys and numbers go on after the rows that exist by now."""
        self._samples.start(self.table.name)

    def learn(self, values: Values) -> None:
        """Values that the database asked for: rows to come have them too."""
        self._learned = values

    @property
    def variety(self) -> int:
        """How many rows of a tenant differ from each other."""
        return len(self._mixes)

    def adopt(self, row: SeedRow) -> None:
        """The database wanted another mix than this row's: rows to come have what it has now."""
        mix = self._mixes[row.mix]
        for name in row.plain:
            value = row.values.get(name)
            mix[name] = Kind.FILLED if value is not None and value == row.filled.get(name) else value

    def bind_late(self) -> None:
        """Point the foreign keys of a cycle at rows, now that all tables have theirs."""
        for turn, row in enumerate(self._store.of(self.table.name)):
            if row.existing:
                continue
            loose = {c for key in self.table.late for c in key.columns if row.values.get(c) is None}
            want = Want(tenant=row.tenant, owner=row.owner, turn=turn)
            self._taken.release(row.values)
            with contextlib.suppress(NoParent):
                row.values |= self._bound_late(row, want, frozenset(loose))
            self._taken.take(row.values)

    def _bound_late(self, row: SeedRow, want: Want, loose: frozenset[str]) -> Values:
        """Values for the loose columns that break no unique key, if there are such."""
        kept = {name: value for name, value in row.values.items() if name not in loose}
        found: Values = {}
        for attempt in range(_ATTEMPTS):
            values = dict(kept)
            self._links.bind(values, self.table.late, want, attempt)
            found = {name: values[name] for name in loose if name in values}
            if self._taken.conflict(row.values | found) is None:
                break
        return found

    def _settled(self, want: Want) -> frozenset[str]:
        """Columns that no retry would change."""
        return frozenset(self._fixed(want))

    def _new_row(self, want: Want) -> SeedRow:
        mix = want.turn % len(self._mixes)
        return SeedRow(
            values={},
            tenant=want.tenant,
            owner=want.owner,
            mix=mix,
            childless=want.childless,
            number=self._number,
            turn=want.turn,
        )

    def _values(self, row: SeedRow, want: Want, keys: Sequence[Constraint], attempt: int) -> Values:
        values = self._fixed(want)
        absent = self._absent(values, want.turn + attempt)
        values |= dict.fromkeys(absent)
        self._check_required(values)
        own_keys = self._links.bind(values, keys, want, attempt)
        for column in self.table.relation.columns:
            if column.name not in values and not column.generated and column.name not in own_keys:
                self._fill(values, column, want, attempt)
                if attempt < _FEW and column.name in values:
                    self._vary(row, values, column, want)
        for column_name, referred in own_keys.items():
            values[column_name] = values.get(referred)
        values |= {name: value for name, value in self._learned.items() if name not in self._templates}
        for rule in self.table.rules.comparisons:
            _adjust(rule, values, self.table)
        return values

    def _fill(self, values: Values, column: Column, want: Want, attempt: int) -> None:
        if column.name in self._late_columns(values):
            values[column.name] = None
            return
        made = self._named(column, want) or self._serial(column) or self._sample(column, want, attempt)
        if made is None and column.not_null and column.default is not None:
            return
        values[column.name] = made

    def _vary(self, row: SeedRow, values: Values, column: Column, want: Want) -> None:
        """Give the column what the row's mix says, and remember what it would hold otherwise."""
        mix = self._mixes[row.mix]
        if column.name not in mix:
            return
        plain = values[column.name]
        if not column.not_null:
            made = plain if plain is not None else self._samples.made(self._slot(column, want, 0))
            if made is None:
                return
            row.filled[column.name] = made
        row.plain[column.name] = plain
        values[column.name] = self._chosen(mix[column.name], row, column, want)

    def _chosen(self, option: Option, row: SeedRow, column: Column, want: Want) -> str | None:
        match option:
            case Kind.PLAIN:
                return row.plain[column.name]
            case Kind.FILLED:
                return row.filled.get(column.name, row.plain[column.name])
            case Kind.MADE:
                slot = self._slot(column, want, 0)
                return self._samples.made(slot)
            case _:
                return option

    def _late_columns(self, values: Values) -> frozenset[str]:
        """
        What stays empty until the rows of a cycle are there: of a key that may be empty in part, that part; else what
        no other row of the cycle refers to, since those rows are made before it is bound.
        """
        if not self.table.late:
            return frozenset()
        found: set[str] = set()
        known = {*self.table.relation.primary_key, *self.table.referenced}
        for key in self.table.late:
            nullable = {c for c in key.columns if not self.table.relation.column(c).not_null}
            found |= (nullable or set(key.columns) - known or set(key.columns)) - values.keys()
        return frozenset(found)

    def _fixed(self, want: Want) -> Values:
        values: Values = {}
        table = self.table
        for name, template in self._templates.items():
            if name in table.relation.column_names:
                values[name] = None if template is None else self._render(template, want)
        if table.tenant_column is not None and not (table.is_tenants and want.tenant is None):
            values[table.tenant_column] = self._cast.tenant_ids.get(want.tenant or "")
        if table.owner_column is not None:
            values[table.owner_column] = want.owner
        values |= want.fixed
        if self._slots:
            slot = self._slots[want.turn % len(self._slots)]
            values |= {c: slot.value(c, self._number) for c in slot.starts if c not in values}
        return values

    def _check_required(self, values: Values) -> None:
        for name, value in values.items():
            if value is None and name in self.table.relation.column_names and self.table.relation.column(name).not_null:
                raise NoParent(f"column {name} must not be NULL")

    def _absent(self, values: Mapping[str, str | None], turn: int) -> Iterator[str]:
        """Columns that stay empty because exactly one of a group may be filled."""
        for group in self.table.rules.alternatives:
            chosen = next((c for c in group if values.get(c) is not None), group[turn % len(group)])
            yield from (column for column in group if column != chosen)

    def _render(self, template: str, want: Want) -> str:
        words = {
            "tenant.id": self._cast.tenant_ids.get(want.tenant or "", ""),
            "tenant.name": want.tenant or _NOBODY,
            "owner.id": want.owner or want.actor or "",
            "n": str(self._number),
            "uuid": child_uuid(self._cast.seed, self.table.name, "template", self._number),
            "canary": self._cast.canaries.get(want.tenant or "", _NOBODY),
        }
        return re.sub(r"\{([a-z.]+)\}", lambda m: words.get(m.group(1), m.group(0)), template)

    def _named(self, column: Column, want: Want) -> str | None:
        """Values that the column's name gives away: the tenant's name, a persona's address, a user or tenant id."""
        if self.table.is_tenants and want.tenant is not None and column.category == "S" and not column.enum_values:
            if _TENANT_NAME.search(column.name):
                return fit(want.tenant, self._slot(column, want, 0))
            if _TENANT_SLUG.search(column.name):
                return fit(slug(want.tenant), self._slot(column, want, 0))
        if column.name == "email" and self.table.one_per_owner:
            return next((p.email for p in self._cast.users if p.user_id == want.owner), None)
        if column.base_type.endswith((".uuid", ".int4", ".int8", ".text")):
            return self._by_name(column, want)
        return None

    def _by_name(self, column: Column, want: Want) -> str | None:
        if column.name in self._tenant_columns and want.tenant is not None and not self.table.is_tenants:
            return self._cast.tenant_ids[want.tenant]
        uuid_user = column.base_type.endswith(".uuid") or column.name.endswith("_id")
        if uuid_user and is_person(column.name) and column.name not in self.table.relation.primary_key:
            return want.actor or want.owner or self._links.some_member(want)
        return None

    def _serial(self, column: Column) -> str | None:
        first = self._first_serial.get(column.name)
        return None if first is None else str(first + self._number)

    def _sample(self, column: Column, want: Want, attempt: int) -> str | None:
        return self._samples.value(self._slot(column, want, attempt))

    def _slot(self, column: Column, want: Want, attempt: int) -> Slot:
        return Slot(
            table=self.table.name,
            column=column,
            hints=self.table.rules.of(column.name),
            number=self._number,
            turn=want.turn,
            attempt=attempt,
            canary=self._cast.canaries.get(want.tenant or "", _NOBODY),
            unique=column.name in self.table.unique_columns,
            keyed=column.name in self._key_columns,
            apart=column.name in self.table.apart,
            varied=self.table.varied.get(column.name),
        )

    def _last(self, column: Column) -> int:
        """The number after which ours begin."""
        highest = self._highest(column.name)
        return max(highest, TOPS.get(column.base_type, highest)) if self._cast.beside else highest

    def _highest(self, column: str) -> int:
        found = (row.values.get(column) for row in self._store.of(self.table.name))
        return max((int(value) for value in found if value and value.isdigit()), default=0)

    def _keyed(self) -> frozenset[str]:
        key = self.table.relation.partition_key
        words = frozenset(re.findall(r"\w+", key.partition("(")[2]))
        whole = self.table.relation.primary_key or self.table.relation.column_names
        return frozenset(whole) | words | self.table.unique_columns


def is_serial(column: Column) -> bool:
    """Whether a sequence numbers the column."""
    return bool(column.identity) or (column.default or "").startswith("nextval(")


def _holds(rule: Comparison, values: Mapping[str, str | None]) -> bool:
    left, right = values.get(rule.left), values.get(rule.right)
    return left is None or right is None or rule.op != "<>" or left != right


def _adjust(rule: Comparison, values: Values, table: TablePlan) -> None:
    """Move the right side of `left < right` up, where both were made freely and do not hold."""
    left, right = values.get(rule.left), values.get(rule.right)
    if left is None or right is None or rule.op == "<>" or rule.right not in table.relation.column_names:
        return
    low, high = _parsed(left), _parsed(right)
    if type(low) is not type(high) or low is None or high is None:
        return
    if high < low or (high == low and rule.op == "<"):  # type: ignore[operator]  # same type, just checked
        values[rule.right] = _later(low)


def _parsed(text: str) -> Decimal | datetime | date | None:
    for parse in (Decimal, _plain_date, datetime.fromisoformat):
        try:
            return parse(text)
        except (ValueError, ArithmeticError):
            continue
    return None


def _plain_date(text: str) -> date:
    return date.fromisoformat(text)


def _later(value: Decimal | datetime | date) -> str:
    if isinstance(value, Decimal):
        return str(value + 1)
    if isinstance(value, datetime):
        return (value + timedelta(hours=1)).isoformat(sep=" ")
    return (value + timedelta(days=1)).isoformat()
