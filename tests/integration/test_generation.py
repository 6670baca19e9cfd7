"""The search itself on real databases: what is drawn can be said, what is seen can be seen again, nothing stays."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import time

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tenantproof.api import check
from tenantproof.catalog.inference import infer_tenancy
from tenantproof.catalog.introspection import introspect
from tenantproof.core.attempt import Observation
from tenantproof.core.finding import Verdict
from tenantproof.core.model import Scenario
from tenantproof.core.ports import Handle
from tenantproof.core.program import Answer, Line, Program
from tenantproof.core.report import Report
from tenantproof.core.seeds import DEFAULT_SEED
from tenantproof.engine.consulted import consulted_by
from tenantproof.engine.interference.arena import Tally
from tenantproof.engine.interference.hunt import Budget, Hunt
from tenantproof.engine.interference.scene import Scene, Seat, set_up
from tenantproof.engine.plan import Plan
from tenantproof.engine.replay import timeless
from tenantproof.engine.scripts import as_observer, as_persona
from tenantproof.engine.wire import Script, Wire
from tenantproof.generation.programs import Profile, programs_about
from tenantproof.identity.personas import personas, without_dual
from tenantproof.identity.sessions import identify
from tenantproof.identity.signing import Signer
from tenantproof.properties.confidentiality import interference
from tenantproof.scenario import load_scenario
from tenantproof.seeding import can_hold_dual, read_world
from tenantproof.seeding import seed as seed_world
from tenantproof.targets.embedded import EmbeddedTarget

ROOT = Path(__file__).parents[2]
SAAS = ROOT / "scenarios" / "workflow_saas.tenancy.yaml"
STRANGERS = ROOT / "fixtures" / "strangers"
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


def drawn(seat: Seat, profile: Profile, examples: int) -> list[Line]:
    """Every line of the programs drawn about every subject that the persona can speak of."""
    lines: dict[str, Line] = {}
    subjects = seat.vocabulary.subjects
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
    "path",
    [
        SAAS,
        *(STRANGERS / name for name in ("quoted/quoted_full.tenancy.yaml", "numbered/numbered_full.tenancy.yaml")),
        *(STRANGERS / name for name in ("guc/guc_full.tenancy.yaml", "setof/setof_full.tenancy.yaml")),
    ],
    ids=lambda path: path.name.partition(".")[0],
)
def test_every_statement_of_every_program_can_be_said(path: Path) -> None:
    with scene_of(path) as scene:
        for persona in scene.cast:
            seat = Seat(scene, persona, Tally())
            sits_down(scene, seat)
            for profile in Profile:
                wrong = missaid(seat, drawn(seat, profile, examples=15))
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
        Recorder(connection) as wire,
    ):
        wire.prepare(())
        hunt = Hunt(set_up(wire, plan), Budget(attempts=4 * attempts, seed=DEFAULT_SEED))
        for persona in hunt.scene.cast:
            hunt.seat(persona)
        wire.heard = []
        for _ in hunt.sweep(lambda: hunt.tally.attempts >= attempts):
            pass
        return wire.heard, hunt.tally


@pytest.mark.parametrize("path", [SMALL, SAAS], ids=["small_app", "workflow_saas"])
def test_the_same_seed_says_and_hears_the_same_on_another_database(path: Path) -> None:
    (heard, tally), (heard_again, tally_again) = (hunted(path, 400) for _ in range(2))

    assert tally.attempts > 300
    for one, two in zip(heard, heard_again, strict=False):
        assert one.script == two.script
        told = interference(one.first, two.first, (one.again,))
        assert told is None, f"{one.script}\n{told}"
    assert len(heard) == len(heard_again)
    assert tally == tally_again


SEQUENCES = frozenset({"auth.refresh_tokens_id_seq"})
"""What 5,000 attempts on workflow_saas may leave behind: PostgreSQL does not roll sequences back
(docs: "Sequence Manipulation Functions")."""

_SETVAL = re.compile(r"^SELECT pg_catalog\.setval\('([^']+)', (\d+), (?:true|false)\);$", re.MULTILINE)


def dump(handle: Handle) -> tuple[str, Mapping[str, str]]:
    """The whole database as text without the state of its sequences, and that state by name."""
    assert handle.psql is not None
    program = str(Path(handle.psql).with_name("pg_dump"))
    done = subprocess.run([program, "--restrict-key=x", handle.conninfo], capture_output=True, text=True, check=True)
    return _SETVAL.sub("", done.stdout), {found[1]: found[0] for found in _SETVAL.finditer(done.stdout)}


def test_a_search_leaves_the_database_as_it_was_but_for_sequences() -> None:
    with seeded(SAAS) as (handle, plan):
        before, sequences = dump(handle)
        with psycopg.connect(handle.conninfo, autocommit=True) as connection, Wire(connection) as wire:
            wire.prepare(())
            hunt = Hunt(set_up(wire, plan), Budget(attempts=6000, seed=DEFAULT_SEED))
            for _ in hunt.sweep(lambda: hunt.tally.attempts >= 5000):
                pass
        after, moved = dump(handle)

    assert hunt.tally.attempts >= 5000
    assert hunt.tally.passed > 1000
    assert before == after
    assert moved.keys() == sequences.keys()
    assert {name for name in moved if moved[name] != sequences[name]} == SEQUENCES


def missaid_of(found: Mapping[Line, Observation], *names: str) -> str:
    """In words, those about the relations and functions of these names; all where none is given."""
    return in_words({line: said for line, said in found.items() if not names or line.subject.name in names})
