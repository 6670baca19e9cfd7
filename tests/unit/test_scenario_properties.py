"""Whatever is done to a scenario file, it loads, or it is an error with a place."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tenantproof.core.errors import ScenarioError
from tenantproof.core.model import Scenario
from tenantproof.scenario import load_scenario
from tenantproof.scenario.parsing import parse
from tenantproof.scenario.scalars import resolve

VALID = """\
version: 1
name: Properties
database: {platform: supabase, schemas: [public, storage]}
session: {settings: {app.tenant_id: "{tenant.id}"}, headers: {x-org: "{tenant.id}"}}
tenants: [acme, {name: globex, id: 0042}, initech]
roles: [owner, member]
membership: {table: organization_members, user: user_id, tenant: organization_id, role: role}
claims: {app_metadata: {org_id: "{tenant.id}", level: 3}}
tables: &tables
  organizations: {tenant: id}
  workflows: {tenant: organization_id, owner: created_by, values: {note: "{n}"}, rows: 4}
  storage.objects: {tenant: {sql: "(storage.foldername(name))[1]"}, system_rows: private}
  plans: {shared: true}
expect:
  "*": {all: {anon: none, outsider: none}}
  workflows: {select: tenant, insert: {owner: tenant, "*": own}, update: [own, {where: is_open}]}
  plans: {read: all, write: none}
  job_locks: none
endpoints:
  - {name: report, method: GET, url: "{base}/report?org={tenant.id}"}
accept:
  - {channel: SEQ-GAP, object: public.events, reason: ids are public, until: 2027-03-01}
"""
DATA: Any = parse("", VALID.encode()).root.plain()

NAMES = ["tenant", "tables", "expect", "none", "all", "*", "where", "anon", "a.b", "a.b.c", "{tenant.id}", "<<", ""]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from(NAMES),
    st.text(max_size=20),
    st.sampled_from(["yes", "0010", "1e999", "../..", "/", "~", "2027-02-30", 'a"b', "\x85", "x" * 5000]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=6,
)


def outcome(data: bytes) -> Scenario | ScenarioError:
    """The scenario or the error; anything else is a bug."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.yaml"
        path.write_bytes(data)
        try:
            return load_scenario(path)
        except ScenarioError as error:
            return placed(error)


def placed(error: ScenarioError) -> ScenarioError:
    """The error, of which every problem has a place and words, and prints nothing that moves a terminal."""
    assert error.problems
    for problem in error.problems:
        assert min(problem.line, problem.column) > 0
        assert problem.message
        assert problem.code
        assert all(line.isprintable() for line in problem.render().split("\n"))
    return error


def containers(node: object) -> list[Any]:
    """Every mapping and list below *node*, itself included."""
    found = [node] if isinstance(node, dict | list) else []
    below = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return [*found, *(container for item in below for container in containers(item))]


def mutate(node: dict[str, Any], kind: str, chance: random.Random, value: object) -> None:
    """Drop, rename, replace or move one thing somewhere in the file."""
    container = chance.choice([one for one in containers(node) if one])
    keys = list(container) if isinstance(container, dict) else list(range(len(container)))
    key = chance.choice(keys)
    if kind == "drop":
        del container[key]
    elif kind == "replace":
        container[key] = value
    elif isinstance(container, dict):
        new = str(value) if kind == "rename" else chance.choice(NAMES)
        container[new] = container.pop(key)
    else:
        container.append(container[key])


def test_valid() -> None:
    """The file that is mutated is valid."""
    assert isinstance(outcome(VALID.encode()), Scenario)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 2**32),
    kinds=st.lists(st.sampled_from(["drop", "rename", "replace", "move"]), min_size=1, max_size=3),
    values=st.lists(VALUES, min_size=3, max_size=3),
)
def test_mutated_structure(seed: int, kinds: list[str], values: list[object]) -> None:
    """Mutations of the structure either load or are errors with places."""
    data, chance = yaml.safe_load(yaml.safe_dump(DATA)), random.Random(seed)
    for kind, value in zip(kinds, values, strict=False):
        if data:
            mutate(data, kind, chance, value)
    outcome(yaml.safe_dump(data, allow_unicode=True).encode())


@settings(max_examples=300, deadline=None)
@given(
    line=st.integers(0, VALID.count("\n") - 1),
    column=st.integers(0, 100),
    junk=st.text(alphabet=st.sampled_from("{}[]:,*&!|>'\"#%@`?- \t\n\r~<aé\x85\u2028\x00\u202e"), max_size=4),
    repeat=st.booleans(),
)
@example(line=8, column=0, junk="", repeat=True)
def test_mutated_text(line: int, column: int, junk: str, repeat: bool) -> None:
    """So do mutations of the text: junk typed anywhere, lines that stand there twice."""
    rows = VALID.splitlines()
    rows[line] = rows[line][:column] + junk + rows[line][column:]
    if repeat:
        rows.insert(line, rows[line])
    outcome("\n".join(rows).encode())


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
@example(b"\xef\xbb\xbf")
@example(b"\xff\xfe")
@example(b"? ")
@example(b"&a *a")
@example(b"%YAML 9.9\n---\n")
def test_any_bytes(data: bytes) -> None:
    """No bytes are a scenario by accident, and none are a traceback."""
    assert isinstance(outcome(data), ScenarioError)


@settings(max_examples=200)
@given(st.one_of(st.text(max_size=30), st.integers().map(str), st.floats().map(str)))
def test_scalars_never_fail(text: str) -> None:
    """Resolution is total, and text that is no word or number stays as it is."""
    value = resolve(text)
    assert value == text or text in ("", "~", "null", "Null", "NULL") or isinstance(value, bool | int | float)


@pytest.mark.parametrize("size", [200_000])
def test_deep_flow_is_quick(size: int) -> None:
    """Brackets without end are refused before libyaml reads them all."""
    assert "nested more than" in str(outcome(b"a: " + b"[" * size))
