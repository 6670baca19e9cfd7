"""The SQL splitter: nothing is lost, nothing is cut in two, every position is right."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantproof.core.model import QName
from tenantproof.core.ports import Source
from tenantproof.targets.locate import find_policy, find_relation
from tenantproof.targets.patches import touches_cluster
from tenantproof.targets.statements import Kind, split, statements, without_comments

FRAGMENTS = st.sampled_from(
    [
        *("select 1", ";", "'a;b'", "'it''s;'", r"E'\';'", '"x;""y"', "$$;$$", "$f$ ; $$ ; $f$", "$1", "a$b$c"),
        *(
            "-- c;\n",
            "/* ; /* ; */ ; */",
            "(",
            ")",
            "\n",
            "\r\n",
            " ",
            "begin atomic",
            "end",
            "case",
            "create function f()",
        ),
        *("\\restrict x\n", "copy t from stdin", "\\.\n", "\\", "é", "'", '"', "$", "/*", "*/", "--", "\t", "0.1"),
    ]
)
SQL = st.lists(FRAGMENTS, max_size=25).map("".join) | st.text(max_size=80)
QUOTED = st.sampled_from(["'{}'", '"{}"', "$${}$$", "$q${}$q$", "/*{}*/", "({})", "-- {}\n", "E'{}'"])


@given(SQL)
def test_pieces_joined_are_the_text(text: str) -> None:
    assert "".join(piece.text for piece in split(text)) == text


@given(SQL)
def test_every_piece_knows_its_line(text: str) -> None:
    position = 0
    for piece in split(text):
        start = position + len(piece.text) - len(piece.body)
        assert piece.line == text.count("\n", 0, start) + 1
        position += len(piece.text)


@given(SQL)
def test_only_sql_pieces_end_in_a_semicolon_and_none_is_empty(text: str) -> None:
    for piece in split(text):
        assert piece.text
        assert piece.kind is not Kind.BLANK or not without_comments(piece.text).strip()


@given(QUOTED, st.lists(st.sampled_from([";", "x", " ", ";;", "é"]), max_size=8).map("".join))
def test_a_semicolon_inside_quotes_never_splits(quote: str, inside: str) -> None:
    text = f"select {quote.format(inside)} from t; select 2;"
    assert [piece.body for piece in statements(text)] == [f"select {quote.format(inside)} from t;", "select 2;"]


@pytest.mark.parametrize(
    "statement",
    [
        "create function f() returns int language sql begin atomic select 1; select case when true then 1 end; end;",
        "create or replace procedure p() begin atomic insert into t values (1); end;",
        "create rule r as on insert to t do also (insert into u values (1); insert into v values (2));",
        "create function f() returns text as $body$ begin return ';'; end; $body$ language plpgsql;",
        r"select E'\\', E'a\';b';",
        "select 'back\\', 1;",
        "select a$1$ from t; ".strip(),
        "select 1 /* a ; /* b ; */ ; */ + 1;",
    ],
)
def test_one_statement_stays_one(statement: str) -> None:
    pieces = list(statements(statement + "\nselect 2;"))
    assert [piece.body for piece in pieces] == [statement, "select 2;"]


def test_psql_commands_and_copy_data_are_pieces_of_their_own() -> None:
    text = "\\restrict abc\nselect 1;\ncopy t (a) from stdin;\n1\tx;y\n\\.\n\nselect 2;\n"
    assert [(piece.kind, piece.line) for piece in split(text)] == [
        (Kind.COMMAND, 1),
        (Kind.SQL, 2),
        (Kind.SQL, 3),
        (Kind.DATA, 3),
        (Kind.SQL, 7),
        (Kind.BLANK, 8),
    ]


def test_an_error_position_becomes_a_line_of_the_file() -> None:
    text = "-- head\n\nselect 1;\n\n-- why\nselect\n  nope;\n"
    piece = list(statements(text))[1]
    assert piece.line == 6
    assert piece.line_at(piece.body.index("nope") + 1) == 7


def _source(text: str, path: str = "a.sql") -> Source:
    return Source(path=path, text=text)


POLICIES = _source(
    """\
create table public.notes (id int);
create policy p on notes using (true);
create policy "My policy" on public."Notes" for select using (true);
do $$ begin execute 'create policy looped on looped_table using (true)'; end $$;
alter policy p on public.notes using (false);
alter policy p on notes rename to q;
create policy p on other.notes using (true);
"""
)


@pytest.mark.parametrize(
    ("table", "policy", "line"),
    [
        (QName("public", "notes"), "q", 6),
        (QName("public", "notes"), "p", 6),
        (QName("other", "notes"), "p", 7),
        (QName("public", "Notes"), "My policy", 3),
        (QName("public", "looped_table"), "looped", 4),
        (QName("public", "notes"), "absent", None),
    ],
)
def test_find_policy(table: QName, policy: str, line: int | None) -> None:
    assert find_policy([POLICIES], table, policy) == (None if line is None else ("a.sql", line))


def test_the_last_file_wins() -> None:
    later = _source("\ncreate policy p on notes using (false);", "b.sql")
    assert find_policy([POLICIES, later], QName("public", "notes"), "p") == ("b.sql", 2)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("create table if not exists r (id int);", 1),
        ("create unlogged table public.r (id int);", 1),
        ("\ncreate or replace view r as select 1;", 2),
        ("create materialized view public.r as select 1;", 1),
        ("create table r (id int);\nalter table only r disable row level security;", 2),
        ("create table r (id int);\nalter table r enable row level security;", 1),
        ("create table s.r (id int);", None),
    ],
)
def test_find_relation(text: str, line: int | None) -> None:
    assert find_relation([_source(text)], QName("public", "r")) == (None if line is None else ("a.sql", line))


@pytest.mark.parametrize(
    ("text", "reaches"),
    [
        ("alter role authenticated set statement_timeout = 0;", True),
        ("grant service_role to authenticated;", True),
        ("do $$ begin execute 'create user eve'; end $$;", True),
        ("revoke anon from authenticator;", True),
        ("alter system set work_mem = '1MB';", True),
        ("alter database postgres set app.x = 'y';", True),
        ("grant select on t to anon;", False),
        ("revoke all on all tables in schema public from anon;", False),
        ("-- alter role x\ncreate policy p on t to authenticated using (true);", False),
        ("create user mapping for current_user server s;", False),
    ],
)
def test_which_patches_reach_beyond_their_database(text: str, reaches: bool) -> None:
    assert touches_cluster(text) is reaches
