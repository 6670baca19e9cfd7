"""
How much a difference tells: foreign content, a fact inferred at will, something coarse, or nothing at all.

The scale is DESIGN.md's: that a row with a random id exists is no news to who knows the id; that a serial number is
taken tells volume; that a tenant's slug or a user's address is taken is inherent; a count or a guessable key is a fact.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable

from tenantproof.core.attempt import Observation
from tenantproof.core.catalog import Column, ConstraintKind, Relation
from tenantproof.core.finding import Reach, Severity
from tenantproof.core.model import Platform, QName
from tenantproof.core.program import Program
from tenantproof.engine.interference.catch import Catch, Mechanism, Root
from tenantproof.engine.interference.elsewhere import Elsewhere
from tenantproof.engine.interference.scene import Scene, Seat
from tenantproof.engine.interference.secrets import is_secret, is_unguessable
from tenantproof.properties.border import Side


class Weight(enum.IntEnum):
    """What somebody learns."""

    NOTHING = 0
    VOLUME = 1
    """That a number of a sequence is taken: how much others do."""
    COARSE = 2
    FACT = 3
    CONTENT = 4


def reach_of(scene: Scene, program: Program) -> Reach:
    """Over the API where the platform has one and PostgREST can express the program."""
    return program.reach if scene.plan.scenario.database.platform is Platform.SUPABASE else Reach.SQL


def severity_of(seat: Seat, catch: Catch) -> Severity | None:
    """The severity of a finding; None where it is no news."""
    reach = reach_of(seat.scene, catch.program)
    if catch.breaches:
        return _of_damage(seat, catch, reach)
    weight = weight_of(seat, catch)
    if weight is Weight.NOTHING:
        return None
    inside = catch.world is not None and catch.world.inside
    if weight is Weight.VOLUME:
        catch.root = Root(mechanism=Mechanism.SEQUENCE, object=catch.root.object)
    if weight <= Weight.COARSE or (inside and weight is Weight.FACT):
        return Severity.LOW
    if weight is Weight.FACT or inside:
        return Severity.MEDIUM
    return Severity.CRITICAL if reach is Reach.API else Severity.HIGH


def _of_damage(seat: Seat, catch: Catch, reach: Reach) -> Severity | None:
    if any(breach.raised for breach in catch.breaches):
        return Severity.CRITICAL
    crosses = any(breach.crosses for breach in catch.breaches)
    if catch.world is not None and catch.world.targets:
        return Severity.HIGH if crosses and _can_be_guessed(seat.scene, catch.world) else None
    if not crosses:
        return Severity.MEDIUM
    return Severity.CRITICAL if reach is Reach.API else Severity.HIGH


def _can_be_guessed(scene: Scene, world: Elsewhere) -> bool:
    """Whether others could know what they referred to: its key can be guessed, or they are entitled to read the row.

    With a random key that they would have to be given, all that is reached is what they hung there themselves.
    """
    relations = scene.plan.catalog.relations
    return any(
        target.seen or not any(is_unguessable(relations[target.relation].column(name)) for name in target.columns)
        for target in world.targets
    )


def weight_of(seat: Seat, catch: Catch) -> Weight:
    """What the persona learns by a difference."""
    pair = _pair(catch)
    if shows_content(seat, catch.program, pair, inside=catch.world is not None and catch.world.inside):
        return Weight.CONTENT
    if catch.world is not None and catch.world.targets:
        return Weight.FACT if _can_be_guessed(seat.scene, catch.world) else Weight.NOTHING
    constraint = next((observation.constraint for observation in pair if observation.constraint), "")
    written = catch.line.writes[0] if catch.line.writes is not None else None
    if constraint:
        return _of_constraint(seat.scene, constraint, written)
    by_policy = all(observation.denied or not observation.refused for observation in pair)
    if written is not None and by_policy and "ON CONFLICT" in catch.line.sql:
        return _of_conflict(seat.scene, written)
    if all(_is_one_bit(observation) for observation in pair) and (catch.program.known or _asks_for_a_name(seat, catch)):
        return Weight.COARSE
    return Weight.FACT


def _asks_for_a_name(seat: Seat, catch: Catch) -> bool:
    """Whether it is only told that the name of a tenant, or the address of a user, is taken."""
    happenings = catch.world.happenings if catch.world is not None else ()
    relations = {happening.relation for happening in happenings}
    return bool(relations) and all(
        _names_itself(seat.scene, seat.scene.plan.catalog.relations[name]) for name in relations
    )


def _pair(catch: Catch) -> tuple[Observation, Observation]:
    return catch.first[catch.at], catch.second[catch.at]


def shows_content(seat: Seat, program: Program, observations: Iterable[Observation], *, inside: bool) -> bool:
    """Whether text of others stands in what was perceived, and did not stand in what was asked.

    With *inside*, others are those of the own tenant whose rows the scenario withholds.
    """
    asked = program.text + str(program.variation.settings)
    telling = seat.telling[Side.INSIDE if inside else Side.FOREIGN]
    for observation in observations:
        for text in _texts(observation):
            if any(mark in text and mark not in asked for mark in seat.canaries):
                return True
            if text in telling and text not in asked:
                return True
        said = " ".join((observation.message, observation.detail, observation.hint, *observation.notices))
        if any(text in said and text not in asked for text in telling if len(said) > len(text)):
            return True
    return False


def _texts(observation: Observation) -> Iterable[str]:
    yield from (value for row in observation.rows for value in row if value)
    yield from (observation.message, observation.detail, observation.hint, *observation.notices)


def _is_one_bit(observation: Observation) -> bool:
    """A refusal, nothing, or one flag or count."""
    return observation.refused or (len(observation.rows) <= 1 and all(len(row) <= 1 for row in observation.rows))


def _of_constraint(scene: Scene, name: str, written: QName | None) -> Weight:
    """A unique or foreign key that speaks of rows of others."""
    relations = sorted(scene.plan.catalog.relations.values(), key=lambda relation: relation.name != written)
    for relation in relations:  # a name is a constraint's of one relation only, but several may have it
        for constraint in relation.constraints:
            if constraint.name == name:
                other = scene.plan.catalog.relations.get(constraint.references) if constraint.references else None
                columns = [relation.column(column) for column in constraint.columns]
                if other is not None:
                    return _of_columns(scene, other, [other.column(column) for column in constraint.ref_columns])
                return _of_columns(scene, relation, columns)
        for index in relation.indexes:
            if index.name == name:
                return _of_columns(scene, relation, [relation.column(column) for column in index.columns if column])
    return Weight.FACT


def _of_columns(scene: Scene, relation: Relation, columns: list[Column]) -> Weight:
    """That a key with these columns is taken."""
    keyed = {name for key in relation.foreign_keys for name in key.columns} | set(relation.primary_key)
    if any(is_unguessable(column) or is_secret(column, keyed=column.name in keyed) for column in columns):
        return Weight.NOTHING
    if any(is_serial(column) for column in columns):
        return Weight.VOLUME
    return Weight.COARSE if _names_itself(scene, relation) else Weight.FACT


def is_serial(column: Column) -> bool:
    """Whether the column is numbered by a sequence."""
    return column.category == "N" and (bool(column.identity) or "nextval(" in (column.default or ""))


def _names_itself(scene: Scene, relation: Relation) -> bool:
    """Tables of tenants and of people: that their names and addresses are unique among all is inherent."""
    plan = scene.plan
    tenancy = plan.tenancy_of(relation.name)
    key = relation.primary_key
    anchored = [locator for locator in (tenancy.tenant, tenancy.owner) if locator is not None]
    return relation.name in plan.users or any(len(key) == 1 and locator.path == key for locator in anchored)


def _of_conflict(scene: Scene, written: QName) -> Weight:
    """ON CONFLICT meets a row of others: it skips it, or is denied to change it, and names no constraint.

    The unique indexes that do not hold the tenant are meant.
    """
    relation = scene.plan.catalog.relations[written]
    tenancy = scene.plan.tenancy_of(written)
    anchor = tenancy.tenant.path[:1] if tenancy.tenant is not None else ()
    indexes = [
        [relation.column(column) for column in index.columns if column]
        for index in relation.indexes
        if index.unique and not set(anchor) & set(index.columns)
    ]
    overlaps = [
        c for c in relation.constraints if c.kind is ConstraintKind.EXCLUSION and not set(anchor) & set(c.columns)
    ]
    if overlaps:
        return Weight.FACT
    return max((_of_columns(scene, relation, columns) for columns in indexes if columns), default=Weight.FACT)
