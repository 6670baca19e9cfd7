"""The catalogue of channels: documented, quoted, and quiet where the persona holds no privilege."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tenantproof.channels.matrix
from tenantproof.channels import registry, statements
from tenantproof.channels.columns import anchors, bearings, harmless, plain_columns
from tenantproof.channels.registry import CHANNELS, Channel
from tenantproof.channels.stand import Stand
from tenantproof.core.attempt import Attempt, Form
from tenantproof.core.catalog import Column, Constraint, ConstraintKind, Index, Relation, RelationKind
from tenantproof.core.errors import UsageError
from tenantproof.core.model import (
    Command,
    Database,
    Locator,
    Member,
    Membership,
    Persona,
    PersonaKind,
    Platform,
    QName,
    Scenario,
    Tenancy,
)
from tenantproof.core.world import Draft, Row
from tenantproof.oracle.entitlement import Oracle, Stance
from tenantproof.targets.statements import split, without_comments

DOCS = Path(__file__).parents[2] / "docs" / "channels.md"
FAMILIES: tuple[ModuleType, ...] = (tenantproof.channels.matrix,)
"""Importing a family fills the catalogue."""
PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE")
ALL = frozenset((privilege, None) for privilege in PRIVILEGES)

IDS = {"acme": "a-id", "globex": "g-id"}
MEMBER = Persona(
    name="acme.member",
    kind=PersonaKind.MEMBER,
    user_id="u-me",
    memberships=(Member(tenant="acme", role="member"),),
)
ANON = Persona(name="anon", kind=PersonaKind.ANON)
ROLES = ("owner", "member", "viewer")
SEATS = QName("public", "seats")


def column(name: str, position: int, *, identity: str = "", generated: bool = False) -> Column:
    return Column(
        name=name,
        position=position,
        type="text",
        base_type="pg_catalog.text",
        category="S",
        identity=identity,
        generated=generated,
    )


def key(name: str, kind: ConstraintKind, *columns: str, refers: str = "") -> Constraint:
    references = QName("public", refers) if refers else None
    return Constraint(name=name, kind=kind, columns=columns, definition="", references=references)


def table(
    *names: str, constraints: tuple[Constraint, ...] = (), name: QName = SEATS, partition_key: str = ""
) -> Relation:
    primary = key("pk", ConstraintKind.PRIMARY, names[0])
    return Relation(
        name=name,
        kind=RelationKind.TABLE,
        owner="o",
        rls=True,
        force_rls=False,
        columns=tuple(column(each, position) for position, each in enumerate(names, 1)),
        constraints=(primary, *constraints),
        indexes=(Index(name="pk", columns=(names[0],), unique=True, primary=True),),
        partition_key=partition_key,
    )


NAMES = ("id", "org", "who", "role", "note")


def stand(
    privileges: frozenset[tuple[str, str | None]] = ALL,
    *,
    persona: Persona = MEMBER,
    names: tuple[str, str, str, str, str] = NAMES,
    relation: QName = SEATS,
    value: str = "text",
) -> Stand:
    """A persona before a membership table (the one that every channel has something to try on)."""
    id_, org, who, role, note = names
    made = table(*names, name=relation)
    tenancy = Tenancy(tenant=Locator(path=(org,)), owner=Locator(path=(who,)))
    scenario = Scenario(
        name="s", path="s.yaml", database=Database(platform=Platform.POSTGRES, migrations=()), tenants=()
    )
    rows = (
        Row(key=("1",), tenant="a-id", owner="u-me"),
        Row(key=("2",), tenant="a-id", owner="u-colleague"),
        Row(key=("3",), tenant="g-id", owner="u-globex"),
    )
    drafts = tuple(
        Draft(
            relation=relation,
            tenant=tenant,
            owner=owner,
            values={id_: f"new-{tenant}", org: tenant, who: owner, role: "viewer", note: value},
        )
        for tenant, owner in (("a-id", "u-colleague"), ("g-id", "u-globex"))
    )
    return Stand(
        persona=persona,
        relation=made,
        through=relation,
        visible=frozenset(names),
        tenancy=tenancy,
        rows=rows,
        drafts=drafts,
        oracle=Oracle(scenario, {relation: tenancy}, IDS),
        tenant_ids=IDS,
        privileges=privileges,
        consulted=False,
        watch=dict.fromkeys(Command, (relation,)),
        referring=(),
        plain_columns=plain_columns(made),
        membership=Membership(table=relation, user=who, tenant=org, role=role),
        roles=ROLES,
    )


def attempts(at: Stand) -> Iterator[Attempt]:
    for channel in CHANNELS.values():
        yield from channel.attempts(at)


EACH = pytest.mark.parametrize("channel", CHANNELS.values(), ids=CHANNELS)


class TestCatalogue:
    @EACH
    def test_every_channel_is_described_for_the_person_who_reads_a_report(self, channel: Channel) -> None:
        assert channel.title.format(object="public.notes").endswith(".")
        assert "public.notes" in channel.title.format(object="public.notes")
        assert channel.fix.endswith((".", ")"))
        assert len(channel.explanation) > 60
        assert channel.cwe > 0

    @EACH
    def test_every_channel_has_an_entry_in_the_docs(self, channel: Channel) -> None:
        assert f"`{channel.id}`" in DOCS.read_text() or f"# {channel.id}" in DOCS.read_text()

    @EACH
    def test_ids_are_fit_for_an_accept_list(self, channel: Channel) -> None:
        assert channel.id == channel.id.upper()
        assert set(channel.id) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ-")
        assert CHANNELS[channel.id] is channel is registry.find(channel.id)

    def test_a_duplicate_is_refused(self) -> None:
        enter = registry.channel("READ", command=Command.SELECT, title="{object}", fix="")
        with pytest.raises(ValueError, match="READ"):
            enter(lambda _stand: iter(()))
        assert CHANNELS["READ"].title != "{object}"

    def test_an_unknown_id_gets_the_nearest(self) -> None:
        with pytest.raises(UsageError, match="no channel 'UPDATE-MOV': did you mean 'UPDATE-MOVE'"):
            registry.find("UPDATE-MOV")

    def test_every_command_is_attempted(self) -> None:
        assert {channel.command for channel in CHANNELS.values()} == set(Command)


class TestAttempts:
    @EACH
    def test_every_channel_has_something_to_try_before_a_membership_table(self, channel: Channel) -> None:
        found = list(channel.attempts(stand()))
        assert found
        assert {(a.channel, a.command, a.relation) for a in found} == {(channel.id, channel.command, SEATS)}
        assert all(a.aim for a in found)
        assert len({(a.sql, a.stage) for a in found}) == len(found)

    @EACH
    @pytest.mark.parametrize("persona", [MEMBER, ANON], ids=lambda persona: persona.name)
    def test_without_privileges_a_statement_only_witnesses_the_refusal(
        self, channel: Channel, persona: Persona
    ) -> None:
        """At most one, and with nothing in it that anything but the missing privilege could refuse."""
        found = list(channel.attempts(stand(frozenset(), persona=persona)))
        assert len(found) <= 1
        assert all("'" not in attempt.sql and attempt.stage is None for attempt in found)

    @EACH
    @pytest.mark.parametrize("missing", PRIVILEGES)
    def test_a_missing_privilege_never_adds_attempts(self, channel: Channel, missing: str) -> None:
        whole, less = (list(channel.attempts(stand(held))) for held in (ALL, ALL - {(missing, None)}))
        assert len(less) <= len(whole)

    @given(st.sets(st.sampled_from(NAMES)))
    def test_an_update_sets_only_columns_that_the_role_may_set(self, granted: set[str]) -> None:
        held = frozenset(("UPDATE", name) for name in granted) | {("SELECT", None), ("INSERT", None)}
        for attempt in attempts(stand(frozenset(held))):
            if attempt.form in (Form.BLIND, Form.FILTERED) and attempt.command is Command.UPDATE and granted:
                assignments = attempt.sql.partition(" SET ")[2].partition(" WHERE ")[0]
                assert {part.split(" = ")[0].strip('"') for part in assignments.split(", ")} <= granted

    @given(st.sets(st.sampled_from(NAMES), min_size=1))
    def test_an_insert_names_only_columns_that_the_role_may_fill(self, granted: set[str]) -> None:
        held = frozenset(("INSERT", name) for name in granted)
        for attempt in CHANNELS["INSERT"].attempts(stand(held)):
            assert {name.strip('"') for name in attempt.sql.partition("(")[2].partition(")")[0].split(", ")} <= granted

    def test_writes_are_tried_blind_and_through_a_filter(self) -> None:
        for id in ("UPDATE", "DELETE"):
            forms = [attempt.form for attempt in CHANNELS[id].attempts(stand())]
            assert forms == [Form.BLIND, Form.FILTERED]

    def test_a_blind_write_reads_no_column(self) -> None:
        blind = [attempt.sql for attempt in attempts(stand()) if attempt.form is Form.BLIND]
        assert blind
        assert not any(word in sql for sql in blind for word in ("WHERE", "RETURNING", "FROM ("))

    def test_an_insert_asks_for_nothing_back(self) -> None:
        """RETURNING would ask the SELECT policies too, and hide a loose WITH CHECK."""
        assert not any("RETURNING" in attempt.sql for attempt in attempts(stand()))

    def test_rows_are_planted_in_every_tenant(self) -> None:
        rows = {attempt.row.tenant for attempt in CHANNELS["INSERT"].attempts(stand()) if attempt.row}
        assert rows == {"a-id", "g-id"}

    def test_ones_own_row_is_moved_alone(self) -> None:
        (first, *_) = CHANNELS["UPDATE-MOVE"].attempts(stand())
        assert first.stage is not None
        assert first.stage.keep == (("1",),)
        assert "'g-id'" in first.sql

    def test_only_forbidden_rows_are_stolen_and_overwritten(self) -> None:
        before = stand()
        stolen = [attempt.stage.keep for attempt in CHANNELS["UPDATE-STEAL"].attempts(before) if attempt.stage]
        assert stolen == [(("3",),)]
        assert all("'3'" in attempt.sql for attempt in CHANNELS["UPSERT-OVERWRITE"].attempts(before))

    def test_only_stronger_roles_are_tried(self) -> None:
        assert [attempt.aim for attempt in CHANNELS["MEMBER-PROMOTE"].attempts(stand())] == ["become owner"]

    def test_only_other_tenants_are_joined(self) -> None:
        (joined,) = CHANNELS["MEMBER-JOIN"].attempts(stand())
        assert joined.row == Row(key=(), tenant="g-id", owner="u-me")
        assert "'owner'" in joined.sql

    def test_anon_joins_nothing(self) -> None:
        assert list(CHANNELS["MEMBER-JOIN"].attempts(stand(persona=ANON))) == []

    def test_a_key_that_may_not_be_read_is_not_asked_for(self) -> None:
        (read,) = CHANNELS["READ"].attempts(stand(frozenset({("SELECT", "note"), ("SELECT", "org")})))
        assert read.sql == 'SELECT "org"::text FROM "public"."seats"'

    def test_the_stage_keeps_what_makes_the_persona_who_it_is(self) -> None:
        before = stand()
        foreign = before.rows[2]
        assert before.alone(foreign).keep == (("3",),)
        assert next(before.rows_with(Command.UPDATE, Stance.FORBIDDEN)) == foreign


HOSTILE = ('a"b', 'x"; DROP TABLE notes; --', "zeilen ümläut 漢", "$$", "a.b", "%s", "{}", "select", " ", "it's", "\\")
PRINTABLE = st.characters(exclude_categories=("C", "Z"), include_characters=" ")
NAME = st.sampled_from(HOSTILE) | st.text(PRINTABLE, min_size=1, max_size=12)


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


class TestQuoting:
    @pytest.mark.parametrize("hostile", HOSTILE)
    def test_identifiers(self, hostile: str) -> None:
        name, held = QName(hostile, hostile), quoted(hostile)
        assert statements.read(name, (hostile,)) == f"SELECT {held}::text FROM {held}.{held}"
        assert statements.delete(name, hostile) == f"DELETE FROM {held}.{held} WHERE {held} IS NOT NULL"
        assert statements.update(name, ((hostile, None),)) == f"UPDATE {held}.{held} SET {held} = NULL"
        assert statements.insert(name, ((hostile, "1"),)) == f"INSERT INTO {held}.{held} ({held}) VALUES ('1')"
        assert statements.upsert(name, ((hostile, "1"),), (hostile,), (hostile,)).endswith(
            f" ON CONFLICT ({held}) DO UPDATE SET {held} = EXCLUDED.{held}"
        )
        assert statements.insert_defaults(name) == f"INSERT INTO {held}.{held} DEFAULT VALUES"
        assert statements.read_belonging(name, hostile, None) == (
            f"SELECT DISTINCT {held}::text, NULL::text FROM {held}.{held}"
        )

    @pytest.mark.parametrize(
        ("value", "expected"),
        [("it's", "'it''s'"), ("'; DROP TABLE t; --", "'''; DROP TABLE t; --'"), ("", "''"), ('"', "'\"'")],
    )
    def test_values(self, value: str, expected: str) -> None:
        assert statements.insert(SEATS, (("a", value),)).endswith(f"VALUES ({expected})")

    def test_a_backslash_is_itself_whatever_the_setting(self) -> None:
        assert r"E'a\\b'" in statements.insert(SEATS, (("a", r"a\b"),))

    @given(st.lists(NAME, min_size=5, max_size=5, unique=True), NAME, NAME, NAME)
    def test_every_attempt_is_one_statement_whatever_the_names(
        self, names: list[str], schema: str, relation: str, value: str
    ) -> None:
        a, b, c, d, e = names
        before = stand(names=(a, b, c, d, e), relation=QName(schema, relation), value=value)
        found = list(attempts(before))
        assert {attempt.channel for attempt in found} == set(CHANNELS)
        for attempt in found:
            assert len(list(split(attempt.sql))) == 1
            assert f"{quoted(schema)}.{quoted(relation)}" in attempt.sql
            assert without_comments(attempt.sql) == attempt.sql

    def test_values_are_in_one_order_so_that_statements_are_reused(self) -> None:
        one, other = statements.values_of({"b": "1", "a": None}), statements.values_of({"a": None, "b": "1"})
        assert one == other == (("a", None), ("b", "1"))


ORG = Tenancy(tenant=Locator(path=("org",)))


def draft(values: Mapping[str, str | None]) -> Draft:
    return Draft(relation=SEATS, tenant="g-id", owner="u-globex", values=values)


class TestBearings:
    """What an UPDATE must set so that a row is of another tenant, and nothing refuses it but a policy."""

    @pytest.mark.parametrize(
        ("relation", "tenancy", "expected"),
        [
            pytest.param(table("id", "org", "note"), ORG, {"org"}, id="a-column"),
            pytest.param(
                table("id", "org", "who", "note"),
                Tenancy(tenant=Locator(path=("org",)), owner=Locator(path=("who",))),
                {"org", "who"},
                id="tenant-and-owner",
            ),
            pytest.param(
                table("id", "flow", "note"), Tenancy(tenant=Locator(path=("flow", "org"))), {"flow"}, id="a-path"
            ),
            pytest.param(
                table(
                    *("id", "org", "flow", "note"),
                    constraints=(key("fk", ConstraintKind.FOREIGN, "org", "flow", refers="f"),),
                ),
                ORG,
                {"org", "flow"},
                id="a-composite-key-moves-whole",
            ),
            pytest.param(
                table(
                    *("id", "org", "flow", "version"),
                    constraints=(
                        key("one", ConstraintKind.FOREIGN, "org", "flow", refers="f"),
                        key("two", ConstraintKind.FOREIGN, "flow", "version", refers="v"),
                    ),
                ),
                ORG,
                {"org", "flow", "version"},
                id="keys-that-share-columns-move-together",
            ),
            pytest.param(
                table("id", "org", "plan", constraints=(key("fk", ConstraintKind.FOREIGN, "plan", refers="p"),)),
                ORG,
                {"org"},
                id="other-keys-stay",
            ),
            pytest.param(table("org", "note"), ORG, {"org"}, id="a-tenancy-column-that-is-the-key"),
            pytest.param(table("id", "note"), Tenancy(private=True), set(), id="no-tenancy"),
            pytest.param(table("id", "org", "at", partition_key="RANGE (at)"), ORG, {"org"}, id="the-partition-stays"),
        ],
    )
    def test_columns(self, relation: Relation, tenancy: Tenancy, expected: set[str]) -> None:
        values = {name: f"new {name}" for name in relation.column_names}
        found = bearings(relation, tenancy, draft(values))
        assert found == {name: values[name] for name in expected}

    def test_columns_that_a_draft_leaves_to_their_default_stay(self) -> None:
        relation = table(
            "id", "org", "flow", constraints=(key("fk", ConstraintKind.FOREIGN, "org", "flow", refers="f"),)
        )
        assert bearings(relation, ORG, draft({"id": "9", "org": "g-id"})) == {"org": "g-id"}

    def test_an_expression_binds_the_columns_in_it(self) -> None:
        tenancy = Tenancy(tenant=Locator(sql="split_part(path, '/', 1)"))
        assert anchors(table("id", "path", "note"), tenancy) == {"path"}


class TestHarmless:
    def test_text_in_no_key_and_no_tenancy(self) -> None:
        assert harmless(stand(), "UPDATE") in {"role", "note"}

    def test_only_among_granted_columns(self) -> None:
        assert harmless(stand(frozenset({("UPDATE", "note"), ("UPDATE", "org")})), "UPDATE") == "note"
        assert harmless(stand(frozenset({("UPDATE", "org")})), "UPDATE") is None

    def test_where_nothing_is_granted_any_column_witnesses_the_refusal(self) -> None:
        assert harmless(stand(frozenset()), "UPDATE") in {"role", "note"}

    def test_keys_generated_columns_and_identities_are_no_candidates(self) -> None:
        base = table("id", "org", "note", constraints=(key("fk", ConstraintKind.FOREIGN, "org", refers="o"),))
        relation = Relation(
            name=base.name,
            kind=base.kind,
            owner="o",
            rls=True,
            force_rls=False,
            columns=(*base.columns, column("made", 9, generated=True), column("serial", 10, identity="a")),
            constraints=base.constraints,
            indexes=base.indexes,
        )
        assert plain_columns(relation) == ("note",)

    def test_unchecked_columns_come_first(self) -> None:
        relation = table("id", "mood", "note", constraints=(key("c", ConstraintKind.CHECK, "mood"),))
        assert plain_columns(relation) == ("note", "mood")


@pytest.mark.parametrize("odd", [column("id", 1, identity="a"), column("id", 1, generated=True)])
def test_a_table_without_a_settable_column_is_still_asked(odd: Column) -> None:
    at = stand(frozenset())
    relation = replace(at.relation, columns=(odd,))
    assert list(CHANNELS["UPDATE"].attempts(replace(at, relation=relation, visible=frozenset({"id"}))))


def test_a_view_that_renames_every_column_is_still_asked() -> None:
    assert list(CHANNELS["UPDATE"].attempts(replace(stand(frozenset()), visible=frozenset({"doc_id", "name"}))))


@pytest.mark.parametrize("id", ["UPSERT-OVERWRITE", "MEMBER-JOIN", "INSERT"])
def test_column_grants_for_insert(id: str) -> None:
    granted = {"id", "org", "who"}
    held = frozenset(("INSERT", name) for name in granted) | {("UPDATE", None), ("SELECT", None)}
    for attempt in CHANNELS[id].attempts(stand(held)):
        named = attempt.sql.partition("(")[2].partition(")")[0].split(", ")
        assert {name.strip('"') for name in named} <= granted


def test_moves_take_only_granted_columns() -> None:
    held = frozenset({("UPDATE", "org"), ("SELECT", None)})
    moves = list(CHANNELS["UPDATE-MOVE"].attempts(stand(held)))
    assert moves
    assert all('"who"' not in attempt.sql for attempt in moves)


def test_keys_move_together_in_any_order() -> None:
    relation = table(
        "id",
        "org",
        "flow",
        "version",
        constraints=(
            key("two", ConstraintKind.FOREIGN, "flow", "version", refers="v"),
            key("one", ConstraintKind.FOREIGN, "org", "flow", refers="f"),
        ),
    )
    moved = bearings(relation, ORG, draft(dict.fromkeys(relation.column_names, "x")))
    assert set(moved) == {"org", "flow", "version"}


def test_a_column_name_inside_another_is_no_anchor() -> None:
    tenancy = Tenancy(tenant=Locator(sql="org_id::text"))
    assert anchors(table("id", "org_id", "note"), tenancy) == {"org_id"}
