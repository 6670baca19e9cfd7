"""
Other worlds: what happens behind a persona's back, as statements of the observer.

A world is world 1 plus happenings, each of which touches only rows that the persona is not entitled to.  Every world
is checked after it was built: the rows that the persona is entitled to must be the same, by key and by content.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from psycopg import sql

from tenantproof.core.attempt import Observation
from tenantproof.core.catalog import RelationKind
from tenantproof.core.model import QName, SystemRows, Tenancy
from tenantproof.core.program import Answer
from tenantproof.core.world import Draft, Key, Row
from tenantproof.engine.interference.echoes import echoes
from tenantproof.engine.interference.facts import Facts, Sides, contents_of, contents_query
from tenantproof.engine.interference.happening import Happening, Target
from tenantproof.engine.interference.links import links
from tenantproof.engine.interference.recipes import Recipe, delete_rows, update_rows
from tenantproof.engine.plan import Plan
from tenantproof.engine.scripts import has_key_of
from tenantproof.engine.talks import Talk, side_by_side
from tenantproof.engine.wire import Script, Wire
from tenantproof.oracle.entitlement import predicates_of
from tenantproof.properties.border import Border, Side

if TYPE_CHECKING:
    from tenantproof.engine.interference.scene import Scene

_PUBLISHES = re.compile(r"(^|_)(public|published|shared|visible|visibility|listed|discoverable)(_|$)")
_MOST_ADDED = 2
"""Tenants of which a row is added to each relation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """A world that differs from world 1 by these happenings."""

    name: str
    happenings: tuple[Happening, ...]
    refresh: tuple[str, ...] = ()
    """What brings materialized views up to date."""
    inside: bool = False
    """Whether what happens is inside the persona's own tenant, to rows that the scenario withholds."""
    targets: tuple[Target, ...] = ()
    """Rows of the persona's tenant that others refer to in this world: only what is done to these relations counts."""

    @property
    def statements(self) -> tuple[str, ...]:
        """From a session of the observer and back to it."""
        told = tuple(statement for happening in self.happenings for statement in happening.statements)
        return (*told, *self.refresh)

    def only(self, happenings: Iterable[Happening]) -> Elsewhere:
        """The same world with fewer happenings."""
        return replace(self, happenings=tuple(happenings))


def refreshes(wire: Wire, plan: Plan) -> tuple[str, ...]:
    """REFRESH for each materialized view that can be refreshed; none where others would wait for its lock."""
    if not plan.alone:
        return ()
    views = [name for name, relation in plan.catalog.relations.items() if relation.kind is RelationKind.MATVIEW]
    asked = [
        sql.SQL("REFRESH MATERIALIZED VIEW {}").format(sql.Identifier(*name)).as_string(None) for name in sorted(views)
    ]
    return tuple(
        text for text, said in zip(asked, wire.run([(text,) for text in asked]), strict=True) if not said[-1].refused
    )


def famous_keys(facts: Facts) -> Mapping[QName, frozenset[Key]]:
    """The rows whose ids may be known to strangers: of each relation the first row of each tenant and owner-less
    kind, and all that these refer to.  They are changed behind a persona's back, never deleted: that a row with an
    id that nobody can guess exists is no news to who knows the id."""
    famous: dict[QName, set[Key]] = {}
    for name, rows in facts.rows.items():
        whose: set[tuple[str | None, str | None]] = set()
        for fact in rows:
            who = (fact.row.tenant, None if fact.row.tenant else fact.row.owner)
            if who not in whose:
                whose.add(who)
                famous.setdefault(name, set()).add(fact.row.key)
    todo = [(name, key) for name, keys in famous.items() for key in keys]
    while todo:
        for parent in _parents(facts, *todo.pop()):
            if parent[1] not in famous.setdefault(parent[0], set()):
                famous[parent[0]].add(parent[1])
                todo.append(parent)
    return {name: frozenset(keys) for name, keys in famous.items()}


def _parents(facts: Facts, name: QName, key: Key) -> Iterator[tuple[QName, Key]]:
    relation, values = facts.relations[name], facts.contents[name].get(key, ())
    by_name = dict(zip(relation.column_names, values, strict=False))
    for foreign_key in relation.foreign_keys:
        parent = facts.relations.get(foreign_key.references) if foreign_key.references else None
        if parent is None or parent.primary_key != foreign_key.ref_columns:
            continue
        found: Key = tuple(by_name.get(column) for column in foreign_key.columns)
        if found in facts.contents[parent.name]:
            yield parent.name, found


class Builder:
    """Makes the other worlds of one persona."""

    def __init__(self, scene: Scene, border: Border, sides: Sides) -> None:
        self._plan, self._facts, self._recipes = scene.plan, scene.facts, scene.recipes
        self._border, self._sides, self._refresh, self._famous = border, sides, scene.refresh, scene.famous

    def worlds(self) -> Talk[tuple[Elsewhere, ...]]:
        """The other worlds that can be built, those with nothing in them left out.

        Each script starts from the observer and the seeded rows.
        """
        drawn = (
            Elsewhere(
                name="others' rows were changed and added",
                happenings=(*self._changed(Side.FOREIGN), *self._added()),
                refresh=self._refresh,
            ),
            Elsewhere(name="others' rows were deleted", happenings=tuple(self._gone()), refresh=self._refresh),
            Elsewhere(
                name="rows of the own tenant that the persona may not see were changed",
                happenings=tuple(self._changed(Side.INSIDE)),
                refresh=self._refresh,
                inside=True,
            ),
        )
        settled = yield from side_by_side([*map(self._settled, drawn), self._linked()])
        return tuple(world for world in settled if world.happenings)

    def _linked(self) -> Talk[Elsewhere]:
        """Others refer to rows of the persona's tenant, each link made with their own rights."""
        found = yield from links(self._plan, self._facts, self._border)
        world = Elsewhere(
            name="others referred to rows of the persona's tenant",
            happenings=tuple(happening for happening, _ in found),
            targets=tuple(dict.fromkeys(target for _, target in found)),
        )
        made, offended = yield from self._made(world)
        if offended:
            alone = yield from self._offended_each([made.only([happening]) for happening in made.happenings])
            made, _ = yield from self._made(
                made.only(h for h, offends in zip(made.happenings, alone, strict=True) if not offends)
            )
        return made

    def _changed(self, side: Side) -> Iterator[Happening]:
        for name, recipes in self._recipes.items():
            if side is Side.INSIDE and self._may_decide(name):
                continue
            keys = self._keys(name, side)
            if not keys:
                continue
            free = [recipe for recipe in recipes if not self._may_open(name, recipe.column)]
            for quietly in (False, True):
                chosen = [recipe for recipe in free if recipe.quietly is quietly]
                if chosen:
                    yield self._change(name, chosen, keys, quietly=quietly or side is Side.INSIDE)

    def _may_open(self, name: QName, column: str) -> bool:
        """Whether a scope of the scenario or a policy depends on the column, or its name says that it publishes: then
        a change to it may change what is right."""
        relation = self._plan.catalog.relations[name]
        policies = (text for policy in relation.policies for text in (policy.using, policy.check) if text)
        texts = (*predicates_of(self._plan.scenario, name), *policies)
        named = rf"\b{re.escape(column)}\b"
        return bool(_PUBLISHES.search(column)) or any(re.search(named, text) for text in texts)

    def _may_decide(self, name: QName) -> bool:
        """Whether policies read the relation: then a change to it changes what is right."""
        return any(name in read for relation, read in self._plan.consulted.items() if relation != name)

    def _change(self, name: QName, recipes: Sequence[Recipe], keys: Sequence[Key], *, quietly: bool) -> Happening:
        changes = [(recipe.column, recipe.expression) for recipe in recipes]
        return Happening(
            relation=name,
            words=f"{_rows(len(keys))} of {name} changed",
            sql=update_rows(name, changes, self._has_key(name, keys)),
            quietly=quietly,
            columns=tuple(recipe.column for recipe in recipes),
            keys=tuple(keys),
        )

    def _added(self) -> Iterator[Happening]:
        for name, drafts in self._plan.manifest.drafts.items():
            if name not in self._facts.relations or predicates_of(self._plan.scenario, name):
                continue
            whose: set[str | None] = set()
            for draft in drafts:
                fresh = draft.tenant not in whose and len(whose) < _MOST_ADDED
                if fresh and draft.replaces is None and self._is_foreign(name, draft):
                    whose.add(draft.tenant)
                    yield _addition(draft)
                    if len(whose) == 1:
                        yield from map(_addition, self._echoes(name, draft))

    def _echoes(self, name: QName, draft: Draft) -> Iterator[Draft]:
        return echoes(self._facts, self._border, self._plan.tenancy_of(name), draft)

    def addition(self, name: QName, *, leaving_out: str) -> Happening | None:
        """A row of others added without a value for one column; None where there is none to add."""
        for draft in self._plan.manifest.drafts.get(name, ()):
            if draft.replaces is None and self._is_foreign(name, draft):
                values = {column: value for column, value in draft.values.items() if column != leaving_out}
                return _addition(replace(draft, values=values))
        return None

    def _is_foreign(self, name: QName, draft: Draft) -> bool:
        """Whether it would be a row of others; one that names the persona or their tenant might entitle them."""
        if {self._border.persona.user_id, *self._border.own_tenants} & set(draft.values.values()):
            return False
        row = Row(key=(), tenant=draft.tenant, owner=draft.owner)
        return self._border.side(name, row) is Side.FOREIGN

    def _gone(self) -> Iterator[Happening]:
        for name in self._facts.relations:
            famous = self._famous.get(name, frozenset())
            keys = [key for key in self._keys(name, Side.FOREIGN) if key not in famous]
            if keys:
                yield self.deletion(name, keys)

    def deletion(self, name: QName, keys: Sequence[Key]) -> Happening:
        """These rows are deleted."""
        return Happening(
            relation=name,
            words=f"{_rows(len(keys))} of {name} deleted",
            sql=delete_rows(name, self._has_key(name, keys)),
            quietly=True,
            keys=tuple(keys),
        )

    def narrowed(self, happening: Happening) -> Iterator[Happening]:
        """Smaller versions of a happening: one row of several, one column of several."""
        if len(happening.keys) > 1:
            for key in happening.keys:
                yield self._with(happening, happening.columns, (key,))
        if len(happening.columns) > 1:
            for column in happening.columns:
                yield self._with(happening, (column,), happening.keys)

    def _with(self, happening: Happening, columns: Sequence[str], keys: Sequence[Key]) -> Happening:
        if not happening.columns:
            return self.deletion(happening.relation, keys)
        recipes = [recipe for recipe in self._recipes[happening.relation] if recipe.column in columns]
        return self._change(happening.relation, recipes, keys, quietly=happening.quietly)

    def _has_key(self, name: QName, keys: Sequence[Key]) -> sql.Composable:
        relation = self._facts.relations[name]
        return has_key_of(relation.primary_key or relation.column_names, keys)

    def _keys(self, name: QName, side: Side) -> list[Key]:
        """Keys of the rows on that side; rows without a tenant where nobody said what they are stay as they are."""
        tenancy = self._plan.tenancy_of(name)
        sides = self._sides.get(name, {})
        return [
            fact.row.key
            for fact in self._facts.rows.get(name, ())
            if sides[fact.row.key] is side and not _unsaid(tenancy, fact.row)
        ]

    def _settled(self, world: Elsewhere) -> Talk[Elsewhere]:
        """The world without what the database refuses, or what reaches rows that the persona is entitled to."""
        possible, offended = yield from self._made(world.only((yield from self._possible(world.happenings))))
        if not offended:
            return possible
        quietly = yield from self._possible([replace(happening, quietly=True) for happening in possible.happenings])
        hushed, offended = yield from self._made(possible.only(quietly))
        if not offended:
            return hushed
        rest, still = yield from self._made(hushed.only((yield from self._harmless(hushed, offended))))
        if not still:
            return rest
        harmless = yield from self._harmless(hushed, {happening.relation for happening in hushed.happenings})
        return (yield from self._made(hushed.only(harmless)))[0]

    def _made(self, world: Elsewhere) -> Talk[tuple[Elsewhere, frozenset[QName]]]:
        """The world without the happenings that the database refuses after the others, and what it offends."""
        while world.happenings:
            (said,) = yield [self._looked_at(world)]
            made = len(world.statements)
            if not said[:made][-1].refused:
                return world, self._offended_by(world, said)
            world = world.only(_all_but(world.happenings, len(said) - 1))
        return world, frozenset()

    def _harmless(self, world: Elsewhere, suspected: Set[QName]) -> Talk[list[Happening]]:
        """Its happenings; of those in *suspected* relations only what nobody's rights depend on, column by column."""
        doubtful = [happening for happening in world.happenings if happening.relation in suspected]
        verdicts = yield from self._offended_each([world.only([happening]) for happening in doubtful])
        guilty = dict(zip(doubtful, verdicts, strict=True))
        split = {happening: self._columns(happening) for happening in doubtful if guilty[happening]}
        parts = [part for parts in split.values() for part in parts]
        blamed = dict(zip(parts, (yield from self._offended_each([world.only([p]) for p in parts])), strict=True))
        return [
            part
            for happening in world.happenings
            for part in split.get(happening, (happening,))
            if part not in blamed or not blamed[part]
        ]

    def _columns(self, happening: Happening) -> list[Happening]:
        """The happening column by column; nothing where there are not several."""
        parts = [self._with(happening, (column,), happening.keys) for column in happening.columns]
        return parts if len(parts) > 1 else []

    def _possible(self, happenings: Sequence[Happening]) -> Talk[list[Happening]]:
        """Those that the database accepts: as they are, else quietly, else column by column."""
        accepted = yield from _accepted(happenings)
        hushed = [replace(h, quietly=True) for h, ok in zip(happenings, accepted, strict=True) if not ok]
        instead = iter((yield from side_by_side(map(self._accepted_parts, hushed))))
        return [
            part
            for happening, ok in zip(happenings, accepted, strict=True)
            for part in ([happening] if ok else next(instead))
        ]

    def _accepted_parts(self, hushed: Happening) -> Talk[list[Happening]]:
        parts = [hushed, *(self._with(hushed, (column,), hushed.keys) for column in hushed.columns)]
        verdicts = yield from _accepted(parts)
        return parts[:1] if verdicts[0] else [part for part, ok in zip(parts, verdicts, strict=True) if ok]

    def _offended_each(self, worlds: Sequence[Elsewhere]) -> Talk[list[frozenset[QName]]]:
        """The relations of which the persona is entitled to other rows, or other content, than in world 1."""
        heard = yield [self._looked_at(world) for world in worlds]
        return [self._offended_by(world, said) for world, said in zip(worlds, heard, strict=True)]

    def _looked_at(self, world: Elsewhere) -> Script:
        return (*world.statements, *self._queries)

    @cached_property
    def _queries(self) -> Script:
        """Of each relation who is entitled to its rows, and what stands in them."""
        return tuple(
            query
            for name, relation in self._facts.relations.items()
            for query in (self._facts.watches[name].query, contents_query(relation))
        )

    def _offended_by(self, world: Elsewhere, said: Answer) -> frozenset[QName]:
        if said[-1].refused:
            return frozenset(self._facts.relations)
        answers = said[len(world.statements) :]
        seen = dict(zip(self._facts.relations, zip(answers[::2], answers[1::2], strict=True), strict=True))
        return frozenset(
            name
            for name, (versions, contents) in seen.items()
            if not self._plan.tenancy_of(name).shared
            and self._now(name, world, versions, contents) != self._entitled(name, world)
        )

    def _now(
        self, name: QName, world: Elsewhere, versions: Observation, contents: Observation
    ) -> dict[Key, tuple[str | None, ...]]:
        rows = self._facts.watches[name].rows(versions, frozenset()).rows.values()
        mine = {row.key for row in rows if self._is_mine(name, row, world)}
        return {key: values for key, values in contents_of(contents.rows).items() if key in mine}

    def _entitled(self, name: QName, world: Elsewhere) -> dict[Key, tuple[str | None, ...]]:
        return {fact.row.key: fact.values for fact in self._facts.rows[name] if self._is_mine(name, fact.row, world)}

    def _is_mine(self, name: QName, row: Row, world: Elsewhere) -> bool:
        """Also rows inside the own tenant, unless it is they that the world changes."""
        side = self._border.side(name, row)
        return side is Side.MINE or (side is Side.INSIDE and not world.inside)


def _accepted(happenings: Sequence[Happening]) -> Talk[list[bool]]:
    """Of each whether the database accepts it by itself."""
    answers = yield [happening.statements for happening in happenings]
    return [not said[-1].refused for said in answers]


def _all_but(happenings: Sequence[Happening], place: int) -> list[Happening]:
    """Without the happening whose statements stand at that place."""
    kept: list[Happening] = []
    start = 0
    for happening in happenings:
        end = start + len(happening.statements)
        if not start <= place < end:
            kept.append(happening)
        start = end
    return kept[:-1] if len(kept) == len(happenings) else kept


def _unsaid(tenancy: Tenancy, row: Row) -> bool:
    return tenancy.tenant is not None and row.tenant is None and tenancy.system_rows is SystemRows.UNDECIDED


def _rows(count: int) -> str:
    return f"{count} row" if count == 1 else f"{count} rows"


def _addition(draft: Draft) -> Happening:
    """The row is added, numbers that the database would give included."""
    columns = sql.SQL(", ").join(sql.Identifier(column) for column in sorted(draft.values))
    values = sql.SQL(", ").join(sql.Literal(draft.values[column]) for column in sorted(draft.values))
    statement = sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({})")
    return Happening(
        relation=draft.relation,
        words=f"a row added to {draft.relation}",
        sql=statement.format(sql.Identifier(*draft.relation), columns, values).as_string(None),
    )
