"""The JSON Schema says what the loader says, in the draft that editors read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from tenantproof.core.errors import ScenarioError
from tenantproof.scenario import json_schema, load_scenario
from tenantproof.scenario.parsing import parse

ROOT = Path(__file__).parents[2]
SCENARIOS = sorted((ROOT / "scenarios").glob("*.tenancy.yaml"))

BASE: dict[str, Any] = {"version": 1, "database": {"platform": "supabase"}, "tenants": ["acme", "globex"]}
VALID: list[dict[str, Any]] = [
    {},
    {"tenants": ["acme", {"name": "globex", "id": 7}]},
    {"roles": None, "tables": None, "expect": None},
    {"membership": [{"table": "m", "user": "u", "tenant": "t", "values": {"a": 1, "b": True, "c": "x"}}]},
    {"tables": {"a": {"tenant": "b.c", "owner": {"sql": "x"}, "system_rows": "shared", "rows": 3}}},
    {"expect": {"*": "none", "a": {"select": ["own", {"where": "x"}], "write": {"anon": "none", "*": ["tenant"]}}}},
    {"expect": {"a": {"where": "x"}, "b": {"all": {"where": "all"}}}},
    {"endpoints": [{"name": "a", "url": "{base}/x"}]},
    {"accept": [{"channel": "A", "object": "b", "reason": "c", "until": "2027-03-01"}]},
    {"claims": {"anything": [None, {"a": 1.5}]}, "session": {"settings": {"app.x": 1}}},
]
INVALID: list[dict[str, Any]] = [
    {"tabels": {}},
    {"version": 2},
    {"tenants": ["acme"]},
    {"tenants": ["acme", {"name": "globex", "ident": 7}]},
    {"tenants": ["acme", "glo bex"]},
    {"database": {"platform": "oracle"}},
    {"database": {"platform": "supabase", "auto_expose_new_tables": "yes"}},
    {"database": {"platform": "supabase", "migrations": None}},
    {"session": {"roel": "x"}},
    {"membership": {"table": "m", "user": "u"}},
    {"tables": {"a": {"tenent": "b"}}},
    {"tables": {"a": {"tenant": ["b"]}}},
    {"tables": {"a": {"rows": 0}}},
    {"tables": {"a": None}},
    {"expect": {"a": "nobody"}},
    {"expect": {"a": {"slect": "all"}}},
    {"expect": {"a": {"select": []}}},
    {"expect": {"a": {"select": {"anon": "nobody"}}}},
    {"endpoints": [{"name": "a", "url": "{base}/x", "verb": "GET"}]},
    {"accept": [{"channel": "A", "object": "b", "until": "2027-03-01"}]},
]


def loads(folder: Path, data: dict[str, Any]) -> bool:
    """Whether the loader accepts *data*."""
    path = folder / "x.yaml"
    path.write_text(yaml.safe_dump(data))
    try:
        load_scenario(path)
    except ScenarioError:
        return False
    return True


def nodes(node: object) -> Iterator[dict[str, Any]]:
    """Every mapping inside a schema."""
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from nodes(value)
    elif isinstance(node, list):
        for item in node:
            yield from nodes(item)


def test_is_draft_07() -> None:
    """Draft-07, and nothing that a reader of draft-07 would overlook."""
    schema = json_schema()
    Draft7Validator.check_schema(schema)
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert schema["title"] == "tenantproof scenario"
    for node in nodes(schema):
        assert not {"$defs", "prefixItems", "discriminator", "oneOf", "x-may-be-empty"} & node.keys()
        assert "$ref" not in node or len(node) == 1
        assert not str(node.get("$ref", "")).startswith("#/$defs")


def test_every_key_is_described() -> None:
    """Editors show the description on hover; unknown keys are errors in every object with known ones."""
    for node in nodes(json_schema()):
        if isinstance(node.get("properties"), dict) and node.get("type") == "object":
            assert node["additionalProperties"] is False
            assert all(field.get("description") for field in node["properties"].values()), node["title"]


@pytest.mark.parametrize("extra", VALID, ids=str)
def test_accepts(tmp_path: Path, extra: dict[str, Any]) -> None:
    """What the loader takes, the schema takes."""
    assert loads(tmp_path, BASE | extra)
    Draft7Validator(json_schema()).validate(BASE | extra)


@pytest.mark.parametrize("extra", INVALID, ids=str)
def test_rejects(tmp_path: Path, extra: dict[str, Any]) -> None:
    """What is wrong in shape, both refuse."""
    assert not loads(tmp_path, BASE | extra)
    assert not Draft7Validator(json_schema()).is_valid(BASE | extra)


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.name)
def test_shipped_scenarios(path: Path) -> None:
    """Every scenario of this repository loads and fits the schema."""
    assert load_scenario(path).tenants
    Draft7Validator(json_schema()).validate(parse(path.name, path.read_bytes()).root.plain())
