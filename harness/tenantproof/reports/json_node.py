"""
Reads JSON that somebody else may have written or damaged.

Strict, so that such a document is never half believed: a missing key, an unknown key and a value of the wrong type are
UsageErrors that name the place (`findings[3].severity`).
"""

from __future__ import annotations

import dataclasses
import enum
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar, cast

from tenantproof.core.errors import UsageError, did_you_mean

_Word = TypeVar("_Word", bound=enum.StrEnum)


def parsed(text: str, format: str) -> Node:
    """The object in a text.  Raises UsageError where it is no JSON."""
    try:
        return Node("", json.loads(text), format)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"not JSON ({error})") from error


@dataclass(frozen=True, slots=True)
class Node:
    """A JSON object and where it stands; every getter checks the type."""

    path: str
    value: object
    format: str
    """The document's, for messages: "json-v1"."""

    def close(self, *keys: str) -> None:
        """Refuse keys that nobody reads."""
        for key in self._object():
            if key not in keys:
                raise UsageError(f"{self._at(key)}: unknown key; {did_you_mean(key, keys)}")

    def text(self, key: str) -> str:
        return cast(str, self._typed(key, str, "text"))

    def text_or_none(self, key: str) -> str | None:
        return None if self._get(key) is None else self.text(key)

    def integer(self, key: str) -> int:
        return cast(int, self._typed(key, int, "a whole number"))

    def count(self, key: str) -> int:
        value = self.integer(key)
        if value < 0:
            raise UsageError(f"{self._at(key)}: expected 0 or more, got {value}")
        return value

    def integer_or_none(self, key: str) -> int | None:
        return None if self._get(key) is None else self.integer(key)

    def number(self, key: str) -> float:
        return float(cast(float, self._typed(key, (int, float), "a number")))

    def flag(self, key: str) -> bool:
        value = self._get(key)
        if not isinstance(value, bool):
            raise self._expected(key, "true or false", value)
        return value

    def word(self, key: str, words: type[_Word]) -> _Word:
        text = self.text(key)
        try:
            return words(text)
        except ValueError:
            known = [word.value for word in words]
            raise UsageError(f"{self._at(key)}: unknown value '{text}'; {did_you_mean(text, known)}") from None

    def words(self, key: str, kind: type[_Word]) -> tuple[_Word, ...]:
        known = {word.value: word for word in kind}
        for index, text in enumerate(self.texts(key)):
            if text not in known:
                raise UsageError(f"{self._at(f'{key}[{index}]')}: unknown value '{text}'; {did_you_mean(text, known)}")
        return tuple(known[text] for text in self.texts(key))

    def texts(self, key: str) -> tuple[str, ...]:
        items = self._list(key)
        for index, item in enumerate(items):
            if not isinstance(item, str):
                raise self._expected(f"{key}[{index}]", "text", item)
        return tuple(cast("list[str]", items))

    def text_map(self, key: str) -> Mapping[str, str]:
        node = self.node(key)
        return {name: node.text(name) for name in node._object()}

    def word_map(self, key: str, words: type[_Word]) -> Mapping[str, _Word]:
        node = self.node(key)
        return {name: node.word(name, words) for name in node._object()}

    def number_map(self, key: str) -> Mapping[str, float]:
        node = self.node(key)
        return {name: node.number(name) for name in node._object()}

    def node(self, key: str) -> Node:
        return replace(self, path=self._at(key), value=self._get(key))

    def node_or_none(self, key: str) -> Node | None:
        return None if self._get(key) is None else self.node(key)

    def nodes(self, key: str) -> Iterator[Node]:
        for index, item in enumerate(self._list(key)):
            yield replace(self, path=f"{self._at(key)}[{index}]", value=item)

    def _at(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key

    def _object(self) -> dict[str, object]:
        if not isinstance(self.value, dict):
            raise UsageError(f"{self.path or 'the document'}: expected an object, got {_kind(self.value)}")
        return self.value

    def _get(self, key: str) -> object:
        values = self._object()
        if key not in values:
            raise UsageError(f"{self._at(key)}: the key is missing; is this a complete {self.format} document?")
        return values[key]

    def _typed(self, key: str, types: type | tuple[type, ...], noun: str) -> object:
        value = self._get(key)
        if isinstance(value, bool) or not isinstance(value, types):
            raise self._expected(key, noun, value)
        return value

    def _list(self, key: str) -> list[object]:
        return cast("list[object]", self._typed(key, list, "a list"))

    def _expected(self, key: str, noun: str, value: object) -> UsageError:
        return UsageError(f"{self._at(key)}: expected {noun}, got {_kind(value)}")


def _kind(value: object) -> str:
    kinds = {dict: "an object", list: "a list", str: "text", bool: "a boolean", type(None): "null"}
    return kinds.get(type(value), "a number")


def names_of(of: type) -> tuple[str, ...]:
    """The keys of an object are the fields of the value that it becomes."""
    return tuple(field.name for field in dataclasses.fields(of))
