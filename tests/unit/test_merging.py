"""One root cause, one group: what a difference looks like does not make it another finding."""

from __future__ import annotations

import random
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from tenantproof.core.attempt import Observation
from tenantproof.core.catalog import Catalog, Column, Policy, Relation, RelationKind
from tenantproof.core.finding import Property, Severity
from tenantproof.core.model import Command, QName
from tenantproof.core.program import Line, Program
from tenantproof.engine.interference.catch import Catch, Mechanism, Root
from tenantproof.engine.interference.merging import Group, grouped
from tenantproof.engine.interference.wording import title_of

NOTES, TASKS, STATS, SHARES = (QName("public", name) for name in ("notes", "tasks", "stats", "shares"))
COUNTS, OTHER = QName("public", "count_all"), QName("public", "other")


def relation(
    name: QName, *, kind: RelationKind = RelationKind.TABLE, policy: str = "", default: str = "", definition: str = ""
) -> Relation:
    column = Column(name="a", position=1, type="text", base_type="pg_catalog.text", category="S", default=default)
    policies = (
        (Policy(name="p", table=name, command=None, permissive=True, roles=("public",), using=policy, check=None),)
        if policy
        else ()
    )
    return Relation(
        name=name,
        kind=kind,
        owner="postgres",
        rls=True,
        force_rls=False,
        columns=(column,),
        policies=policies,
        definition=definition,
    )


def catalog(*relations: Relation) -> Catalog:
    return Catalog(server_version=180000, relations={found.name: found for found in relations})


PLAIN = catalog(relation(NOTES), relation(TASKS), relation(STATS, kind=RelationKind.VIEW), relation(SHARES))


def catch(
    mechanism: Mechanism,
    name: QName,
    detail: str = "",
    *,
    severity: Severity | None = Severity.MEDIUM,
    told: bool = True,
    text: str = "SELECT 1",
    writes: Command | None = None,
    witness: str = "acme.member",
) -> Catch:
    calls = mechanism is Mechanism.FUNCTION
    line = Line(sql=text, shape="x", subject=name, writes=(name, writes) if writes else None, calls=calls)
    return Catch(
        property=Property.CONFIDENTIALITY,
        root=Root(mechanism=mechanism, object=name, detail=detail),
        program=Program(lines=(line,)),
        first=(Observation(),),
        second=(Observation(count=1),),
        severity=severity,
        told=told,
        witnesses=[witness],
    )


def objects(groups: list[Group]) -> list[tuple[Mechanism, QName]]:
    return [(group.root.mechanism, group.root.object) for group in groups]


def merged(*catches: Catch, within: Catalog = PLAIN) -> list[tuple[Mechanism, QName]]:
    """The groups, whichever way the catches came in."""
    results = [objects(grouped(order, within)) for order in permutations(catches)]
    assert all(result == results[0] for result in results), results
    return results[0]


def test_catches_that_are_no_news_or_told_already_make_no_group() -> None:
    assert merged(catch(Mechanism.READ, NOTES, severity=None), catch(Mechanism.READ, TASKS, told=False)) == []


def test_different_objects_are_different_groups_in_a_fixed_order() -> None:
    found = merged(catch(Mechanism.READ, TASKS), catch(Mechanism.READ, NOTES), catch(Mechanism.VIEW, STATS))
    assert found == [(Mechanism.READ, NOTES), (Mechanism.READ, TASKS), (Mechanism.VIEW, STATS)]


def test_all_that_a_function_does_is_one_root_cause() -> None:
    found = merged(
        catch(Mechanism.FUNCTION, COUNTS),
        catch(Mechanism.FUNCTION, COUNTS, "opens public.notes"),
        catch(Mechanism.FUNCTION, OTHER),
    )
    assert found == [(Mechanism.FUNCTION, COUNTS), (Mechanism.FUNCTION, OTHER)]


def test_all_that_writes_to_a_relation_do_is_one_root_cause() -> None:
    details = ["insert", "update", "delete public.tasks", "opens public.tasks"]
    assert merged(*(catch(Mechanism.WRITE, NOTES, detail) for detail in details)) == [(Mechanism.WRITE, NOTES)]


def test_an_insert_that_meets_a_caught_constraint_is_that_constraint() -> None:
    key = catch(Mechanism.CONSTRAINT, NOTES, "notes_slug_key")
    assert merged(key, catch(Mechanism.WRITE, NOTES, "insert")) == [(Mechanism.CONSTRAINT, NOTES)]
    assert merged(key, catch(Mechanism.WRITE, NOTES, "delete")) == [
        (Mechanism.CONSTRAINT, NOTES),
        (Mechanism.WRITE, NOTES),
    ]


def test_two_constraints_of_one_relation_are_two_root_causes() -> None:
    keys = (catch(Mechanism.CONSTRAINT, NOTES, name) for name in ("notes_slug_key", "notes_email_key"))
    assert merged(*keys) == [(Mechanism.CONSTRAINT, NOTES)] * 2


def test_a_write_that_only_opens_what_is_open_anyway_is_not_to_blame() -> None:
    assert merged(catch(Mechanism.READ, NOTES), catch(Mechanism.WRITE, SHARES, "opens public.notes")) == [
        (Mechanism.READ, NOTES)
    ]


def test_a_write_that_opens_something_else_is_to_blame() -> None:
    assert merged(catch(Mechanism.READ, TASKS), catch(Mechanism.WRITE, SHARES, "opens public.notes")) == [
        (Mechanism.READ, TASKS),
        (Mechanism.WRITE, SHARES),
    ]


def test_a_caught_function_is_to_blame_for_the_policies_defaults_and_views_that_call_it() -> None:
    for within in (
        catalog(relation(NOTES, policy="(count_all() > 0)")),
        catalog(relation(NOTES, default="public.count_all ()")),
        catalog(relation(NOTES, kind=RelationKind.VIEW, definition=" SELECT count_all() AS n;")),
    ):
        for blamed in (catch(Mechanism.READ, NOTES), catch(Mechanism.WRITE, NOTES, "insert")):
            assert merged(catch(Mechanism.FUNCTION, COUNTS), blamed, within=within) == [(Mechanism.FUNCTION, COUNTS)]


def test_a_function_whose_name_is_part_of_the_one_called_is_not_to_blame() -> None:
    within = catalog(relation(NOTES, policy="(recount_all() > 0)"))
    assert len(merged(catch(Mechanism.FUNCTION, COUNTS), catch(Mechanism.READ, NOTES), within=within)) == 2


def test_a_constraint_stays_itself_whatever_the_policies_call() -> None:
    within = catalog(relation(NOTES, policy="(count_all() > 0)"))
    key = catch(Mechanism.CONSTRAINT, NOTES, "notes_slug_key")
    assert len(merged(catch(Mechanism.FUNCTION, COUNTS), key, within=within)) == 2


def test_an_unusual_request_that_shows_what_leaks_anyway_is_that_leak() -> None:
    request = catch(Mechanism.REQUEST, NOTES, "with the request header x-org")
    assert merged(catch(Mechanism.READ, NOTES), request) == [(Mechanism.READ, NOTES)]
    assert merged(catch(Mechanism.FUNCTION, COUNTS, "opens public.notes"), request) == [
        (Mechanism.FUNCTION, COUNTS),
        (Mechanism.REQUEST, NOTES),
    ]


def test_one_header_that_is_believed_is_one_root_cause_wherever_it_opens() -> None:
    header, meta = "with the request header x-org", "with user_metadata.org"
    found = merged(
        catch(Mechanism.REQUEST, TASKS, header),
        catch(Mechanism.REQUEST, NOTES, header),
        catch(Mechanism.REQUEST, NOTES, meta),
    )
    assert found == [(Mechanism.REQUEST, NOTES)] * 2


def test_all_sequences_are_one_root_cause() -> None:
    assert merged(catch(Mechanism.SEQUENCE, TASKS), catch(Mechanism.SEQUENCE, NOTES)) == [(Mechanism.SEQUENCE, NOTES)]


def test_the_most_severe_and_then_the_shortest_catch_tells() -> None:
    low = catch(Mechanism.FUNCTION, COUNTS, severity=Severity.LOW, text="S", witness="a")
    long = catch(Mechanism.FUNCTION, COUNTS, "x", severity=Severity.HIGH, text="SELECT longer", witness="b")
    short = catch(Mechanism.FUNCTION, COUNTS, "y", severity=Severity.HIGH, text="SELECT", witness="c")
    (group,) = grouped([low, long, short], PLAIN)
    assert group.telling is short
    assert set(group.witnesses) == {"a", "b", "c"}


def test_a_group_has_the_commands_of_its_catches_once_each() -> None:
    catches = [
        catch(Mechanism.WRITE, NOTES, str(command), writes=command)
        for command in (Command.UPDATE, Command.INSERT, Command.UPDATE)
    ]
    (group,) = grouped(catches, PLAIN)
    assert group.commands == (Command.INSERT, Command.UPDATE)
    (call,) = grouped([catch(Mechanism.FUNCTION, COUNTS)], PLAIN)
    assert call.commands == (Command.SELECT,)


kinds = st.sampled_from(
    [
        (Mechanism.FUNCTION, COUNTS, ""),
        (Mechanism.FUNCTION, OTHER, "opens public.notes"),
        (Mechanism.VIEW, STATS, ""),
        (Mechanism.READ, NOTES, ""),
        (Mechanism.READ, TASKS, ""),
        (Mechanism.WRITE, NOTES, "insert"),
        (Mechanism.WRITE, SHARES, "opens public.notes"),
        (Mechanism.CONSTRAINT, NOTES, "notes_slug_key"),
        (Mechanism.REQUEST, NOTES, "with the request header x-org"),
        (Mechanism.REQUEST, TASKS, "with the request header x-org"),
        (Mechanism.SEQUENCE, TASKS, ""),
    ]
)
CALLING = catalog(
    relation(NOTES, policy="count_all() > 0"),
    relation(TASKS, default="other()"),
    relation(STATS, kind=RelationKind.VIEW, definition="SELECT other()"),
    relation(SHARES),
)


@given(st.lists(kinds, unique=True, max_size=8), st.integers())
def test_grouping_loses_nothing_and_does_not_depend_on_the_order(
    found: list[tuple[Mechanism, QName, str]], number: int
) -> None:
    catches = [catch(mechanism, name, detail) for mechanism, name, detail in found]
    groups = grouped(catches, CALLING)
    shuffled = random.Random(number).sample(catches, len(catches))

    assert sum(len(group.catches) for group in groups) == len(catches)
    assert len({group.root for group in groups}) == len(groups)
    assert [group.root for group in grouped(shuffled, CALLING)] == [group.root for group in groups]


def test_what_a_function_tells_is_told_as_a_call_of_it() -> None:
    found = catch(Mechanism.FUNCTION, COUNTS)
    assert title_of(found.root, found) == "A call of public.count_all(…) tells people about rows of others."
