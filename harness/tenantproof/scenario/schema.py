"""
The JSON Schema of a scenario file, in draft-07: what the YAML language servers of editors read.

pydantic writes 2020-12.  Between the two matter: `$defs` was `definitions`, keys beside a `$ref` are ignored (so they
move around it into an `allOf`), and `oneOf` rejects what two arms accept (`{where: all}`), so it becomes `anyOf`.
"""

from __future__ import annotations

from typing import Any

from tenantproof.scenario.models import MAY_BE_EMPTY, File

DRAFT = "http://json-schema.org/draft-07/schema#"
NULL = {"type": "null"}


def json_schema() -> dict[str, Any]:
    """The schema as a fresh dictionary."""
    schema = File.model_json_schema()
    for section in MAY_BE_EMPTY:
        schema["properties"][section]["x-may-be-empty"] = True
    return {"$schema": DRAFT, **_draft07(schema)}


def _draft07(node: dict[str, Any]) -> dict[str, Any]:
    node = _without_null(dict(node))
    node.pop("discriminator", None)
    return _around_ref({_KEYS.get(key, key): _below(value) for key, value in node.items()})


def _below(value: object) -> object:
    if isinstance(value, list):
        return [_below(item) for item in value]
    return _draft07(value) if isinstance(value, dict) else value


_KEYS = {"$defs": "definitions", "oneOf": "anyOf"}


def _without_null(node: dict[str, Any]) -> dict[str, Any]:
    """A key may be left out, but not stand there empty, except for whole sections."""
    may_be_empty = node.pop("x-may-be-empty", False)
    arms = node.get("anyOf")
    if not may_be_empty and isinstance(arms, list) and NULL in arms:
        node["anyOf"] = [arm for arm in arms if arm != NULL]
        if node.get("default", ...) is None:
            del node["default"]
        if len(node["anyOf"]) == 1:
            node = {**node.pop("anyOf")[0], **node}
    return node


def _around_ref(node: dict[str, Any]) -> dict[str, Any]:
    reference = node.get("$ref")
    if reference is None or len(node) == 1:
        return {"$ref": _target(reference)} if reference else node
    rest = {key: value for key, value in node.items() if key != "$ref"}
    return {**rest, "allOf": [{"$ref": _target(reference)}]}


def _target(reference: str) -> str:
    return reference.replace("#/$defs/", "#/definitions/")
