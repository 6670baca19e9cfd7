"""The visibility property over scripted observations: no database, every way a statement can end."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantproof.core.attempt import Attempt, Change, Form, Observation, Outcome, Stage
from tenantproof.core.finding import Verdict
from tenantproof.core.model import (
    Command,
    Database,
    Expectation,
    Locator,
    Member,
    Persona,
    PersonaKind,
    Platform,
    QName,
    Scenario,
    Scope,
    ScopeKind,
    SystemRows,
    Tenancy,
)
from tenantproof.core.world import Row
from tenantproof.oracle.entitlement import Oracle, Stance
from tenantproof.properties.visibility import (
    BROKEN_POLICY,
    Judgement,
    Question,
    judge_change,
    judge_insert,
    judge_read,
)

NOTES, AUDIT = QName("public", "notes"), QName("public", "audit")
MEMBER = Persona(
    name="acme.member",
    kind=PersonaKind.MEMBER,
    user_id="u-me",
    memberships=(Member(tenant="acme", role="member"),),
)
OUTSIDER = Persona(name="outsider", kind=PersonaKind.OUTSIDER, user_id="u-out")
BY_TENANT = Tenancy(tenant=Locator(path=("org_id",)), owner=Locator(path=("user_id",)))
MINE = Row(key=("1",), tenant="a", owner="u-me")
OURS = Row(key=("2",), tenant="a", owner="u-colleague")
THEIRS = Row(key=("3",), tenant="g", owner="u-globex")
THEIRS_TOO = Row(key=("4",), tenant="g", owner="u-globex")
WORLD = (MINE, OURS, THEIRS, THEIRS_TOO)

ISOLATED, LEAK, OVERBLOCKED, UNTESTED, ERROR = Verdict
BY_POLICY = Observation(sqlstate="42501", message="new row violates row-level security policy")
BY_TRIGGER = Observation(sqlstate="P0001", message="spoken by a trigger")
UNIQUE = Observation(sqlstate="23505", message="duplicate key")
CHECK = Observation(sqlstate="23514", message="check violated")
RECURSION = Observation(sqlstate="42P17", message="infinite recursion detected in policy")
PASSED = Observation(count=1)
NOTHING = Observation(count=0)


def question(
    command: Command,
    scope: ScopeKind | None = ScopeKind.TENANT,
    rows: tuple[Row, ...] = WORLD,
    *,
    persona: Persona = MEMBER,
    tenancy: Tenancy = BY_TENANT,
) -> Question:
    lines = () if scope is None else tuple(_line(each, scope) for each in Command)
    scenario = Scenario(
        name="s",
        path="s.yaml",
        database=Database(platform=Platform.POSTGRES, migrations=()),
        tenants=(),
        expectations=lines,
    )
    # AUDIT is judged by the border alone: nothing was declared for it.
    oracle = Oracle(scenario, {NOTES: tenancy, AUDIT: tenancy}, {"acme": "a", "globex": "g"})
    return Question(oracle=oracle, persona=persona, relation=NOTES, command=command, rows=rows)


def _line(command: Command, scope: ScopeKind) -> Expectation:
    return Expectation(table=NOTES, command=command, breadth=2, role=None, scopes=(Scope(scope),))


def attempt(command: Command, *, form: Form, alone: Row | None = None, sql: str = "", channel: str = "") -> Attempt:
    stage = None if alone is None else Stage(relation=NOTES, key_columns=("id",), keep=(alone.key,))
    return Attempt(
        relation=NOTES,
        command=command,
        channel=channel or command.name,
        form=form,
        sql=sql or f"{command} {form}",
        aim="",
        stage=stage,
    )


def deleted(*rows: Row, relation: QName = NOTES) -> tuple[Change, ...]:
    return tuple(Change(relation=relation, before=row, after=None) for row in rows)


def changed(before: Row, after: Row | None = None) -> Change:
    return Change(relation=NOTES, before=before, after=after or before)


def ended(
    observation: Observation,
    *changes: Change,
    command: Command = Command.DELETE,
    form: Form = Form.BLIND,
    alone: Row | None = None,
    control: Observation | None = None,
    channel: str = "",
) -> Outcome:
    tried = attempt(command, form=form, alone=alone, channel=channel)
    return Outcome(attempt=tried, observation=observation, changes=changes, control=control)


def read(observation: Observation) -> Outcome:
    return Outcome(attempt=attempt(Command.SELECT, form=Form.READ), observation=observation)


def rows_of(judgement: Judgement) -> list[Row]:
    return [violation.row for violation in judgement.violations]


class TestReading:
    @pytest.mark.parametrize(
        ("scope", "rows", "seen", "verdict"),
        [
            pytest.param(ScopeKind.TENANT, WORLD, (MINE, OURS), ISOLATED, id="exactly-the-tenant"),
            pytest.param(ScopeKind.TENANT, WORLD, WORLD, LEAK, id="everything"),
            pytest.param(ScopeKind.TENANT, WORLD, (THEIRS,), LEAK, id="a-leak-outweighs-what-is-missing"),
            pytest.param(ScopeKind.TENANT, WORLD, (MINE,), OVERBLOCKED, id="a-colleagues-row-is-hidden"),
            pytest.param(ScopeKind.TENANT, WORLD, (), OVERBLOCKED, id="nothing-at-all"),
            pytest.param(ScopeKind.OWN, WORLD, (MINE, OURS), LEAK, id="a-colleagues-row-is-seen"),
            pytest.param(ScopeKind.NONE, WORLD, (), ISOLATED, id="none-and-nothing"),
            pytest.param(ScopeKind.NONE, WORLD, (MINE,), LEAK, id="none-and-ones-own"),
            pytest.param(ScopeKind.ALL, WORLD, WORLD, ISOLATED, id="all"),
            pytest.param(None, WORLD, (), ISOLATED, id="undeclared-and-nothing"),
            pytest.param(None, WORLD, (OURS,), ISOLATED, id="undeclared-inside-the-border"),
            pytest.param(None, WORLD, (THEIRS,), LEAK, id="undeclared-across-the-border"),
            pytest.param(ScopeKind.TENANT, (MINE, OURS), (MINE, OURS), UNTESTED, id="nothing-at-stake"),
            pytest.param(ScopeKind.TENANT, (), (), UNTESTED, id="an-empty-table"),
        ],
    )
    def test_rows(self, scope: ScopeKind | None, rows: tuple[Row, ...], seen: Sequence[Row], verdict: Verdict) -> None:
        judgement = judge_read(question(Command.SELECT, scope, rows), read(Observation(count=len(seen))), seen)
        assert judgement.verdict is verdict
        assert verdict is UNTESTED or judgement.reached == len(seen)

    @pytest.mark.parametrize(
        ("observation", "scope", "verdict"),
        [
            pytest.param(BY_POLICY, ScopeKind.NONE, ISOLATED, id="denied-as-declared"),
            pytest.param(BY_POLICY, None, ISOLATED, id="denied-where-nothing-was-promised"),
            pytest.param(BY_POLICY, ScopeKind.TENANT, OVERBLOCKED, id="denied-though-promised"),
            *(
                pytest.param(Observation(sqlstate=state, message="m"), scope, ERROR, id=f"{state}-{scope}")
                for state in (*BROKEN_POLICY, "P0001", "22012", "42703", "XX000")
                for scope in (ScopeKind.NONE, ScopeKind.TENANT, None)
            ),
        ],
    )
    def test_refusals(self, observation: Observation, scope: ScopeKind | None, verdict: Verdict) -> None:
        judgement = judge_read(question(Command.SELECT, scope), read(observation), ())
        assert judgement.verdict is verdict
        if verdict is ERROR:
            assert observation.in_words() in judgement.reason
            assert BROKEN_POLICY.get(observation.sqlstate or "", "") in judgement.reason

    def test_a_leak_names_the_rows_and_what_is_missing_as_well(self) -> None:
        judgement = judge_read(question(Command.SELECT), read(Observation(count=2)), (OURS, THEIRS))
        assert rows_of(judgement) == [THEIRS]
        assert judgement.missing == (MINE,)

    def test_a_row_that_nobody_knows_of_is_a_leak_to_who_may_see_nothing(self) -> None:
        asked = question(Command.SELECT, ScopeKind.NONE)
        assert judge_read(asked, read(PASSED), (Row(key=("99",)),)).verdict is LEAK

    def test_rows_of_a_view_are_told_apart_by_whose_they_are(self) -> None:
        rows = tuple(Row(key=(), tenant=tenant) for tenant in ("a", "g"))
        asked = question(Command.SELECT, rows=rows)
        assert judge_read(asked, read(PASSED), rows[:1]).verdict is ISOLATED
        assert judge_read(asked, read(PASSED), rows).verdict is LEAK
        assert judge_read(asked, read(NOTHING), ()).verdict is OVERBLOCKED

    @pytest.mark.parametrize(
        ("tenancy", "rows", "expected"),
        [
            pytest.param(BY_TENANT, (MINE, OURS), True, id="only-our-tenant"),
            pytest.param(BY_TENANT, (MINE, THEIRS), False, id="a-foreign-row"),
            pytest.param(BY_TENANT, (), True, id="no-rows"),
            pytest.param(Tenancy(owner=BY_TENANT.owner), (Row(key=("1",), owner="u-me"),), True, id="only-mine"),
            pytest.param(Tenancy(owner=BY_TENANT.owner), (Row(key=("1",), owner="u-x"),), False, id="somebody-elses"),
            pytest.param(Tenancy(private=True), (Row(key=("1",)),), False, id="private"),
            pytest.param(Tenancy(shared=True), (Row(key=("1",)),), False, id="for-everybody"),
            pytest.param(Tenancy(shared=True), (), True, id="for-everybody-but-empty"),
            pytest.param(BY_TENANT, (Row(key=("1",)),), False, id="a-system-row"),
        ],
    )
    def test_nothing_at_stake(self, tenancy: Tenancy, rows: tuple[Row, ...], expected: bool) -> None:
        assert question(Command.SELECT, rows=rows, tenancy=tenancy).nothing_at_stake is expected


OWN_ALONE = ended(UNIQUE, alone=MINE, control=UNIQUE)
"""A constraint that refuses everybody."""


class TestChanging:
    @pytest.mark.parametrize(
        ("outcomes", "verdict"),
        [
            pytest.param([ended(PASSED, *deleted(MINE, OURS))], ISOLATED, id="exactly-the-tenant"),
            pytest.param([ended(PASSED, *deleted(*WORLD))], LEAK, id="everything"),
            pytest.param([ended(PASSED, *deleted(MINE))], OVERBLOCKED, id="a-colleagues-row-stays"),
            pytest.param([ended(NOTHING)], OVERBLOCKED, id="no-row-is-found"),
            pytest.param([ended(BY_POLICY)], OVERBLOCKED, id="denied-though-promised"),
            pytest.param(
                [ended(PASSED, *deleted(MINE, OURS)), ended(PASSED, *deleted(THEIRS), form=Form.FILTERED)],
                LEAK,
                id="the-second-attempt-leaks",
            ),
            pytest.param(
                [ended(PASSED, *deleted(MINE)), ended(PASSED, *deleted(OURS), form=Form.FILTERED)],
                ISOLATED,
                id="together-they-reach-all",
            ),
            pytest.param([ended(RECURSION)], ERROR, id="a-policy-recurses"),
            pytest.param([ended(RECURSION), ended(PASSED, *deleted(THEIRS))], LEAK, id="recursion-hides-no-leak"),
            pytest.param([ended(BY_TRIGGER)], UNTESTED, id="a-trigger-spoke-first"),
            pytest.param([ended(BY_TRIGGER), ended(PASSED, *deleted(*WORLD))], LEAK, id="a-trigger-hides-no-leak"),
            pytest.param([ended(UNIQUE)], UNTESTED, id="a-constraint-spoke-for-many-rows"),
            pytest.param([ended(BY_TRIGGER, control=BY_TRIGGER)], UNTESTED, id="a-trigger-for-everybody"),
            pytest.param([], UNTESTED, id="nothing-was-tried"),
        ],
    )
    def test_what_a_member_reaches(self, outcomes: list[Outcome], verdict: Verdict) -> None:
        assert judge_change(question(Command.DELETE), outcomes).verdict is verdict

    @pytest.mark.parametrize(
        ("outcomes", "verdict"),
        [
            pytest.param([ended(BY_POLICY)], ISOLATED, id="denied"),
            pytest.param([ended(BY_POLICY), ended(BY_POLICY, form=Form.FILTERED)], ISOLATED, id="denied-twice"),
            pytest.param([ended(NOTHING)], ISOLATED, id="no-row-is-found"),
            pytest.param([ended(BY_TRIGGER)], UNTESTED, id="a-trigger-spoke-first"),
            pytest.param([ended(BY_POLICY), ended(BY_TRIGGER, form=Form.FILTERED)], UNTESTED, id="one-of-two-unclear"),
            pytest.param([ended(RECURSION)], ERROR, id="a-policy-recurses"),
            pytest.param([ended(PASSED, *deleted(MINE))], LEAK, id="even-ones-own-row"),
            pytest.param([ended(NOTHING), ended(BY_TRIGGER, alone=THEIRS, channel="OTHER")], UNTESTED, id="mute"),
        ],
    )
    def test_who_may_change_nothing(self, outcomes: list[Outcome], verdict: Verdict) -> None:
        assert judge_change(question(Command.DELETE, ScopeKind.NONE), outcomes).verdict is verdict

    @pytest.mark.parametrize(
        ("observation", "control", "verdict"),
        [
            pytest.param(UNIQUE, PASSED, LEAK, id="only-a-constraint-stopped-the-persona"),
            pytest.param(CHECK, NOTHING, LEAK, id="another-constraint"),
            pytest.param(UNIQUE, UNIQUE, UNTESTED, id="the-constraint-stops-everybody"),
            pytest.param(UNIQUE, None, UNTESTED, id="without-a-control-nobody-can-tell"),
            pytest.param(BY_POLICY, PASSED, ISOLATED, id="denied"),
            pytest.param(NOTHING, None, ISOLATED, id="not-found"),
            pytest.param(BY_TRIGGER, BY_TRIGGER, UNTESTED, id="a-trigger-stops-everybody"),
            pytest.param(RECURSION, PASSED, ERROR, id="recursion"),
        ],
    )
    def test_a_foreign_row_alone_on_the_stage(
        self, observation: Observation, control: Observation | None, verdict: Verdict
    ) -> None:
        outcomes = [ended(observation, alone=THEIRS, control=control)]
        judgement = judge_change(question(Command.DELETE, ScopeKind.NONE), outcomes)
        assert judgement.verdict is verdict
        if verdict is LEAK:
            assert rows_of(judgement) == [THEIRS]

    def test_a_staged_row_that_only_a_constraint_refused_counts_as_reached(self) -> None:
        outcomes = [OWN_ALONE, ended(BY_POLICY, alone=THEIRS, control=PASSED)]
        assert judge_change(question(Command.DELETE), outcomes).verdict is ISOLATED

    def test_only_rows_that_were_staged_are_missed(self) -> None:
        outcomes = [ended(NOTHING, alone=MINE, control=PASSED), ended(NOTHING, alone=THEIRS)]
        judgement = judge_change(question(Command.DELETE), outcomes)
        assert (judgement.verdict, judgement.missing) == (OVERBLOCKED, (MINE,))

    @pytest.mark.parametrize(
        ("after", "verdict"),
        [
            pytest.param(MINE, OVERBLOCKED, id="stays-mine"),
            pytest.param(Row(key=("1",), tenant="g", owner="u-me"), LEAK, id="moved-to-another-tenant"),
            pytest.param(Row(key=("1",), tenant="a", owner="u-colleague"), LEAK, id="handed-to-a-colleague"),
        ],
    )
    def test_a_row_is_judged_as_it_was_and_as_it_became(self, after: Row, verdict: Verdict) -> None:
        rows = (MINE, Row(key=("5",), tenant="a", owner="u-me"), THEIRS)
        moved = ended(PASSED, changed(MINE, after), command=Command.UPDATE)
        judgement = judge_change(question(Command.UPDATE, ScopeKind.OWN, rows), [moved])
        assert judgement.verdict is verdict
        assert rows_of(judgement) == ([after] if verdict is LEAK else [])

    def test_a_stolen_row_is_shown_as_it_was(self) -> None:
        stolen = Row(key=("3",), tenant="a", owner="u-me")
        outcome = ended(PASSED, changed(THEIRS, stolen), command=Command.UPDATE)
        judgement = judge_change(question(Command.UPDATE), [outcome])
        assert rows_of(judgement) == [THEIRS]
        assert judgement.violations[0].change == changed(THEIRS, stolen)

    def test_rows_of_other_tables_are_judged_by_their_own_table(self) -> None:
        """A cascade, a trigger, or a write through a view."""
        harmless = ended(PASSED, *deleted(MINE, OURS), *deleted(OURS, relation=AUDIT))
        cascade = ended(PASSED, *deleted(MINE, OURS), *deleted(THEIRS, relation=AUDIT))
        assert judge_change(question(Command.DELETE), [harmless]).verdict is ISOLATED
        assert judge_change(question(Command.DELETE), [cascade]).verdict is LEAK

    def test_where_all_rows_are_ones_own_nothing_is_proved(self) -> None:
        judgement = judge_change(question(Command.DELETE, rows=(MINE,)), [ended(PASSED, *deleted(MINE))])
        assert judgement.verdict is UNTESTED
        assert "anybody else" in judgement.reason

    @pytest.mark.parametrize(
        ("control", "words"),
        [(BY_TRIGGER, "for everybody"), (PASSED, "before the policies"), (None, "before the policies")],
    )
    def test_the_reason_says_whom_a_trigger_refused(self, control: Observation | None, words: str) -> None:
        judgement = judge_change(question(Command.DELETE), [ended(BY_TRIGGER, control=control)])
        assert words in judgement.reason
        assert BY_TRIGGER.in_words() in judgement.reason


def planted(observation: Observation, *changes: Change, sql: str = "I") -> Outcome:
    tried = attempt(Command.INSERT, form=Form.VALUES, sql=sql)
    return Outcome(attempt=tried, observation=observation, changes=changes)


def added(row: Row) -> Change:
    return Change(relation=NOTES, before=None, after=row)


class TestAdding:
    @pytest.mark.parametrize(
        ("outcomes", "intended", "verdict"),
        [
            pytest.param([planted(PASSED, added(MINE))], {}, ISOLATED, id="ones-own"),
            pytest.param([planted(PASSED, added(THEIRS))], {}, LEAK, id="planted-in-another-tenant"),
            pytest.param([planted(BY_POLICY)], {"I": THEIRS}, ISOLATED, id="denied-as-declared"),
            pytest.param([planted(BY_POLICY)], {"I": MINE}, OVERBLOCKED, id="denied-though-promised"),
            pytest.param([planted(UNIQUE)], {"I": THEIRS}, LEAK, id="only-a-constraint-stopped-it"),
            pytest.param([planted(UNIQUE)], {"I": MINE}, ISOLATED, id="a-constraint-on-ones-own"),
            pytest.param([planted(UNIQUE)], {}, UNTESTED, id="no-valid-row"),
            pytest.param([planted(BY_TRIGGER)], {}, UNTESTED, id="a-trigger-refuses-everybody"),
            pytest.param([planted(BY_TRIGGER)], {"I": MINE}, OVERBLOCKED, id="a-trigger-refuses-only-the-persona"),
            pytest.param([planted(BY_POLICY)], {}, ISOLATED, id="denied-whatever-row-it-would-be"),
            pytest.param([planted(RECURSION)], {"I": THEIRS}, ERROR, id="a-policy-recurses"),
            pytest.param(
                [planted(RECURSION), planted(PASSED, added(THEIRS), sql="J")], {}, LEAK, id="recursion-hides-no-leak"
            ),
            pytest.param(
                [planted(PASSED, added(MINE)), planted(BY_POLICY, sql="J")], {"J": THEIRS}, ISOLATED, id="as-it-should"
            ),
            pytest.param(
                [planted(PASSED, added(MINE)), planted(BY_TRIGGER, sql="J")], {"J": OURS}, OVERBLOCKED, id="one-is-kept"
            ),
            pytest.param([], {}, UNTESTED, id="nothing-was-tried"),
        ],
    )
    def test_rows(self, outcomes: list[Outcome], intended: dict[str, Row], verdict: Verdict) -> None:
        judgement = judge_insert(question(Command.INSERT), outcomes, intended)
        assert judgement.verdict is verdict

    def test_a_row_that_a_trigger_makes_in_another_table_is_judged_too(self) -> None:
        trail = Change(relation=AUDIT, before=None, after=THEIRS)
        judgement = judge_insert(question(Command.INSERT), [planted(PASSED, added(MINE), trail)], {})
        assert rows_of(judgement) == [THEIRS]

    def test_how_many_were_accepted(self) -> None:
        outcomes = [planted(PASSED, added(MINE)), planted(BY_POLICY, sql="J"), planted(PASSED, added(OURS), sql="K")]
        assert judge_insert(question(Command.INSERT), outcomes, {}).reached == 2

    def test_the_reason_says_what_the_database_said(self) -> None:
        judgement = judge_insert(question(Command.INSERT), [planted(CHECK)], {})
        assert CHECK.in_words() in judgement.reason


OBSERVATIONS = st.one_of(
    st.integers(0, 4).map(lambda count: Observation(count=count)),
    st.sampled_from(("42501", "42P17", "54001", "22P02", "P0001", "23505", "23503", "XX000", "57014", "42703")).map(
        lambda state: Observation(sqlstate=state, message="m")
    ),
)
SOME_ROW = st.sampled_from(WORLD)
CHANGES = st.builds(
    Change, relation=st.sampled_from((NOTES, AUDIT)), before=st.none() | SOME_ROW, after=st.none() | SOME_ROW
).filter(lambda change: change.before is not None or change.after is not None)
OUTCOMES = st.lists(
    st.builds(
        lambda observation, changes, form, alone, control, channel: ended(
            observation, *changes, form=form, alone=alone, control=control, channel=channel
        ),
        OBSERVATIONS,
        st.lists(CHANGES, max_size=2),
        st.sampled_from((Form.BLIND, Form.FILTERED, Form.UPSERT, Form.VALUES)),
        st.none() | SOME_ROW,
        st.none() | OBSERVATIONS,
        st.sampled_from(("DELETE", "UPDATE-MOVE")),
    ),
    max_size=4,
)
SCOPES = st.sampled_from((ScopeKind.NONE, ScopeKind.OWN, ScopeKind.TENANT, ScopeKind.ALL, None))
QUESTIONS = st.builds(
    lambda command, scope, rows, persona: question(command, scope, tuple(rows), persona=persona),
    st.sampled_from(Command),
    SCOPES,
    st.lists(SOME_ROW, unique=True),
    st.sampled_from((MEMBER, OUTSIDER)),
)
INTENDED = st.dictionaries(st.builds(lambda form: f"delete {form}", st.sampled_from(Form)), SOME_ROW)


def judge_all(asked: Question, outcomes: list[Outcome], intended: dict[str, Row]) -> list[Judgement]:
    reads = [judge_read(asked, outcome, asked.rows[:1]) for outcome in outcomes]
    return [*reads, judge_change(asked, outcomes), judge_insert(asked, outcomes, intended)]


@given(QUESTIONS, OUTCOMES, INTENDED)
def test_law_what_is_not_known_has_a_reason(asked: Question, outcomes: list[Outcome], intended: dict[str, Row]) -> None:
    for judgement in judge_all(asked, outcomes, intended):
        assert judgement.reason or judgement.verdict not in (UNTESTED, ERROR)
        assert bool(judgement.violations) == (judgement.verdict is LEAK)
        assert judgement.missing or judgement.verdict is not OVERBLOCKED


@given(QUESTIONS, OUTCOMES, INTENDED, st.integers(0, 4))
def test_law_a_change_of_a_forbidden_row_is_a_leak_whatever_else_was_observed(
    asked: Question, outcomes: list[Outcome], intended: dict[str, Row], where: int
) -> None:
    forbidden = [
        Change(relation=NOTES, before=row, after=after)
        for row in WORLD
        for after in (None, row)
        if asked.oracle.stance(asked.persona, NOTES, asked.command, row) is Stance.FORBIDDEN
    ]
    for change in forbidden:
        mixed = [*outcomes[:where], ended(PASSED, change), *outcomes[where:]]
        for judgement in (judge_change(asked, mixed), judge_insert(asked, mixed, intended)):
            assert judgement.verdict is LEAK
            assert change in [violation.change for violation in judgement.violations]


@given(QUESTIONS, SOME_ROW)
def test_law_reading_a_forbidden_row_is_a_leak(asked: Question, row: Row) -> None:
    forbidden = asked.stance(row) is Stance.FORBIDDEN
    judgement = judge_read(asked, read(PASSED), (*asked.required, row))
    assert (judgement.verdict is LEAK) == forbidden


@given(QUESTIONS, OUTCOMES)
def test_law_where_all_is_allowed_there_is_no_leak_but_by_another_table(
    asked: Question, outcomes: list[Outcome]
) -> None:
    everything = question(asked.command, ScopeKind.ALL, asked.rows, persona=asked.persona)
    quiet = [o for o in outcomes if o.attempt.stage is None and all(c.relation == NOTES for c in o.changes)]
    assert judge_change(everything, quiet).verdict is not LEAK


def test_private_system_rows_are_at_stake() -> None:
    tenancy = Tenancy(tenant=BY_TENANT.tenant, system_rows=SystemRows.PRIVATE)
    asked = question(Command.SELECT, None, (Row(key=("1",)),), tenancy=tenancy)
    assert judge_read(asked, read(NOTHING), ()).verdict is ISOLATED
    assert judge_read(asked, read(PASSED), asked.rows).verdict is LEAK


def test_a_constraint_on_ones_own_staged_row_is_no_leak() -> None:
    outcomes = [ended(PASSED, *deleted(OURS)), ended(UNIQUE, alone=MINE, control=PASSED)]
    assert judge_change(question(Command.DELETE), outcomes).verdict is not LEAK


def test_the_second_round_settles_a_blind_refusal() -> None:
    outcomes = [
        *(ended(PASSED, *deleted(row), alone=row, control=PASSED) for row in (MINE, OURS)),
        *(ended(NOTHING, alone=row, control=PASSED) for row in (THEIRS, THEIRS_TOO)),
    ]
    assert judge_change(question(Command.DELETE), outcomes).verdict is ISOLATED
