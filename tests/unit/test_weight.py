"""How much a difference tells, over a small plan without a database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

import pytest

from tenantproof.core.attempt import Change, Observation
from tenantproof.core.catalog import Catalog, Column, Constraint, ConstraintKind, Index, Relation, RelationKind
from tenantproof.core.finding import Property, Reach, Severity
from tenantproof.core.model import (
    Command,
    Database,
    Locator,
    Membership,
    Platform,
    QName,
    Scenario,
    Tenancy,
)
from tenantproof.core.program import Line, Program, Variation
from tenantproof.core.world import Manifest, Row, World
from tenantproof.engine.interference.catch import Catch, Mechanism, Root
from tenantproof.engine.interference.elsewhere import Elsewhere
from tenantproof.engine.interference.happening import Happening, Target
from tenantproof.engine.interference.scene import Scene, Seat
from tenantproof.engine.interference.weight import Weight, is_serial, reach_of, severity_of, shows_content, weight_of
from tenantproof.engine.plan import Plan
from tenantproof.properties.border import Side
from tenantproof.properties.integrity import Breach

ORGS, USERS, MEMBERS, NOTES, SHARES = (
    QName("public", name) for name in ("orgs", "users", "members", "notes", "shares")
)
CANARY = "canary-globex-1"
TELLING = "somebody@globex.test"
WITHHELD = "what colleagues wrote"


def column(name: str, *, base: str = "text", default: str | None = None, identity: str = "") -> Column:
    return Column(
        name=name,
        position=1,
        type=base,
        base_type=f"pg_catalog.{base}",
        category="N" if base == "int4" else "U" if base == "uuid" else "S",
        default=default,
        identity=identity,
    )


def table(name: QName, columns: list[Column], constraints: list[Constraint], indexes: list[Index]) -> Relation:
    return Relation(
        name=name,
        kind=RelationKind.TABLE,
        owner="postgres",
        rls=True,
        force_rls=False,
        columns=tuple(columns),
        constraints=tuple(constraints),
        indexes=tuple(indexes),
    )


def key(name: str, *columns: str) -> Constraint:
    return Constraint(name=name, kind=ConstraintKind.PRIMARY, columns=columns, definition="")


def unique(name: str, *columns: str) -> Index:
    return Index(name=name, columns=columns, unique=True, primary=False)


def refers(name: str, own: str, parent: QName, theirs: str = "id") -> Constraint:
    return Constraint(
        name=name,
        kind=ConstraintKind.FOREIGN,
        columns=(own,),
        definition="",
        references=parent,
        ref_columns=(theirs,),
    )


RELATIONS = (
    table(
        ORGS,
        [column("id", base="uuid"), column("slug"), column("name")],
        [key("orgs_pkey", "id")],
        [unique("orgs_pkey", "id"), unique("orgs_slug_key", "slug")],
    ),
    table(
        USERS,
        [column("id", base="uuid"), column("email")],
        [key("users_pkey", "id")],
        [unique("users_email_key", "email")],
    ),
    table(
        MEMBERS,
        [column("org_id", base="uuid"), column("user_id", base="uuid")],
        [refers("members_user_id_fkey", "user_id", USERS)],
        [],
    ),
    table(
        NOTES,
        [
            column("id", base="int4", identity="d"),
            column("org_id", base="uuid"),
            column("slug"),
            column("share_token"),
            column("ref", base="uuid"),
        ],
        [key("notes_pkey", "id"), refers("notes_org_id_fkey", "org_id", ORGS)],
        [
            unique("notes_pkey", "id"),
            unique("notes_slug_key", "slug"),
            unique("notes_org_slug_key", "org_id", "slug"),
            unique("notes_share_token_key", "share_token"),
            unique("notes_ref_key", "ref"),
            unique("shared_name", "slug"),
        ],
    ),
    table(
        SHARES,
        [column("note_id", base="int4"), column("slug"), column("token")],
        [refers("shares_note_id_fkey", "note_id", NOTES), refers("shares_slug_fkey", "slug", NOTES, "slug")],
        [unique("shared_name", "token")],
    ),
)


def scene(platform: Platform = Platform.SUPABASE) -> Scene:
    by_org = Tenancy(tenant=Locator(path=("org_id",)))
    membership = Membership(table=MEMBERS, user="user_id", tenant="org_id")
    plan = Plan(
        catalog=Catalog(server_version=180000, relations={relation.name: relation for relation in RELATIONS}),
        scenario=Scenario(
            name="s",
            path="s.yaml",
            database=Database(platform=platform, migrations=()),
            tenants=(),
            memberships=(membership,),
        ),
        tenancy={ORGS: Tenancy(tenant=Locator(path=("id",))), MEMBERS: by_org, NOTES: by_org},
        manifest=(manifest := Manifest(seed=1, tenant_ids={}, canaries={}, personas=())),
        world=World(manifest=manifest, rows={}, tenancy={}),
        identities={},
    )
    return cast(Scene, Stage(plan))


@dataclass
class Stage:
    """As much of a scene as weighing looks at."""

    plan: Plan


@dataclass
class Chair:
    """As much of a seat as weighing looks at."""

    scene: Scene
    canaries: tuple[str, ...] = (CANARY,)
    telling: Mapping[Side, frozenset[str]] = field(
        default_factory=lambda: {Side.FOREIGN: frozenset({TELLING}), Side.INSIDE: frozenset({WITHHELD})}
    )


def seat(platform: Platform = Platform.SUPABASE) -> Seat:
    return cast(Seat, Chair(scene(platform)))


def rows(*values: str | None) -> Observation:
    return Observation(rows=tuple((value,) for value in values), count=len(values))


def taken(constraint: str, sqlstate: str = "23505") -> Observation:
    return Observation(sqlstate=sqlstate, message="refused", constraint=constraint)


def caught(
    first: Observation,
    second: Observation,
    *,
    text: str = "SELECT 1",
    mechanism: Mechanism = Mechanism.READ,
    about: QName = NOTES,
    writes: Command | None = None,
    changed: QName | None = NOTES,
    inside: bool = False,
    targets: tuple[Target, ...] = (),
    known: frozenset[str] = frozenset(),
    reach: Reach = Reach.API,
    breaches: tuple[Breach, ...] = (),
) -> Catch:
    happened = (Happening(relation=changed, words="changed", sql=""),) if changed else ()
    line = Line(
        sql=text, shape="x", subject=about, relations=(about,), writes=(about, writes) if writes else None, reach=reach
    )
    return Catch(
        property=Property.INTEGRITY if breaches else Property.CONFIDENTIALITY,
        root=Root(mechanism=mechanism, object=about),
        program=Program(lines=(line,), known=known),
        first=(first,),
        second=(second,),
        world=Elsewhere(name="elsewhere", happenings=happened, inside=inside, targets=targets),
        breaches=breaches,
    )


@pytest.mark.parametrize(
    "told",
    [
        rows(f"… {CANARY} …"),
        rows(TELLING),
        Observation(sqlstate="P0001", message=f"no, ask {TELLING}"),
        Observation(sqlstate="23505", detail=f"Key (slug)=({CANARY}) already exists."),
        Observation(sqlstate="P0001", hint=CANARY),
        Observation(notices=(f"NOTICE: {TELLING} was here",)),
    ],
)
def test_text_of_others_is_content_wherever_it_is_shown(told: Observation) -> None:
    found = caught(rows(), told)
    assert shows_content(seat(), found.program, (rows(), told), inside=False)
    assert weight_of(seat(), found) is Weight.CONTENT


def test_what_stood_in_the_question_is_no_content() -> None:
    for asked in (CANARY, TELLING):
        program = caught(rows(), rows(), text=f"SELECT '{asked}'").program
        assert not shows_content(seat(), program, (rows(asked),), inside=False)
        varied = Program(lines=caught(rows(), rows()).program.lines, variation=Variation(settings=(("h", asked),)))
        assert not shows_content(seat(), varied, (rows(asked),), inside=False)


def test_a_telling_text_inside_a_longer_value_of_ones_own_is_no_content() -> None:
    assert not shows_content(seat(), caught(rows(), rows()).program, (rows(f"x{TELLING}x"),), inside=False)


def test_inside_the_tenant_content_is_what_was_withheld_there() -> None:
    """Withheld texts are no border crossed: only a world that changes them weighs them as content."""
    assert weight_of(seat(), caught(rows(), rows(WITHHELD), inside=True)) is Weight.CONTENT
    assert weight_of(seat(), caught(rows(), rows(WITHHELD))) is Weight.FACT


@pytest.mark.parametrize(
    ("constraint", "weight"),
    [
        ("notes_slug_key", Weight.FACT),
        ("notes_org_slug_key", Weight.NOTHING),
        ("notes_pkey", Weight.VOLUME),
        ("notes_ref_key", Weight.NOTHING),
        ("notes_share_token_key", Weight.NOTHING),
        ("orgs_slug_key", Weight.COARSE),
        ("orgs_pkey", Weight.NOTHING),
        ("users_email_key", Weight.COARSE),
        ("notes_org_id_fkey", Weight.NOTHING),
        ("shares_note_id_fkey", Weight.VOLUME),
        ("shares_slug_fkey", Weight.FACT),
        ("nobody_knows_it", Weight.FACT),
    ],
)
def test_a_key_that_is_taken_weighs_by_how_it_can_be_guessed(constraint: str, weight: Weight) -> None:
    found = caught(rows(), taken(constraint), mechanism=Mechanism.CONSTRAINT, writes=Command.INSERT)
    assert weight_of(seat(), found) is weight


def test_a_constraint_is_that_of_the_relation_written_to() -> None:
    """The names of constraints are unique in a table, those of indexes in a schema."""
    for about, weight in ((NOTES, Weight.FACT), (SHARES, Weight.NOTHING)):
        found = caught(rows(), taken("shared_name"), mechanism=Mechanism.CONSTRAINT, about=about, writes=Command.INSERT)
        assert weight_of(seat(), found) is weight


@pytest.mark.parametrize(
    ("numbered", "serial"),
    [
        (column("n", base="int4", identity="a"), True),
        (column("n", base="int4", default="nextval('n_seq'::regclass)"), True),
        (column("n", base="int4", default="1"), False),
        (column("n", default="'INV-' || nextval('n_seq'::regclass)"), False),
    ],
    ids=["identity", "serial", "plain", "a number with a prefix"],
)
def test_a_serial_is_a_number_of_a_sequence(numbered: Column, serial: bool) -> None:
    """Its values are compared and moved as numbers: a text that holds one is none."""
    assert is_serial(numbered) is serial


def test_one_bit_about_an_id_that_one_was_given_is_coarse_and_without_it_a_fact() -> None:
    assert weight_of(seat(), caught(rows("t"), rows("f"), known=frozenset({"some-id"}))) is Weight.COARSE
    assert weight_of(seat(), caught(rows("t"), rows("f"))) is Weight.FACT


def test_more_than_one_bit_is_a_fact_whatever_was_known() -> None:
    found = caught(rows("1", "2"), rows("1"), known=frozenset({"some-id"}))
    assert weight_of(seat(), found) is Weight.FACT


@pytest.mark.parametrize(("changed", "weight"), [(ORGS, Weight.COARSE), (USERS, Weight.COARSE), (NOTES, Weight.FACT)])
def test_that_a_name_of_a_tenant_or_a_user_is_taken_is_inherent(changed: QName, weight: Weight) -> None:
    assert weight_of(seat(), caught(rows("t"), rows("f"), changed=changed)) is weight


@pytest.mark.parametrize(("about", "weight"), [(NOTES, Weight.FACT), (ORGS, Weight.COARSE)])
def test_doing_nothing_on_a_conflict_weighs_as_the_most_telling_key_without_the_tenant(
    about: QName, weight: Weight
) -> None:
    text = "INSERT … ON CONFLICT DO NOTHING"
    done, nothing = Observation(count=1), Observation(count=0)
    found = caught(done, nothing, text=text, mechanism=Mechanism.WRITE, about=about, writes=Command.INSERT)
    assert weight_of(seat(), found) is weight


@pytest.mark.parametrize(
    ("target", "weight"),
    [
        (Target(relation=NOTES, key=("1",), columns=("id",)), Weight.FACT),
        (Target(relation=NOTES, key=("1",), columns=("ref",)), Weight.NOTHING),
        (Target(relation=NOTES, key=("1",), columns=("ref",), seen=True), Weight.FACT),
    ],
)
def test_rows_that_others_hung_on_to_weigh_by_what_they_had_to_know(target: Target, weight: Weight) -> None:
    assert weight_of(seat(), caught(rows("t"), rows("f"), targets=(target,))) is weight


CONTENT = (rows(), rows(CANARY))
FACT = (rows("1"), rows("2"))


@pytest.mark.parametrize(
    ("pair", "inside", "reach", "severity"),
    [
        (CONTENT, False, Reach.API, Severity.CRITICAL),
        (CONTENT, False, Reach.SQL, Severity.HIGH),
        (CONTENT, True, Reach.API, Severity.MEDIUM),
        (FACT, False, Reach.API, Severity.MEDIUM),
        (FACT, False, Reach.SQL, Severity.MEDIUM),
        (FACT, True, Reach.API, Severity.LOW),
    ],
)
def test_severity_follows_weight_border_and_reach(
    pair: tuple[Observation, Observation], inside: bool, reach: Reach, severity: Severity
) -> None:
    assert severity_of(seat(), caught(*pair, inside=inside, reach=reach)) is severity


def test_what_tells_nothing_is_no_finding() -> None:
    assert severity_of(seat(), caught(rows(), taken("notes_ref_key"), writes=Command.INSERT)) is None


def test_volume_is_low_and_becomes_the_sequences() -> None:
    found = caught(rows(), taken("notes_pkey"), mechanism=Mechanism.CONSTRAINT, writes=Command.INSERT)
    assert severity_of(seat(), found) is Severity.LOW
    assert found.root.mechanism is Mechanism.SEQUENCE


def breach(*, crosses: bool, raised: bool = False) -> tuple[Breach, ...]:
    row = Row(key=("1",), tenant="g")
    return (Breach(change=Change(relation=NOTES, before=row, after=row), row=row, crosses=crosses, raised=raised),)


@pytest.mark.parametrize(
    ("crosses", "raised", "reach", "severity"),
    [
        (True, False, Reach.API, Severity.CRITICAL),
        (True, False, Reach.SQL, Severity.HIGH),
        (False, False, Reach.API, Severity.MEDIUM),
        (False, True, Reach.SQL, Severity.CRITICAL),
    ],
)
def test_damage_weighs_by_border_role_and_reach(crosses: bool, raised: bool, reach: Reach, severity: Severity) -> None:
    found = caught(rows(), rows(), breaches=breach(crosses=crosses, raised=raised), reach=reach)
    assert severity_of(seat(), found) is severity


def test_without_an_api_everything_needs_sql() -> None:
    program = caught(rows(), rows(), reach=Reach.API).program
    assert reach_of(scene(Platform.SUPABASE), program) is Reach.API
    assert reach_of(scene(Platform.POSTGRES), program) is Reach.SQL
    assert severity_of(seat(Platform.POSTGRES), caught(*CONTENT)) is Severity.HIGH
