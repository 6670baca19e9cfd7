"""Which columns hold what nobody can guess, by name and by default."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantproof.core.catalog import Column
from tenantproof.engine.interference.secrets import is_secret, is_unguessable

RANDOM = [
    "gen_random_uuid()",
    "extensions.uuid_generate_v4()",
    "encode(extensions.gen_random_bytes(16), 'hex'::text)",
    "md5((random())::text)",
    "nanoid(10)",
    "public.generate_ulid()",
    "gen_ulid()",
    'ids."new_ksuid"()',
]
PLAIN = [None, "''::text", "now()", "nextval('notes_id_seq'::regclass)", "'draft'::text", "auth.uid()"]


def column(name: str = "x", *, default: str | None = None, base: str = "pg_catalog.text", type: str = "text") -> Column:
    return Column(name=name, position=1, type=type, base_type=base, category="S", default=default)


@pytest.mark.parametrize(
    "name",
    [
        "token",
        "refresh_token",
        "invite_token",
        "tokens",
        "secret",
        "client_secret",
        "password",
        "password_hash",
        "key_digest",
        "otp",
        "salt",
        "invite_code",
        "share_link",
        "join_code",
        "access_key",
        "api_key",
        "apikey",
        "signing_key",
        "magic_link",
        "confirmation_code",
        "verification_id",
        "Token",
        "SECRET",
    ],
)
@pytest.mark.parametrize("keyed", [False, True])
def test_a_name_tells_a_bearers_secret_also_where_it_is_a_key(name: str, keyed: bool) -> None:
    assert is_secret(column(name), keyed=keyed)


@pytest.mark.parametrize(
    "name",
    [
        "id",
        "name",
        "slug",
        "code",
        "country_code",
        "email",
        "body",
        "tokenized",
        "secretary",
        "link",
        "hashtag",
        "phone",
    ],
)
def test_other_names_tell_none(name: str) -> None:
    assert not is_secret(column(name), keyed=False)


@pytest.mark.parametrize("default", RANDOM)
def test_a_random_default_is_a_secret_unless_it_is_the_rows_id(default: str) -> None:
    assert is_secret(column(default=default), keyed=False)
    assert not is_secret(column(default=default), keyed=True)
    assert is_unguessable(column(default=default))


@pytest.mark.parametrize("default", PLAIN)
def test_other_defaults_are_neither(default: str | None) -> None:
    assert not is_secret(column(default=default), keyed=False)
    assert not is_unguessable(column(default=default))


def test_a_uuid_is_not_guessed_wherever_it_comes_from() -> None:
    assert is_unguessable(column(base="pg_catalog.uuid"))
    assert not is_secret(column("owner_id", base="pg_catalog.uuid"), keyed=False)


@pytest.mark.parametrize("type", ["public.ulid", "ulid", 'ids."Ulid"', "cuid2", "typeid"])
def test_neither_is_what_is_named_after_a_random_id(type: str) -> None:
    """A domain over text, whose values the application makes."""
    assert is_unguessable(column("id", type=type))
    assert not is_secret(column("folder_id", type=type), keyed=False)


@pytest.mark.parametrize("type", ["fluid", "public.liquid", "ulids", "xid", "text", "character varying(26)"])
def test_other_types_can_be_guessed(type: str) -> None:
    assert not is_unguessable(column("id", type=type))


@given(st.text(min_size=1, max_size=12), st.sampled_from([*RANDOM, *PLAIN]))
def test_a_key_is_a_secret_only_where_any_column_of_that_name_is(name: str, default: str | None) -> None:
    found = column(name, default=default)
    assert is_secret(found, keyed=False) or not is_secret(found, keyed=True)
