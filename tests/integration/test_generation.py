"""The search itself on real databases: what is drawn can be said, what is seen can be seen again, nothing stays."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import time
from typing import cast

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tenantproof.api import check
from tenantproof.catalog.inference import infer_tenancy
from tenantproof.catalog.introspection import introspect
from tenantproof.core.attempt import Observation
from tenantproof.core.catalog import Constraint, ConstraintKind, Relation, RelationKind, Trigger
from tenantproof.core.finding import Severity, Verdict
from tenantproof.core.model import QName, Scenario
from tenantproof.core.ports import Handle
from tenantproof.core.program import Answer, Line, Program
from tenantproof.core.report import Report
from tenantproof.core.seeds import DEFAULT_SEED
from tenantproof.engine.consulted import consulted_by
from tenantproof.engine.interference.arena import Tally, relation_parents
from tenantproof.engine.interference.hunt import Budget, Hunt
from tenantproof.engine.interference.scene import Scene, Seat, set_up
from tenantproof.engine.plan import Plan
from tenantproof.engine.replay import timeless
from tenantproof.engine.scripts import as_observer, as_persona
from tenantproof.engine.wire import Script, Wire
from tenantproof.generation.obvious import obvious_reads
from tenantproof.generation.programs import Profile, programs_about
from tenantproof.generation.vocabulary import Noun, Verb
from tenantproof.identity.personas import personas, without_dual
from tenantproof.identity.sessions import identify
from tenantproof.identity.signing import Signer
from tenantproof.properties.confidentiality import interference
from tenantproof.properties.integrity import Hanging
from tenantproof.scenario import load_scenario
from tenantproof.seeding import can_hold_dual, read_world
from tenantproof.seeding import seed as seed_world
from tenantproof.targets.embedded import EmbeddedTarget

ROOT = Path(__file__).parents[2]
SAAS = ROOT / "scenarios" / "workflow_saas.tenancy.yaml"
STRANGERS = ROOT / "fixtures" / "strangers"
NUMBERED = STRANGERS / "numbered" / "numbered_full.tenancy.yaml"
SMALL = Path(__file__).parent / "small_app" / "app.tenancy.yaml"
BAD = Path(__file__).parent / "bad_input" / "bad.tenancy.yaml"

MISSAID = {
    "42601": "syntax error",
    "42P01": "no such relation",
    "42703": "no such column",
    "42883": "no such function or operator",
    "42804": "wrong type",
    "42P10": "no such unique index",
    "42P18": "no type",
}
"""A statement refused with one of these can be said by nobody, whoever they are and whatever rows there are."""
TIMEOUT = "SET LOCAL statement_timeout = '300ms'"

Connection = psycopg.Connection[tuple[object, ...]]


@contextmanager
def seeded(path: Path) -> Iterator[tuple[Handle, Plan]]:
    """A fresh database with a world in it, as `check` makes it."""
    scenario = load_scenario(path)
    with EmbeddedTarget(scenario.database).database() as handle:
        with psycopg.connect(handle.conninfo) as connection:
            plan = plan_of(connection, scenario)
        yield handle, plan


def plan_of(connection: Connection, scenario: Scenario) -> Plan:
    catalog = introspect(connection)
    tenancy = infer_tenancy(catalog, scenario)
    people = personas(scenario, DEFAULT_SEED)
    if not can_hold_dual(catalog, scenario):
        people = without_dual(people)
    said = {"catalog": catalog, "scenario": scenario, "tenancy": tenancy}
    manifest = seed_world(connection, **said, personas=people, seed=DEFAULT_SEED)  # type: ignore[arg-type]
    world = read_world(connection, **said, manifest=manifest)  # type: ignore[arg-type]
    connection.commit()
    signer = Signer()
    identified = (
        identify(who, scenario=scenario, tenants=manifest.tenant_ids, signer=signer, now=int(time()), role_settings={})
        for who in manifest.personas
    )
    identities = {identity.persona.name: timeless(identity) for identity in identified}
    consulted = consulted_by(catalog)
    return Plan(catalog, scenario, tenancy, manifest, world, identities, consulted)


@contextmanager
def scene_of(path: Path) -> Iterator[Scene]:
    with (
        seeded(path) as (handle, plan),
        psycopg.connect(handle.conninfo, autocommit=True) as connection,
        Wire(connection) as wire,
    ):
        wire.prepare(())
        yield set_up(wire, plan)


def drawn(seat: Seat, subjects: Sequence[Noun | Verb], profile: Profile, examples: int) -> list[Line]:
    """Every line of the programs drawn about these subjects."""
    lines: dict[str, Line] = {}
    programs = st.tuples(*(programs_about(subject, seat.vocabulary, profile) for subject in subjects))

    @seed(DEFAULT_SEED)
    @settings(
        max_examples=examples,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(programs)
    def draw(batch: tuple[Program, ...]) -> None:
        lines.update((line.sql, line) for program in batch for line in program.lines)

    draw()
    return list(lines.values())


def missaid(seat: Seat, lines: Sequence[Line]) -> dict[Line, Observation]:
    """The lines that the persona, or anybody, could not say at all."""
    answers = seat.scene.wire.run([(line.sql,) for line in lines])
    heard = zip(lines, (answer[-1] for answer in answers), strict=True)
    return {line: observation for line, observation in heard if observation.sqlstate in MISSAID}


def in_words(wrong: Mapping[Line, Observation]) -> str:
    return "\n".join(f"{observation.in_words()}\n  {line.sql}" for line, observation in wrong.items())


def sits_down(scene: Scene, seat: Seat) -> None:
    scene.wire.restart((*as_persona(scene.plan.identities[seat.persona.name]), TIMEOUT))


@pytest.mark.parametrize(
    ("path", "examples"),
    [
        pytest.param(SAAS, 3, marks=pytest.mark.thorough, id="workflow_saas"),
        pytest.param(NUMBERED, 15, marks=pytest.mark.thorough, id="numbered_full"),
        (STRANGERS / "quoted" / "quoted_full.tenancy.yaml", 5),
        pytest.param(STRANGERS / "guc" / "guc_full.tenancy.yaml", 15, marks=pytest.mark.thorough, id="guc_full"),
        (STRANGERS / "setof" / "setof_full.tenancy.yaml", 5),
    ],
    ids=lambda given: given.name.partition(".")[0] if isinstance(given, Path) else "",
)
def test_every_statement_of_every_program_can_be_said(path: Path, examples: int) -> None:
    with scene_of(path) as scene:
        for persona in scene.cast:
            seat = Seat(scene, persona, Tally())
            sits_down(scene, seat)
            for profile in Profile:
                wrong = missaid(seat, drawn(seat, seat.vocabulary.subjects, profile, examples))
                assert not wrong, in_words(wrong)


_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d\.\d+")
"""A time that a clock gave: those of seeded rows have no fractions of seconds."""


def _without_moments(text: str) -> str:
    return _MOMENT.sub("some time", text)


def _timeless(answer: Answer) -> Answer:
    """Without the moments at which the two databases were made: what triggers wrote down while they were seeded."""
    return tuple(
        replace(
            observation,
            rows=tuple(tuple(value and _without_moments(value) for value in row) for row in observation.rows),
            message=_without_moments(observation.message),
            detail=_without_moments(observation.detail),
        )
        for observation in answer
    )


@dataclass(frozen=True)
class Heard:
    """One script of a persona, and its answers, twice in a row."""

    script: tuple[str, ...]
    first: Answer
    again: Answer


class Recorder(Wire):
    """A wire that, once `heard` is a list, runs everything twice and notes what personas said and heard."""

    heard: list[Heard] | None = None

    def run(self, scripts: Sequence[Script]) -> list[tuple[Observation, ...]]:
        first = super().run(scripts)
        if self.heard is None:
            return first
        again = super().run(scripts)
        for script, one, two in zip(scripts, first, again, strict=True):
            said = tuple(line for line in script if not line.startswith("EXECUTE tenantproof_"))
            if as_observer() not in said:
                told = (_timeless(answer[: len(said)]) for answer in (one, two))
                self.heard.append(Heard(tuple(map(_without_moments, said)), *told))
        return first


def hunted(path: Path, attempts: int) -> tuple[list[Heard], Tally]:
    """What was heard in a search over a fresh database, and how it went."""
    with (
        seeded(path) as (handle, plan),
        psycopg.connect(handle.conninfo, autocommit=True) as connection,
        Recorder(connection) as entered,
    ):
        wire = cast(Recorder, entered)
        wire.prepare(())
        hunt = Hunt(set_up(wire, plan), Budget(attempts=4 * attempts, seed=DEFAULT_SEED))
        for persona in hunt.scene.cast:
            hunt.seat(persona)
        wire.heard = []
        for _ in hunt.sweep(lambda: hunt.tally.attempts >= attempts):
            pass
        return wire.heard, hunt.tally


@pytest.mark.parametrize(
    ("path", "attempts"),
    [
        pytest.param(SMALL, 100, id="small_app"),
        pytest.param(SAAS, 80, id="workflow_saas", marks=pytest.mark.thorough),
    ],
)
def test_the_same_seed_says_and_hears_the_same_on_another_database(path: Path, attempts: int) -> None:
    (heard, tally), (heard_again, tally_again) = (hunted(path, attempts) for _ in range(2))

    assert tally.attempts >= attempts
    for one, two in zip(heard, heard_again, strict=False):
        assert one.script == two.script
        told = interference(one.first, two.first, (one.again,))
        assert told is None, f"{one.script}\n{told}"
    assert len(heard) == len(heard_again)
    assert tally == tally_again


_SETVAL = re.compile(r"^SELECT pg_catalog\.setval\('([^']+)', (\d+), (?:true|false)\);$", re.MULTILINE)


def dump(handle: Handle) -> tuple[str, Mapping[str, str]]:
    """The whole database as text without the state of its sequences, and that state by name."""
    assert handle.psql is not None
    program = str(Path(handle.psql).with_name("pg_dump"))
    done = subprocess.run([program, "--restrict-key=x", handle.conninfo], capture_output=True, text=True, check=True)
    return _SETVAL.sub("", done.stdout), {found[1]: found[0] for found in _SETVAL.finditer(done.stdout)}


@pytest.mark.parametrize(
    ("path", "attempts", "moving"),
    [
        pytest.param(SAAS, 5000, set(), id="workflow_saas", marks=pytest.mark.thorough),
        pytest.param(SMALL, 300, set(), id="small_app"),
        pytest.param(BAD, 150, {"public.computed_id_seq", "public.computed_serial_no_seq"}, id="bad_input"),
    ],
)
def test_a_search_leaves_the_database_as_it_was_but_for_sequences(path: Path, attempts: int, moving: set[str]) -> None:
    """PostgreSQL does not roll sequences back (docs: "Sequence Manipulation Functions"): *moving* are those."""
    with seeded(path) as (handle, plan):
        before, sequences = dump(handle)
        with psycopg.connect(handle.conninfo, autocommit=True) as connection, Wire(connection) as wire:
            wire.prepare(())
            hunt = Hunt(set_up(wire, plan), Budget(attempts=2 * attempts, seed=DEFAULT_SEED))
            for _ in hunt.sweep(lambda: hunt.tally.attempts >= attempts):
                pass
        after, moved = dump(handle)

    assert hunt.tally.attempts >= attempts
    assert hunt.tally.passed > attempts / 4
    assert before == after
    assert moved.keys() == sequences.keys()
    assert {name for name in moved if moved[name] != sequences[name]} == moving


def test_a_world_that_the_database_refuses_tells_nothing() -> None:
    """Part of what it accepts may violate a constraint: then others are heard all the same, and the search goes on."""
    with scene_of(SMALL) as scene:
        seat = Seat(scene, scene.cast[0], Tally())
        world = next(world for world in seat.worlds if world.happenings)
        refused = world.only([replace(world.happenings[0], sql="SELECT 1/0")])
        program = next(iter(obvious_reads(seat.vocabulary)))
        assert seat.arena.learned(program, [refused, world, refused]) == [
            None,
            *seat.arena.learned(program, [world]),
            None,
        ]
        assert seat.arena.in_turn(program, refused) is None
        assert seat.arena.in_turn(program, world) is not None

        seat.arena.worlds = (replace(refused, name="a refused one"), world)
        pairs = seat.arena.tally.pairs
        assert seat.arena.run([program]) == ([], [])
        assert [left.name for left in seat.arena.worlds] == [world.name]
        assert seat.arena.tally.given_up == {"a refused one": seat.persona.name}
        assert seat.arena.tally.pairs == pairs + 1


@pytest.mark.parametrize("shape", ["odd_names", "groups_in_organizations"])
def test_a_default_that_only_a_user_has_stops_no_search(shape: str) -> None:
    """A row of others without a number of its own cannot be added by the observer there; and a ULID is not guessed."""
    report = check(ROOT / "fixtures" / "shapes" / shape / "by_hand.tenancy.yaml", attempts=20)
    assert report.search is not None
    assert not report.gating(Severity.MEDIUM)


@pytest.fixture(scope="module")
def bad_report() -> Report:
    return check(BAD, attempts=500)


def test_bad_input_ends_with_a_report_and_no_alarm(bad_report: Report) -> None:
    assert not bad_report.gating(Severity.MEDIUM)
    assert bad_report.search is not None
    assert bad_report.search.attempts >= 500
    assert bad_report.search.passed > bad_report.search.failed


NOT_CALLED = {
    "calls_dblink": "dblink",
    "calls_dblink_by_text": "dblink",
    "calls_another": "in public.calls_dblink",
    'Calls In "Quotes"': "sleeps",
    "calls_in_quotes": "sleeps",
    "forgets": "prepared",
    "sleeps": "sleeps",
    "sets_a_sequence": "sequence",
    "makes_a_large_object": "large objects",
    "sends": "HTTP",
    "locks": "session locks",
    "commits": "procedure",
    "takes_anything_and_many": "internal",
}
GIVEN_UP = {  # the function hangs(), not the table of that name
    "hangs": "statement timeout",
    "hangs_on_others": "statement timeout",
    "recurses": "stack depth",
    "floods": "100000 rows",
}


@pytest.mark.parametrize(("name", "word"), [*NOT_CALLED.items(), *GIVEN_UP.items()])
def test_what_was_not_called_or_given_up_is_named_with_the_reason(bad_report: Report, name: str, word: str) -> None:
    reasons = [gap.reason for gap in bad_report.gaps if gap.object.partition("(")[0] == f"public.{name}"]
    assert len(reasons) == 1
    assert word in reasons[0]


def test_all_other_functions_are_called(bad_report: Report) -> None:
    named = {gap.object.partition("(")[0].removeprefix("public.") for gap in bad_report.gaps}
    assert named == NOT_CALLED.keys() | GIVEN_UP.keys()


def test_a_table_is_not_left_out_for_a_function_of_its_name(bad_report: Report) -> None:
    assert "public.hangs()" in {gap.object for gap in bad_report.gaps}
    assert "public.hangs" not in {gap.object for gap in bad_report.gaps}


def timed_out(subject: str, *, called: bool) -> tuple[Program, Answer]:
    line = Line(sql="SELECT 1", shape="x", subject=QName("public", subject), calls=called)
    return Program(lines=(line,)), (Observation(sqlstate="57014", message="statement timeout"),)


def test_a_subject_is_given_up_when_it_hangs_again() -> None:
    """Once may be the machine's fault."""
    tally = Tally()
    tally.count(*timed_out("hangs", called=True))
    tally.count(*timed_out("hangs", called=False))
    assert not tally.slow
    tally.count(*timed_out("hangs", called=True))
    assert tally.slow.keys() == {(QName("public", "hangs"), True)}


def test_tables_around_the_bad_ones_are_isolated_and_the_bad_ones_say_why(bad_report: Report) -> None:
    for cell in bad_report.cells:
        if cell.object in ("public.teams", "public.drafts", "public.oddities", "public.computed"):
            assert cell.verdict is Verdict.ISOLATED, cell
        if cell.verdict in (Verdict.UNTESTED, Verdict.ERROR):
            assert cell.reason, cell
    unfilled = {str(found.relation) for found in bad_report.unseeded}
    assert "public.impossible" in unfilled


ODD = ("oddities", "drafts")
"""Tables that are asked more often: columns without an equality, money, a partial unique index."""


@pytest.fixture(scope="module")
def missaid_in_bad_input() -> Iterator[Mapping[Line, Observation]]:
    with scene_of(BAD) as scene:
        seat = Seat(scene, next(who for who in scene.cast if who.name == "acme.admin"), Tally())
        sits_down(scene, seat)
        everything = seat.vocabulary.subjects
        odd = [subject for subject in everything if subject.name.name in ODD]
        lines = [line for profile in Profile for line in drawn(seat, everything, profile, examples=10)]
        lines += drawn(seat, odd, Profile.SQL, examples=100)
        yield missaid(seat, [line for line in lines if line.subject.name not in GIVEN_UP])


def test_odd_signatures_types_and_names_can_be_spoken_of(missaid_in_bad_input: Mapping[Line, Observation]) -> None:
    assert not missaid_in_bad_input, in_words(missaid_in_bad_input)


ODD_TABLES = {
    "no column": "create table public.nothing ();",
    "a number with a prefix": """
create sequence public.numbers;
alter table public.notes add number text not null default 'INV-' || nextval('public.numbers');
grant usage on sequence public.numbers to authenticated;
""",
}


@pytest.mark.parametrize("name", ODD_TABLES)
def test_odd_tables_do_not_end_the_check(tmp_path: Path, name: str) -> None:
    (tmp_path / "odd.sql").write_text(ODD_TABLES[name])
    assert not check(SMALL, patches=[tmp_path / "odd.sql"], attempts=100).gating(Severity.MEDIUM)


WRECKS = """
create function public.wrecks_others() returns void language sql security definer as $$
  update public.notes set body = body || '!' $$;
"""
FORGETS = """
create function public.forgets() returns void language plpgsql as $$ begin execute 'deal' || 'locate all'; end $$;
"""
"""In words that cannot be read from its text: it is called, and the arena has to prepare its question anew."""


@pytest.mark.parametrize("forgets", ["", FORGETS], ids=["", "deallocate all"])
def test_damage_is_seen_whatever_a_function_does_to_the_session(tmp_path: Path, forgets: str) -> None:
    (tmp_path / "odd.sql").write_text(WRECKS + forgets)
    report = check(SMALL, patches=[tmp_path / "odd.sql"], attempts=150)
    assert "public.wrecks_others" in {finding.object for finding in report.findings}
    assert "public.forgets" not in {gap.object.partition("(")[0] for gap in report.gaps}


def relation(*, parent: QName | None = None, triggers: bool = False) -> Relation:
    key = Constraint(name="k", kind=ConstraintKind.FOREIGN, columns=("a",), definition="", references=parent)
    fires = Trigger(
        name="t",
        timing="AFTER",
        events=("UPDATE",),
        row=True,
        function=QName("public", "f"),
        enabled=True,
        definition="",
    )
    return Relation(
        name=QName("public", "notes"),
        kind=RelationKind.TABLE,
        owner="postgres",
        rls=True,
        force_rls=False,
        columns=(),
        constraints=(key,) if parent else (),
        triggers=(fires,) if triggers else (),
    )


@pytest.mark.parametrize(
    ("parent", "triggers", "tangled"),
    [(None, False, False), ("orgs", False, False), ("notes", False, True), (None, True, True), ("orgs", True, True)],
)
def test_a_relation_is_tangled_by_triggers_and_by_referring_to_itself(
    parent: str | None, triggers: bool, tangled: bool
) -> None:
    name = QName("public", parent) if parent else None
    found = relation_parents(relation(parent=name, triggers=triggers))
    assert found == Hanging(parents=frozenset({name} if name else ()), tangled=tangled)
