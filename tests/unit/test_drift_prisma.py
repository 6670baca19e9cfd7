"""Prisma schemas: what is read of them, and what is said of those that cannot be read."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantproof.drift.prisma.against import implicit_tables
from tenantproof.drift.prisma.model import PrismaError, PrismaSchema, Reference
from tenantproof.drift.prisma.parsing import load_prisma, parse_prisma

SCHEMA = """
generator client { provider = "prisma-client-js" }
datasource db {
  provider = "postgresql" // the engine
  url      = env("DATABASE_URL")
}

/* several
   lines */
/// Documentation
model User {
  id        Int      @id @default(autoincrement())
  email     String   @unique @map("e_mail") @db.VarChar(255)
  nick      String?  /// may be missing
  tags      String[]
  role      Role     @default(USER)
  place     Unsupported("point")?
  posts     Post[]   @relation("written")
  groups    Group[]
  secret    String   @ignore
  createdAt DateTime @default(now()) @map("created_at") @db.Timestamptz(6)

  @@unique([email, nick], map: "once")
  @@map("users")
  @@schema("accounts")
}

model Post {
  id       Int   @id
  authorId Int   @map("author_id")
  author   User? @relation("written",
    fields: [authorId],
    references: [id], onDelete: SetNull
  )
}

model Group {
  id      Int    @id
  members User[]
}

view Popular {
  id Int @unique
}

enum Role {
  USER
  ADMIN @map("administrator")
  @@map("user_role")
}
"""


def parsed(text: str) -> PrismaSchema:
    return parse_prisma({"schema.prisma": text}, "schema.prisma")


def test_models_and_fields() -> None:
    user = parsed(SCHEMA).models["User"]
    assert (user.table, user.schema, user.place) == ("users", "accounts", ("schema.prisma", 11))
    fields = {field.name: field for field in user.fields}
    assert len(fields) == 10
    assert (fields["email"].column, fields["email"].native) == ("e_mail", "VarChar")
    assert fields["nick"].optional
    assert fields["tags"].is_list
    assert (fields["place"].type, fields["place"].native, fields["place"].optional) == ("Unsupported", "point", True)
    assert fields["secret"].ignored
    assert fields["createdAt"].place == ("schema.prisma", 21)


def test_relations_over_several_lines() -> None:
    author = parsed(SCHEMA).models["Post"].fields[2]
    assert author.relation == "written"
    assert author.reference == Reference(fields=("authorId",), references=("id",), on_delete="SetNull")


def test_views_enums_and_tables_of_pairs() -> None:
    schema = parsed(SCHEMA)
    assert schema.models["Popular"].is_view
    assert (schema.enums["Role"].type, schema.enums["Role"].values) == ("user_role", ("USER", "administrator"))
    assert implicit_tables(schema) == {"_GroupToUser"}


def test_relations_that_are_no_foreign_keys() -> None:
    assert parsed(SCHEMA).enforces
    assert not parsed(SCHEMA.replace("// the engine", '\n  relationMode = "prisma"')).enforces


BROKEN = {
    "no type": ("model A {\n  id\n}", 2, "a field has a name and a type"),
    "never closed": ("model A {\n  id Int @id\n", 1, "never closed"),
    "no block": ("modle A {\n  id Int\n}", 1, "did you mean 'model'"),
    "unknown type": ("model Post {\n  id Int\n  by Usr\n}\nmodel User {\n id Int\n}", 3, "did you mean 'User'"),
    "a stray word": ("model A {\n  id Int id\n}", 2, "expected an attribute"),
    "nothing in it": ("// nothing\n", 1, "no model in this schema"),
    "not Prisma at all": ("create table a (id int);", 1, "expected a block"),
}


@pytest.mark.parametrize(("text", "line", "said"), BROKEN.values(), ids=BROKEN.keys())
def test_what_cannot_be_read_is_told_with_its_line(text: str, line: int, said: str) -> None:
    with pytest.raises(PrismaError) as raised:
        parsed(text)
    assert raised.value.problems[0].line == line
    assert said in str(raised.value)
    assert raised.value.exit_code == 2


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(PrismaError) as raised:
        parsed("model A {\n  id\n  x Inte\n}")
    assert [problem.line for problem in raised.value.problems] == [2, 3]


@given(st.text(alphabet='model A{}[]()@?"\n id.Int:,/*', max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Never another error than ours."""
    with suppress(PrismaError):
        assert parsed(text).models


def test_a_folder_of_schemas(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "schema.prisma").write_text('datasource db {\n  provider = "postgresql"\n}\n')
    (tmp_path / "models" / "user.prisma").write_text("model User {\n  id Int @id\n}\n")
    assert list(load_prisma(tmp_path).models) == ["User"]


@pytest.mark.parametrize("name", ["nowhere.prisma", "empty"])
def test_a_file_that_is_not_there(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(PrismaError, match=r"cannot be read|holds no"):
        load_prisma(tmp_path / name)
