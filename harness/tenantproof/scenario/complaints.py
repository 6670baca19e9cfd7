"""pydantic's errors as problems with a place, in our words, with the nearest valid name."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ValidationError

from tenantproof.core.errors import Problem
from tenantproof.scenario.models import MAY_BE_EMPTY, File
from tenantproof.scenario.positions import Document, Path, Scalar, dotted, shown
from tenantproof.scenario.scalars import OLD_BOOLEANS, describe
from tenantproof.scenario.suggestions import suggest
from tenantproof.scenario.templates import ENDPOINT, ROW

PLACEHOLDERS = frozenset(name for name in ENDPOINT | ROW if "." in name)
"""Placeholders that nobody would write as a key."""

EXPECTED = {
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


REQUIRED: dict[Path, str] = {
    ("version",): "write: version: 1",
    ("database",): "write: database: {platform: supabase, migrations: path}",
    ("tenants",): "name two or more: tenants: [acme, globex]",
}
"""How to write what every scenario needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """One complaint before it has a place; `at_key` puts the caret under the key and not under the value."""

    code: str
    message: str
    hint: str = ""
    at_key: bool = False


def empty_values(document: Document) -> Iterator[tuple[Path, Problem]]:
    """Keys and list items that stand there without a value, by the path that is wrong.

    Claims and `values:` may hold null and whole sections may be empty; an unquoted `{tenant.id}`, which YAML reads as a
    mapping, is wrong everywhere.
    """
    for path in document.walk():
        node = document.node(path)
        if not isinstance(node, Scalar) or node.value is not None or _is_sql_null(path, node):
            continue
        if path[-1] in PLACEHOLDERS:
            hint = f'a placeholder needs quotes: "{{{path[-1]}}}"'
            message = f"{dotted(path[:-1])}: expected text, found a mapping"
            yield path[:-1], document.source.problem(document.value_spot(path[:-1]), "wrong-type", message, hint)
        elif path[0] != "claims" and not (len(path) == 1 and path[0] in MAY_BE_EMPTY):
            message = f"{dotted(path)} has no value"
            hint = "write a value, or remove the key"
            yield path, document.source.problem(document.key_spot(path), "empty", message, hint)


def _is_sql_null(path: Path, node: Scalar) -> bool:
    """Whether a column of `values:` is said to be NULL, in so many words."""
    return path[0] in ("tables", "membership") and path[-2:-1] == ("values",) and node.text != ""


def problems(document: Document, error: ValidationError, known: set[Path]) -> Iterator[tuple[Path, Problem]]:
    """Every error with the path it is about; paths in *known* were complained about before."""
    for details in error.errors(include_url=False, include_input=False):
        path = _path(details["loc"])
        if path in known or any(path[: len(other)] == other for other in known):
            continue
        wording = _wording(document, path, details["loc"], details["type"], details["msg"], details.get("ctx", {}))
        spot = document.key_spot(path) if wording.at_key else document.value_spot(path)
        yield path, document.source.problem(spot, wording.code, wording.message, wording.hint)


def _path(loc: tuple[str | int, ...]) -> Path:
    return tuple(step for step in loc if not (isinstance(step, str) and (step.startswith("«") or step == "[key]")))


def _wording(
    document: Document, path: Path, loc: tuple[str | int, ...], kind: str, text: str, context: Mapping[str, typing.Any]
) -> Wording:
    node = document.node(path)
    value = node.plain() if node else None
    match kind:
        case "extra_forbidden":
            return _unknown_key(path, loc)
        case "missing":
            return _missing(path)
        case "own":
            message = f"{dotted(path)}: {context['message']}"
            return Wording(code=context["code"], message=message, hint=context["hint"], at_key="[key]" in loc)
        case "literal_error":
            return _not_among(path, value, context["expected"])
        case "wrong-type" | "union_tag_invalid" | "union_tag_not_found":
            return _wrong_type(path, text.removeprefix("expected "), value)
        case "too_short" | "string_too_short":
            return _too_short(path, value)
        case "string_pattern_mismatch":
            return _bad_tenant(value)
        case "greater_than_equal" | "less_than_equal":
            bound = f"{context['ge']} or more" if "ge" in context else f"at most {context['le']}"
            return Wording(code="bad-value", message=f"{dotted(path)}: expected {bound}, found {value}")
        case _ if kind in EXPECTED:
            return _wrong_type(path, EXPECTED[kind], value)
    # A kind of error that these models do not raise today: better in pydantic's words than lost.
    return Wording(code="bad-value", message=f"{dotted(path)}: {text[:1].lower()}{text[1:]}")


def _unknown_key(path: Path, loc: tuple[str | int, ...]) -> Wording:
    name, where = str(path[-1]), dotted(path[:-1])
    what = "command" if path[0] == "expect" and len(path) == 3 and "«commands»" in loc else "key"
    message = f"unknown {what} {shown(name)}" + (f" in {where}" if where else "")
    return Wording(code=f"unknown-{what}", message=message, hint=suggest(name, known_keys(loc[:-1])), at_key=True)


def _missing(path: Path) -> Wording:
    where = dotted(path[:-1])
    message = f"{where} has no key '{path[-1]}'" if where else f"the key '{path[-1]}' is missing"
    return Wording(code="missing-key", message=message, hint=REQUIRED.get(path, "it is required"), at_key=True)


def _not_among(path: Path, value: object, expected: str) -> Wording:
    names = expected.replace(" or ", ", ").replace("'", "").split(", ")
    if path == ("version",):
        message = f"expected version 1, found {_found(value)}"
        return Wording(code="version", message=message, hint=REQUIRED[path])
    if not isinstance(value, str):
        return _wrong_type(path, "one of " + ", ".join(names), value)
    if path[0] == "expect":
        message = f"unknown scope {shown(value)} in {dotted(path)}"
        return Wording(code="unknown-scope", message=message, hint=suggest(value, names))
    message = f"unknown value {shown(value)} of {dotted(path)}"
    return Wording(code="unknown-value", message=message, hint=suggest(value, names))


def _wrong_type(path: Path, expected: str, value: object) -> Wording:
    message = f"{dotted(path)}: expected {expected}, found {_found(value)}"
    return Wording(code="wrong-type", message=message, hint=_type_hint(expected, value))


def _found(value: object) -> str:
    return f"the text {shown(value)}" if isinstance(value, str) else describe(value)


def _type_hint(expected: str, value: object) -> str:
    if expected == "true or false" and isinstance(value, str):
        old = value.lower() in OLD_BOOLEANS
        return f"'{value}' is text in YAML 1.2: write true or false" if old else "write true or false, without quotes"
    if expected == "text" and isinstance(value, int | float):
        return "put it in quotes"
    if expected == "a list" and isinstance(value, str):
        return f"write [{value}]" if len(value) < 40 else "write one item a line, each after '- '"
    return ""


def _too_short(path: Path, value: object) -> Wording:
    if path == ("tenants",):
        message = f"two or more tenants are needed, and here {'is one' if value else 'is none'}"
        return Wording(
            code="too-few-tenants", message=message, hint="isolation is between tenants: name two", at_key=True
        )
    return Wording(
        code="empty", message=f"{dotted(path)} is empty", hint="write a value, or remove the key", at_key=True
    )


def _bad_tenant(value: object) -> Wording:
    hint = "use letters, digits, '-' and '_', at most 63, a letter or digit first"
    return Wording(code="bad-name", message=f"{shown(value)} cannot name a tenant", hint=hint)


def known_keys(loc: tuple[str | int, ...]) -> frozenset[str]:
    """The keys that the model at a place (as pydantic writes it) knows."""
    here: list[object] = [File]
    for step in loc:
        here = [below for annotation in here for below in _descend(annotation, step)]
    models = [arm for annotation in here for arm in _arms(annotation) if _is_model(arm)]
    return frozenset(known.alias or name for model in models for name, known in model.model_fields.items())


def _descend(annotation: object, step: str | int) -> Iterator[object]:
    for arm in _arms(annotation):
        origin, arguments = typing.get_origin(arm), typing.get_args(arm)
        if isinstance(step, str) and step.startswith("«"):
            yield arm
        elif _is_model(arm):
            if step in arm.model_fields:
                yield arm.model_fields[str(step)].annotation
        elif origin is dict:
            yield arguments[1]
        elif origin is list and isinstance(step, int):
            yield arguments[0]


def _arms(annotation: object) -> Iterator[typing.Any]:
    """The alternatives of an annotation, without Annotated and Union around them."""
    if typing.get_origin(annotation) is typing.Annotated:
        yield from _arms(typing.get_args(annotation)[0])
    elif typing.get_origin(annotation) in (typing.Union, types.UnionType):
        for arm in typing.get_args(annotation):
            yield from _arms(arm)
    else:
        yield annotation


def _is_model(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
