"""
What others can do to hang on to rows of the persona's tenant, with their own rights.

A foreign key that does not carry the tenant lets a row of one tenant refer to a row of another.  What the persona then
does to its own row (delete it, rename it) reaches the other tenant's row by cascade, or is refused because of a row
that it cannot see.  Nothing is planted that the other tenant's own member could not write: each link is a write of such
a member, made as that member, and kept only where the database accepts it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tenantproof.channels.statements import insert, values_of
from tenantproof.core.catalog import Constraint, Relation
from tenantproof.core.model import Persona, QName
from tenantproof.engine.interference.facts import Fact, Facts
from tenantproof.engine.interference.happening import Happening, Target
from tenantproof.engine.interference.recipes import literals, update_rows
from tenantproof.engine.plan import Plan
from tenantproof.engine.replay import timeless
from tenantproof.engine.scripts import as_observer, as_persona, has_key_of
from tenantproof.engine.talks import Talk
from tenantproof.properties.border import Border, Side

_MOST_PARENTS = 2
_MOST_LINKS = 40
"""In a large schema each link costs each batch."""


def links(plan: Plan, facts: Facts, border: Border) -> Talk[list[tuple[Happening, Target]]]:
    """Links that a member of another tenant can make to a row that the persona may delete or change, one of a kind."""
    victim = _victim(plan, border)
    if victim is None:
        return []
    asked = list(_candidates(plan, facts, border, victim))
    answers = yield [happening.statements for happening, _ in asked]
    found: dict[tuple[str, QName], tuple[Happening, Target]] = {}
    for (happening, target), said in zip(asked, answers, strict=True):
        if len(said) == len(happening.statements) and said[len(happening.before)].count == 1:
            found.setdefault((happening.words, target.relation), (happening, target))
    return list(found.values())[:_MOST_LINKS]


def _candidates(plan: Plan, facts: Facts, border: Border, victim: Persona) -> Iterator[tuple[Happening, Target]]:
    theirs = Border(plan.oracle, victim)
    becoming = as_persona(timeless(plan.identities[victim.name]))
    for relation in facts.relations.values():
        for foreign_key in relation.foreign_keys:
            parent = facts.relations.get(foreign_key.references) if foreign_key.references else None
            if parent is None or not _may_remove(plan, border, parent):
                continue
            words = f"{victim.name} makes a row of {relation.name} refer to a row of {parent.name}"
            for mine in _rows_of_mine(facts, border, parent):
                seen = theirs.side(parent.name, mine.row) is Side.MINE
                target = Target(relation=parent.name, key=mine.row.key, columns=foreign_key.ref_columns, seen=seen)
                for statement in _writes(plan, facts, relation, victim, _given(foreign_key, parent, mine)):
                    link = Happening(
                        relation=relation.name, words=words, sql=statement, before=becoming, after=(as_observer(),)
                    )
                    yield link, target


def _may_remove(plan: Plan, border: Border, parent: Relation) -> bool:
    role = plan.identities[border.persona.name].role
    held = plan.privileges(role, parent)
    return any(privilege in ("DELETE", "UPDATE") for privilege, _ in held)


def _rows_of_mine(facts: Facts, border: Border, parent: Relation) -> list[Fact]:
    inside = [
        fact
        for fact in facts.rows[parent.name]
        if border.side(parent.name, fact.row) is Side.MINE
        and (fact.row.tenant in border.own_tenants or fact.row.owner == border.persona.user_id)
    ]
    return inside[:_MOST_PARENTS]


def _given(foreign_key: Constraint, parent: Relation, mine: Fact) -> dict[str, str | None]:
    """What a row holds that refers to the parent's row."""
    by_name = dict(zip(parent.column_names, mine.values, strict=True))
    return {own: by_name[theirs] for own, theirs in zip(foreign_key.columns, foreign_key.ref_columns, strict=True)}


def _victim(plan: Plan, border: Border) -> Persona | None:
    """The strongest member of one other tenant."""
    own = set(border.persona.tenants)
    return next((who for who in plan.manifest.personas if who.tenants and not set(who.tenants) & own), None)


def _writes(
    plan: Plan, facts: Facts, relation: Relation, victim: Persona, given: Mapping[str, str | None]
) -> Iterator[str]:
    ids = {plan.manifest.tenant_ids[name] for name in victim.tenants}
    for fact in facts.rows[relation.name]:
        if fact.row.tenant in ids or (fact.row.owner is not None and fact.row.owner == victim.user_id):
            where = has_key_of(relation.primary_key or relation.column_names, [fact.row.key])
            yield update_rows(relation.name, literals(given), where)
            break
    for draft in plan.manifest.drafts.get(relation.name, ()):
        if draft.tenant in ids and draft.replaces is None and draft.owner in (None, victim.user_id):
            yield insert(draft.relation, values_of({**draft.values, **given}))
            break
