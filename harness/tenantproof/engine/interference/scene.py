"""What all personas of a run share, and one persona's seat: worlds, vocabulary and arena."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from tenantproof.channels.matrix.membership import has_role
from tenantproof.core.model import Persona, PersonaKind, QName
from tenantproof.core.world import Key
from tenantproof.engine.interference.arena import Arena, Tally, learn_oids
from tenantproof.engine.interference.elsewhere import Builder, Elsewhere, famous_keys, refreshes
from tenantproof.engine.interference.facts import Facts, gather, known_relations
from tenantproof.engine.interference.lexicon import Lexicon
from tenantproof.engine.interference.recipes import Recipes, learn_recipes
from tenantproof.engine.plan import Plan
from tenantproof.engine.talks import hold
from tenantproof.engine.wire import Wire
from tenantproof.generation.vocabulary import Noun, Verb, Vocabulary
from tenantproof.properties.border import Border, Side
from tenantproof.properties.integrity import Ranks

_TELLING = 6
"""Shorter texts stand in anybody's rows."""


@dataclass(frozen=True)
class Scene:
    """One database before anybody acts."""

    wire: Wire
    plan: Plan
    facts: Facts
    recipes: Recipes
    refresh: tuple[str, ...]
    famous: Mapping[QName, frozenset[Key]]
    oids: Mapping[QName, str]

    @cached_property
    def memberships(self) -> Mapping[QName, Ranks]:
        """The tables that say who belongs where, and the flags that tell a role, strongest first."""
        roles = self.plan.scenario.roles
        return {
            membership.table: Ranks(
                flags=tuple(has_role(membership, role) for role in roles) if membership.role else ()
            )
            for membership in self.plan.scenario.memberships
        }

    @cached_property
    def lexicon(self) -> Lexicon:
        return Lexicon(self.plan, self.facts, self.famous)

    @property
    def cast(self) -> tuple[Persona, ...]:
        """Who acts: everybody of the first tenant, one of the second (ids differ), and those of none or several.

        Tenants are alike but for their rows; the matrix speaks for all of them.
        """
        first, second = (tenant.name for tenant in self.plan.scenario.tenants[:2])
        chosen: list[Persona] = []
        for persona in self.plan.manifest.personas:
            of_second = persona.tenants == (second,) and not any(other.tenants == (second,) for other in chosen)
            if persona.kind is not PersonaKind.MEMBER or persona.tenants[0] == first or of_second:
                chosen.append(persona)
        return tuple(chosen)


def set_up(wire: Wire, plan: Plan) -> Scene:
    """Read the facts and learn how rows can be changed.  The wire's session must be the observer's."""
    wire.restart(())
    facts = gather(wire, plan)
    return Scene(
        wire=wire,
        plan=plan,
        facts=facts,
        recipes=learn_recipes(wire, facts, known_relations(plan)),
        refresh=refreshes(wire, plan),
        famous=famous_keys(facts),
        oids=learn_oids(wire, facts),
    )


class Seat:
    """One persona, ready to try things."""

    def __init__(self, scene: Scene, persona: Persona, tally: Tally) -> None:
        self.scene, self.persona = scene, persona
        self.border = Border(scene.plan.oracle, persona)
        self._sides = scene.facts.sides(self.border)
        self.builder = Builder(scene, self.border, self._sides)
        self.vocabulary: Vocabulary = scene.lexicon.of(self.border, self._sides)
        scene.wire.restart(())
        self.arena = Arena(scene, self.border, hold(scene.wire, self.builder.worlds()), tally)

    @property
    def worlds(self) -> tuple[Elsewhere, ...]:
        return self.arena.worlds

    @property
    def subjects(self) -> tuple[Noun | Verb, ...]:
        """What programs are about, more often where more can go wrong: writes and calls."""
        found: list[Noun | Verb] = []
        for subject in self.vocabulary.subjects:
            found += [subject] * (4 if isinstance(subject, Verb) else 3 if subject.insertable else 1)
        return tuple(found)

    @cached_property
    def telling(self) -> Mapping[Side, frozenset[str]]:
        """Texts that stand in rows of others (or in rows withheld inside the own tenant) and in no row that is open."""
        found: dict[Side, set[str]] = {side: set() for side in Side}
        for name, facts in self.scene.facts.rows.items():
            columns = self.scene.facts.relations[name].columns
            places = [place for place, column in enumerate(columns) if column.category in "SU"]
            for fact in facts:
                values = (fact.values[place] for place in places)
                found[self._sides[name][fact.row.key]].update(v for v in values if v and len(v) >= _TELLING)
        own, inside = found[Side.MINE], found[Side.INSIDE]
        return {
            Side.FOREIGN: frozenset(found[Side.FOREIGN] - own - inside),
            Side.INSIDE: frozenset(inside - own),
        }

    @cached_property
    def canaries(self) -> tuple[str, ...]:
        """The marks of the tenants that are not the persona's."""
        marks = self.scene.plan.manifest.canaries
        return tuple(mark for name, mark in marks.items() if name not in self.persona.tenants)
