"""Intent: which line of `expect:` speaks, and what the scenario says of every persona, command and row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantproof.core.model import (
    Command,
    Database,
    Expectation,
    Locator,
    Member,
    Persona,
    PersonaKind,
    Place,
    Platform,
    QName,
    Scenario,
    Scope,
    ScopeKind,
    SystemRows,
    Tenancy,
    Tenant,
)
from tenantproof.core.world import Row
from tenantproof.oracle.entitlement import Oracle, Stance, predicates_of
from tenantproof.oracle.expectations import resolve

FORBIDDEN, ALLOWED, REQUIRED = Stance
NONE, OWN, TENANT, ALL = (Scope(ScopeKind(kind)) for kind in ("none", "own", "tenant", "all"))
NOTES, OTHER = QName("public", "notes"), QName("public", "other")
IDS = {"acme": "a-id", "globex": "g-id", "initech": "i-id"}

MEMBER = Persona(
    name="acme.member",
    kind=PersonaKind.MEMBER,
    user_id="u-member",
    memberships=(Member(tenant="acme", role="member"),),
)
DUAL = Persona(
    name="dual",
    kind=PersonaKind.DUAL,
    user_id="u-dual",
    memberships=(Member(tenant="acme", role="owner"), Member(tenant="globex", role="viewer")),
)
ANON = Persona(name="anon", kind=PersonaKind.ANON)
OUTSIDER = Persona(name="outsider", kind=PersonaKind.OUTSIDER, user_id="u-outsider")
CAST = (MEMBER, DUAL, ANON, OUTSIDER)

BY_TENANT = Tenancy(tenant=Locator(path=("org_id",)))
BY_BOTH = Tenancy(tenant=Locator(path=("org_id",)), owner=Locator(path=("user_id",)))
BY_OWNER = Tenancy(owner=Locator(path=("user_id",)))
SHARED, PRIVATE, UNDECIDED = Tenancy(shared=True), Tenancy(private=True), Tenancy()

MINE = Row(key=("1",), tenant="a-id", owner="u-member")
COLLEAGUES = Row(key=("2",), tenant="a-id", owner="u-colleague")
FOREIGN = Row(key=("3",), tenant="g-id", owner="u-globex")
SYSTEM = Row(key=("4",))
LOOSE = Row(key=("5",), owner="u-member")
"""My own row, in no tenant."""
STRAY = Row(key=("6",), tenant="g-id", owner="u-member")
"""A row of another tenant with me as its owner."""


def line(
    *scopes: Scope,
    table: QName | None = NOTES,
    command: Command = Command.SELECT,
    breadth: int = 0,
    role: str | None = None,
    place: Place | None = None,
) -> Expectation:
    return Expectation(table=table, command=command, breadth=breadth, role=role, scopes=scopes, place=place)


def everywhere(*scopes: Scope, role: str | None = None) -> tuple[Expectation, ...]:
    return tuple(line(*scopes, command=command, breadth=2, role=role) for command in Command)


def oracle(
    tenancy: Tenancy, expectations: Iterable[Expectation] = (), *, partitions: Mapping[QName, QName] | None = None
) -> Oracle:
    scenario = Scenario(
        name="s",
        path="s.yaml",
        database=Database(platform=Platform.POSTGRES, migrations=()),
        tenants=tuple(Tenant(name=name) for name in IDS),
        roles=("owner", "member", "viewer"),
        expectations=tuple(expectations),
    )
    return Oracle(scenario=scenario, tenancy={NOTES: tenancy}, tenant_ids=IDS, partitions=partitions or {})


def stance(tenancy: Tenancy, scopes: Sequence[Scope], persona: Persona, row: Row, command=Command.SELECT) -> Stance:
    return oracle(tenancy, everywhere(*scopes)).stance(persona, NOTES, command, row)


class TestWhichLineSpeaks:
    """`resolve`: the exact table, then the exact command, then the named role."""

    SPECIFIC = (
        line(ALL, breadth=0, role="member"),
        line(ALL, breadth=0, role="*"),
        line(ALL, breadth=0, role=None),
        line(ALL, breadth=1, role="member"),
        line(ALL, breadth=1, role="*"),
        line(ALL, breadth=1, role=None),
        line(ALL, breadth=2, role="member"),
        line(ALL, breadth=2, role=None),
        line(ALL, table=None, breadth=0, role="member"),
        line(ALL, table=None, breadth=0, role=None),
        line(ALL, table=None, breadth=1, role="member"),
        line(ALL, table=None, breadth=2, role="*"),
        line(ALL, table=None, breadth=2, role=None),
    )
    """From the most specific to the least."""

    @pytest.mark.parametrize("first", range(len(SPECIFIC)))
    def test_the_most_specific_line_wins_wherever_it_stands(self, first: int) -> None:
        rest = self.SPECIFIC[first:]
        assert resolve(rest, NOTES, Command.SELECT, "member") is self.SPECIFIC[first]
        assert resolve(rest[::-1], NOTES, Command.SELECT, "member") is self.SPECIFIC[first]

    @given(st.lists(st.sampled_from(SPECIFIC), unique_by=SPECIFIC.index), st.randoms())
    def test_the_order_of_lines_means_nothing(self, lines: list[Expectation], random) -> None:
        shuffled = random.sample(lines, len(lines))
        expected = min(lines, key=self.SPECIFIC.index, default=None)
        assert resolve(shuffled, NOTES, Command.SELECT, "member") is expected

    @pytest.mark.parametrize(
        "other",
        [
            pytest.param(line(ALL, table=OTHER), id="another-table"),
            pytest.param(line(ALL, command=Command.DELETE), id="another-command"),
            pytest.param(line(ALL, role="viewer"), id="another-role"),
        ],
    )
    def test_lines_about_something_else_say_nothing(self, other: Expectation) -> None:
        assert resolve([other], NOTES, Command.SELECT, "member") is None

    def test_without_roles_only_scalars_and_stars_speak(self) -> None:
        star, scalar = line(ALL, role="*"), line(ALL, role=None)
        assert resolve([line(ALL, role="member"), scalar], NOTES, Command.SELECT, None) is scalar
        assert resolve([scalar, star], NOTES, Command.SELECT, None) is star

    def test_anon_and_outsider_are_named_as_roles(self) -> None:
        lines = [line(NONE, role="anon"), line(ALL, role=None)]
        assert oracle(BY_TENANT, lines).stance(ANON, NOTES, Command.SELECT, FOREIGN) is FORBIDDEN
        assert oracle(BY_TENANT, lines).stance(OUTSIDER, NOTES, Command.SELECT, FOREIGN) is REQUIRED


@pytest.mark.parametrize(
    ("tenancy", "scope", "row", "expected"),
    [
        pytest.param(BY_BOTH, NONE, MINE, FORBIDDEN, id="none-mine"),
        pytest.param(BY_BOTH, OWN, MINE, REQUIRED, id="own-mine"),
        pytest.param(BY_BOTH, OWN, COLLEAGUES, FORBIDDEN, id="own-colleagues"),
        pytest.param(BY_BOTH, OWN, STRAY, FORBIDDEN, id="own-across-the-border"),
        pytest.param(BY_BOTH, OWN, LOOSE, ALLOWED, id="own-in-no-tenant"),
        pytest.param(BY_BOTH, OWN, SYSTEM, FORBIDDEN, id="own-system-row"),
        pytest.param(BY_BOTH, TENANT, MINE, REQUIRED, id="tenant-mine"),
        pytest.param(BY_BOTH, TENANT, COLLEAGUES, REQUIRED, id="tenant-colleagues"),
        pytest.param(BY_BOTH, TENANT, FOREIGN, FORBIDDEN, id="tenant-foreign"),
        pytest.param(BY_BOTH, TENANT, STRAY, FORBIDDEN, id="tenant-foreign-though-mine"),
        pytest.param(BY_BOTH, ALL, FOREIGN, REQUIRED, id="all-foreign"),
        pytest.param(BY_BOTH, ALL, SYSTEM, REQUIRED, id="all-system"),
        pytest.param(BY_OWNER, OWN, LOOSE, REQUIRED, id="owner-only-own"),
        pytest.param(BY_OWNER, OWN, replace(LOOSE, owner="u-else"), FORBIDDEN, id="owner-only-others"),
        pytest.param(BY_OWNER, NONE, LOOSE, FORBIDDEN, id="owner-only-none"),
        pytest.param(SHARED, ALL, SYSTEM, REQUIRED, id="shared-all"),
        pytest.param(SHARED, NONE, SYSTEM, FORBIDDEN, id="shared-none"),
        pytest.param(PRIVATE, NONE, SYSTEM, FORBIDDEN, id="private-none"),
        pytest.param(PRIVATE, ALL, SYSTEM, REQUIRED, id="private-but-declared"),
        pytest.param(BY_TENANT, OWN, COLLEAGUES, FORBIDDEN, id="own-where-rows-have-no-owner"),
    ],
)
@pytest.mark.parametrize("command", Command)
def test_what_a_scope_promises_a_member(
    tenancy: Tenancy, scope: Scope, row: Row, expected: Stance, command: Command
) -> None:
    assert stance(tenancy, [scope], MEMBER, row, command) is expected


@pytest.mark.parametrize("persona", [ANON, OUTSIDER], ids=lambda persona: persona.name)
@pytest.mark.parametrize("scope", [NONE, OWN, TENANT], ids=str)
def test_who_belongs_nowhere_is_promised_nothing_but_all(persona: Persona, scope: Scope) -> None:
    assert {stance(BY_BOTH, [scope], persona, row) for row in (MINE, COLLEAGUES, FOREIGN, STRAY)} == {FORBIDDEN}
    assert stance(BY_BOTH, [ALL], persona, FOREIGN) is REQUIRED


def test_anon_owns_nothing_not_even_rows_without_an_owner() -> None:
    assert stance(BY_OWNER, [OWN], ANON, SYSTEM) is FORBIDDEN
    assert oracle(BY_OWNER).stance(ANON, NOTES, Command.SELECT, SYSTEM) is FORBIDDEN


def test_an_outsiders_own_rows_are_theirs() -> None:
    assert stance(BY_OWNER, [OWN], OUTSIDER, replace(LOOSE, owner="u-outsider")) is REQUIRED


def test_scopes_of_one_line_are_a_union() -> None:
    published = Scope(ScopeKind.WHERE, "is_published")
    flagged = replace(FOREIGN, flags=frozenset({"is_published"}))
    assert stance(BY_BOTH, [TENANT, published], MEMBER, flagged) is REQUIRED
    assert stance(BY_BOTH, [TENANT, published], MEMBER, MINE) is REQUIRED
    assert stance(BY_BOTH, [TENANT, published], MEMBER, FOREIGN) is FORBIDDEN
    assert stance(BY_BOTH, [], MEMBER, MINE) is FORBIDDEN


def test_a_predicate_holds_only_where_the_row_has_its_flag() -> None:
    published = Scope(ScopeKind.WHERE, "is_published")
    other = replace(FOREIGN, flags=frozenset({"is_archived"}))
    assert stance(BY_TENANT, [published], ANON, other) is FORBIDDEN
    assert stance(BY_TENANT, [published], ANON, replace(FOREIGN, flags=frozenset({"is_published"}))) is REQUIRED


@pytest.mark.parametrize(
    ("declared", "persona", "command", "expected"),
    [
        (SystemRows.SHARED, MEMBER, Command.SELECT, REQUIRED),
        (SystemRows.SHARED, OUTSIDER, Command.SELECT, REQUIRED),
        (SystemRows.SHARED, ANON, Command.SELECT, FORBIDDEN),
        (SystemRows.SHARED, MEMBER, Command.UPDATE, FORBIDDEN),
        (SystemRows.SHARED, MEMBER, Command.INSERT, FORBIDDEN),
        (SystemRows.SHARED, MEMBER, Command.DELETE, FORBIDDEN),
        (SystemRows.PRIVATE, MEMBER, Command.SELECT, FORBIDDEN),
        (SystemRows.PRIVATE, MEMBER, Command.DELETE, FORBIDDEN),
        (SystemRows.UNDECIDED, MEMBER, Command.SELECT, ALLOWED),
        (SystemRows.UNDECIDED, ANON, Command.DELETE, FORBIDDEN),
        (SystemRows.UNDECIDED, MEMBER, Command.UPDATE, FORBIDDEN),
    ],
)
def test_system_rows(declared: SystemRows, persona: Persona, command: Command, expected: Stance) -> None:
    tenancy = replace(BY_TENANT, system_rows=declared)
    assert stance(tenancy, [TENANT], persona, SYSTEM, command) is expected
    undeclared = oracle(tenancy).stance(persona, NOTES, command, SYSTEM)
    assert undeclared is min(expected, ALLOWED)


@pytest.mark.parametrize(
    ("tenancy", "persona", "row", "command", "expected"),
    [
        pytest.param(BY_BOTH, MEMBER, MINE, Command.DELETE, ALLOWED, id="inside-the-border"),
        pytest.param(BY_BOTH, MEMBER, COLLEAGUES, Command.UPDATE, ALLOWED, id="a-colleagues-row"),
        pytest.param(BY_BOTH, MEMBER, FOREIGN, Command.SELECT, FORBIDDEN, id="across-the-border"),
        pytest.param(BY_BOTH, MEMBER, STRAY, Command.SELECT, FORBIDDEN, id="mine-but-across"),
        pytest.param(BY_BOTH, OUTSIDER, MINE, Command.SELECT, FORBIDDEN, id="an-outsider"),
        pytest.param(BY_BOTH, ANON, MINE, Command.SELECT, FORBIDDEN, id="anon"),
        pytest.param(BY_BOTH, DUAL, MINE, Command.SELECT, ALLOWED, id="dual-at-home"),
        pytest.param(BY_BOTH, DUAL, FOREIGN, Command.SELECT, ALLOWED, id="dual-at-the-other-home"),
        pytest.param(BY_BOTH, DUAL, replace(FOREIGN, tenant="i-id"), Command.SELECT, FORBIDDEN, id="dual-abroad"),
        pytest.param(BY_OWNER, MEMBER, LOOSE, Command.DELETE, ALLOWED, id="owner-only-mine"),
        pytest.param(BY_OWNER, MEMBER, replace(LOOSE, owner="u-x"), Command.SELECT, FORBIDDEN, id="owner-only-others"),
        pytest.param(BY_OWNER, MEMBER, SYSTEM, Command.SELECT, FORBIDDEN, id="owner-only-nobodys"),
        pytest.param(SHARED, ANON, SYSTEM, Command.SELECT, ALLOWED, id="shared-read"),
        pytest.param(SHARED, MEMBER, SYSTEM, Command.UPDATE, FORBIDDEN, id="shared-written"),
        pytest.param(PRIVATE, MEMBER, SYSTEM, Command.SELECT, FORBIDDEN, id="private"),
        pytest.param(UNDECIDED, MEMBER, SYSTEM, Command.SELECT, FORBIDDEN, id="nobody-knows-whose"),
    ],
)
def test_where_nothing_is_declared_the_border_is_the_intent(
    tenancy: Tenancy, persona: Persona, row: Row, command: Command, expected: Stance
) -> None:
    silent = oracle(tenancy)
    assert silent.stance(persona, NOTES, command, row) is expected
    assert not silent.declared(persona, NOTES, command)


def test_a_dual_persona_has_in_each_tenant_only_the_role_held_there() -> None:
    asked = oracle(BY_BOTH, [line(TENANT, role="owner"), line(NONE, role="viewer"), line(NONE, role="member")])
    assert asked.stance(DUAL, NOTES, Command.SELECT, COLLEAGUES) is REQUIRED
    assert asked.stance(DUAL, NOTES, Command.SELECT, FOREIGN) is FORBIDDEN
    assert asked.stance(MEMBER, NOTES, Command.SELECT, COLLEAGUES) is FORBIDDEN


def test_a_dual_persona_with_one_silent_role_is_not_declared() -> None:
    asked = oracle(BY_BOTH, [line(TENANT, role="owner")])
    assert not asked.declared(DUAL, NOTES, Command.SELECT)
    assert asked.stance(DUAL, NOTES, Command.SELECT, FOREIGN) is ALLOWED
    assert asked.stance(DUAL, NOTES, Command.SELECT, COLLEAGUES) is REQUIRED


def test_a_membership_in_a_tenant_that_was_not_seeded_opens_nothing() -> None:
    lost = replace(MEMBER, memberships=(Member(tenant="nowhere", role="member"),))
    assert stance(BY_BOTH, [TENANT], lost, SYSTEM) is ALLOWED
    assert {stance(BY_BOTH, [TENANT], lost, row) for row in (MINE, FOREIGN)} == {FORBIDDEN}
    assert oracle(BY_BOTH).stance(lost, NOTES, Command.SELECT, MINE) is FORBIDDEN


PART = QName("public", "notes_2026_11")


@pytest.mark.parametrize(
    ("scope", "row", "expected"),
    [(TENANT, MINE, ALLOWED), (ALL, FOREIGN, ALLOWED), (TENANT, FOREIGN, FORBIDDEN), (NONE, MINE, FORBIDDEN)],
)
def test_what_is_required_of_the_root_is_only_allowed_of_a_partition(scope: Scope, row: Row, expected: Stance) -> None:
    asked = oracle(BY_BOTH, everywhere(scope), partitions={PART: NOTES})
    assert asked.stance(MEMBER, PART, Command.SELECT, row) is expected


def test_the_line_of_the_file_that_governs_a_cell() -> None:
    said, table = Place("s.yaml", 9, 3), Place("s.yaml", 4, 3)
    asked = oracle(replace(BY_BOTH, place=table), [line(TENANT, place=said)])
    assert asked.place(MEMBER, NOTES, Command.SELECT) == said
    assert asked.place(MEMBER, NOTES, Command.DELETE) == table
    assert asked.place(MEMBER, OTHER, Command.DELETE) is None


@pytest.mark.parametrize(
    ("persona", "expected"),
    [
        (MEMBER, "inside the own tenant"),
        (DUAL, "tenant + where is_published in acme; none in globex"),
        (ANON, "none"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_the_promise_in_words(persona: Persona, expected: str) -> None:
    lines = [
        line(TENANT, Scope(ScopeKind.WHERE, "is_published"), role="owner"),
        line(NONE, role="viewer"),
        line(NONE, role="anon"),
    ]
    assert oracle(BY_BOTH, lines).promise(persona, NOTES, Command.SELECT) == expected


def test_predicates_of_a_relation_are_each_named_once() -> None:
    a, b = Scope(ScopeKind.WHERE, "a"), Scope(ScopeKind.WHERE, "b")
    lines = [line(b, TENANT), line(a, b, command=Command.UPDATE), line(Scope(ScopeKind.WHERE, "c"), table=OTHER)]
    assert predicates_of(oracle(BY_BOTH, lines).scenario, NOTES) == ("a", "b")


USERS = ("u-member", "u-dual", "u-outsider", "u-colleague")
ROLES = ("owner", "member", "viewer")
WITH_TENANT = st.builds(
    Tenancy,
    tenant=st.just(Locator(path=("org_id",))),
    owner=st.none() | st.just(Locator(path=("user_id",))),
    system_rows=st.sampled_from(SystemRows),
)
ROWS = st.builds(
    Row, key=st.just(("1",)), tenant=st.sampled_from((*IDS.values(), None)), owner=st.sampled_from((*USERS, None))
)
IN_A_TENANT = ROWS.filter(lambda row: row.tenant is not None)
MEMBERS = st.builds(Member, tenant=st.sampled_from(tuple(IDS)), role=st.sampled_from(ROLES))
MEMBERSHIPS = st.lists(MEMBERS, max_size=3).map(tuple)
KINDS = st.sampled_from(PersonaKind)
COMMANDS = st.sampled_from(Command)
LADDER = (NONE, OWN, TENANT, ALL)
"""Scopes, each wider than the one before."""
SCOPES = st.lists(st.sampled_from(LADDER), max_size=2).map(tuple)
LINES = st.lists(
    st.builds(
        Expectation,
        table=st.sampled_from((NOTES, None)),
        command=COMMANDS,
        breadth=st.integers(0, 2),
        role=st.sampled_from((*ROLES, "anon", "outsider", "*", None)),
        scopes=SCOPES,
    ),
    max_size=6,
)


@st.composite
def personas(draw: st.DrawFn) -> Persona:
    kind = draw(KINDS)
    if kind is PersonaKind.ANON:
        return ANON
    memberships = () if kind is PersonaKind.OUTSIDER else draw(MEMBERSHIPS)
    return Persona(name="p", kind=kind, user_id=draw(st.sampled_from(USERS)), memberships=memberships)


@given(WITH_TENANT, personas(), COMMANDS, IN_A_TENANT)
def test_law_an_undeclared_row_of_a_foreign_tenant_is_forbidden(
    tenancy: Tenancy, persona: Persona, command: Command, row: Row
) -> None:
    home = {IDS[name] for name in persona.tenants}
    said = oracle(tenancy).stance(persona, NOTES, command, row)
    assert said is (ALLOWED if row.tenant in home else FORBIDDEN)


@given(st.sampled_from((BY_OWNER, PRIVATE, UNDECIDED)), personas(), COMMANDS, ROWS)
def test_law_without_a_tenant_only_ones_own_rows_are_inside_the_border(
    tenancy: Tenancy, persona: Persona, command: Command, row: Row
) -> None:
    mine = persona.user_id is not None and row.owner == persona.user_id
    said = oracle(tenancy).stance(persona, NOTES, command, row)
    assert said is FORBIDDEN or (mine and not tenancy.private)


@given(WITH_TENANT, personas(), COMMANDS, IN_A_TENANT, st.sampled_from((NONE, OWN, TENANT)))
def test_law_no_scope_short_of_all_crosses_the_border(
    tenancy: Tenancy, persona: Persona, command: Command, row: Row, scope: Scope
) -> None:
    if row.tenant not in {IDS[name] for name in persona.tenants}:
        assert stance(tenancy, [scope], persona, row, command) is FORBIDDEN


@given(WITH_TENANT, personas(), COMMANDS, IN_A_TENANT, st.integers(0, 2))
def test_law_widening_a_scope_never_lowers_a_stance(
    tenancy: Tenancy, persona: Persona, command: Command, row: Row, step: int
) -> None:
    """Of rows in a tenant: what rows in none are is for `system_rows` to say."""
    narrow, wide = LADDER[step], LADDER[step + 1]
    assert stance(tenancy, [narrow], persona, row, command) <= stance(tenancy, [wide], persona, row, command)


@given(WITH_TENANT, personas(), COMMANDS, ROWS, SCOPES, st.sampled_from(LADDER))
def test_law_adding_a_scope_to_a_union_never_lowers_a_stance(
    tenancy: Tenancy, persona: Persona, command: Command, row: Row, scopes: tuple[Scope, ...], more: Scope
) -> None:
    assert stance(tenancy, scopes, persona, row, command) <= stance(tenancy, (*scopes, more), persona, row, command)


@given(WITH_TENANT, MEMBERSHIPS.filter(bool), MEMBERS, COMMANDS, ROWS, LINES)
def test_law_another_membership_never_lowers_a_stance(
    tenancy: Tenancy,
    memberships: tuple[Member, ...],
    more: Member,
    command: Command,
    row: Row,
    lines: list[Expectation],
) -> None:
    before = replace(MEMBER, memberships=memberships)
    after = replace(MEMBER, memberships=(*memberships, more))
    asked = oracle(tenancy, lines)
    assert asked.stance(before, NOTES, command, row) <= asked.stance(after, NOTES, command, row)


@given(WITH_TENANT, MEMBERS, COMMANDS, ROWS, st.none() | SCOPES)
def test_law_the_first_membership_never_lowers_a_stance_where_no_line_names_a_role(
    tenancy: Tenancy, first: Member, command: Command, row: Row, scopes: tuple[Scope, ...] | None
) -> None:
    """A line for `outsider` may well promise more than one for a role: joining changes which of them speaks."""
    asked = oracle(tenancy, () if scopes is None else everywhere(*scopes))
    joined = replace(OUTSIDER, memberships=(first,))
    assert asked.stance(OUTSIDER, NOTES, command, row) <= asked.stance(joined, NOTES, command, row)


@given(WITH_TENANT, personas(), COMMANDS, ROWS, LINES)
def test_law_the_answer_does_not_depend_on_what_was_asked_before(
    tenancy: Tenancy, persona: Persona, command: Command, row: Row, lines: list[Expectation]
) -> None:
    used = oracle(tenancy, lines)
    for other in CAST:
        for earlier in Command:
            used.stance(other, NOTES, earlier, row)
    fresh = oracle(tenancy, lines)
    assert used.stance(persona, NOTES, command, row) is fresh.stance(persona, NOTES, command, row)
    assert used == fresh


@pytest.mark.parametrize(("owner", "expected"), [(None, ALLOWED), ("u-member", ALLOWED), ("u-colleague", FORBIDDEN)])
def test_founding_a_tenant_crosses_no_border_unless_a_line_says_so(owner: str | None, expected: Stance) -> None:
    asked = replace(oracle(BY_TENANT, []), founding=frozenset({NOTES}))
    fresh = Row(key=("9",), owner=owner)
    assert asked.stance(MEMBER, NOTES, Command.INSERT, fresh) is expected
    declared = replace(oracle(BY_TENANT, [line(NONE, command=Command.INSERT)]), founding=frozenset({NOTES}))
    assert declared.stance(MEMBER, NOTES, Command.INSERT, fresh) is FORBIDDEN


def test_who_belongs_where_may_change_after_the_first_question() -> None:
    asked = replace(oracle(BY_OWNER, []), directories=frozenset({NOTES}))
    colleague = Row(key=("7",), owner="u-colleague")
    assert asked.stance(MEMBER, NOTES, Command.SELECT, colleague) is FORBIDDEN
    after = replace(asked, people={"u-colleague": frozenset({"a-id"})})
    assert after.stance(MEMBER, NOTES, Command.SELECT, colleague) is ALLOWED


@given(WITH_TENANT, personas(), COMMANDS, ROWS, LINES)
def test_law_a_partition_is_never_promised_more_than_its_root(
    tenancy: Tenancy, persona: Persona, command: Command, row: Row, lines: list[Expectation]
) -> None:
    asked = oracle(tenancy, lines, partitions={PART: NOTES})
    root = asked.stance(persona, NOTES, command, row)
    assert asked.stance(persona, PART, command, row) is min(root, ALLOWED)


@pytest.mark.parametrize(("tenancy", "row"), [(BY_OWNER, LOOSE), (SHARED, SYSTEM)])
def test_tenant_for_every_table_leaves_tables_without_a_tenant_alone(tenancy: Tenancy, row: Row) -> None:
    asked = oracle(tenancy, [line(TENANT, table=None, breadth=1)])
    assert asked.stance(MEMBER, NOTES, Command.SELECT, row) is not FORBIDDEN


def test_ones_own_row_in_no_tenant_is_not_forbidden_by_tenant() -> None:
    for declared in (SystemRows.PRIVATE, SystemRows.SHARED):
        tenancy = replace(BY_BOTH, system_rows=declared)
        for command in Command:
            own, wide = (stance(tenancy, [scope], MEMBER, LOOSE, command) for scope in (OWN, TENANT))
            assert own <= wide
