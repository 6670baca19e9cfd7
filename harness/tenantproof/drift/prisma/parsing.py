"""
Reads a Prisma schema: https://www.prisma.io/docs/orm/reference/prisma-schema-reference.

Tolerant of what does not concern the database's shape (unknown attributes, generators, documentation comments); what
cannot be read is a problem with line and column, and all problems are told at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tenantproof.core.errors import Problem, did_you_mean
from tenantproof.drift.prisma.attributes import Attribute, arguments
from tenantproof.drift.prisma.model import Enum, Field, Model, PrismaError, PrismaSchema, Reference
from tenantproof.drift.prisma.tokens import Token, tokens
from tenantproof.drift.prisma.types import SCALARS, UNSUPPORTED

_BLOCKS = frozenset({"model", "view", "enum", "type", "datasource", "generator"})
_OPEN, _CLOSE = frozenset("([{"), frozenset(")]}")


def load_prisma(path: Path) -> PrismaSchema:
    """Read a schema file, or a folder of `*.prisma` files.  Raises PrismaError with every problem."""
    try:
        files = sorted(path.rglob("*.prisma")) if path.is_dir() else [path]
        texts = {file.as_posix(): file.read_text(encoding="utf-8-sig") for file in files}
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise PrismaError([Problem(path.as_posix(), 1, 1, "unreadable", f"cannot be read: {reason}")]) from None
    if not texts:
        raise PrismaError([Problem(path.as_posix(), 1, 1, "empty", "this folder holds no *.prisma file")])
    return parse_prisma(texts, path.as_posix())


def parse_prisma(texts: dict[str, str], path: str) -> PrismaSchema:
    """A schema from the texts of its files, by path.  Raises PrismaError with every problem."""
    parsers = [_Parser(path=name, text=text, queue=list(tokens(text))) for name, text in texts.items()]
    for parser in parsers:
        parser.run()
    problems = [problem for parser in parsers for problem in parser.problems]
    models = {model.name: model for parser in parsers for model in parser.models}
    enums = {enum.name: enum for parser in parsers for enum in parser.enums}
    composite = {name for parser in parsers for name in parser.composite}
    problems += [p for parser in parsers for p in parser.unknown_types({*models, *enums, *composite})]
    if not problems and not models:
        problems.append(Problem(path, 1, 1, "empty", "no model in this schema", "is it the right file?"))
    if problems:
        raise PrismaError(problems)
    enforces = all(parser.enforces for parser in parsers)
    return PrismaSchema(path=path, models=models, enums=enums, enforces=enforces)


@dataclass(slots=True, kw_only=True)
class _Parser:
    path: str
    text: str
    queue: list[Token]
    at: int = 0
    problems: list[Problem] = field(default_factory=list)
    models: list[Model] = field(default_factory=list)
    enums: list[Enum] = field(default_factory=list)
    composite: list[str] = field(default_factory=list)
    enforces: bool = True

    def run(self) -> None:
        """Read block after block."""
        while (token := self._next_word()).kind != "end":
            if token.text in _BLOCKS and self._peek().kind == "word":
                self._block(token.text, self._take())
            else:
                hint = did_you_mean(token.text, _BLOCKS)
                self._complain(token, f"expected a block such as `model Name {{`, not '{token.text}'", hint)
                self._skip_line()

    def unknown_types(self, known: Iterable[str]) -> Iterator[Problem]:
        """Fields whose type is neither a scalar nor declared."""
        names = {*known, *SCALARS, UNSUPPORTED}
        for model in self.models:
            for item in model.fields:
                if item.type not in names:
                    said = f"{model.name}.{item.name}: unknown type '{item.type}'"
                    yield self._problem(item.place[1], 1, "unknown-type", said, did_you_mean(item.type, names))

    def _block(self, kind: str, name: Token) -> None:
        if self._take_if("{") is None:
            self._complain(name, f"expected '{{' after '{kind} {name.text}'", "open the block on the same line")
            self._skip_line()
            return
        lines = list(self._lines(name))
        if kind in ("model", "view"):
            self._model(kind, name, lines)
        elif kind == "enum":
            self._enum(name, lines)
        elif kind == "type":
            self.composite.append(name.text)
        elif kind == "datasource":
            said = "".join(token.text for line in lines for token in line)
            self.enforces &= 'relationMode="prisma"' not in said

    def _lines(self, opener: Token) -> Iterator[list[Token]]:
        """The statements of a block: a line each, longer where parentheses are open."""
        line: list[Token] = []
        depth = 0
        while (token := self._take()).kind != "end":
            if token.kind == "mark" and token.text == "}" and depth == 0:
                if line:
                    yield line
                return
            if token.kind == "mark":
                depth += (token.text in _OPEN) - (token.text in _CLOSE)
            if token.kind == "newline" and depth <= 0:
                if line:
                    yield line
                line, depth = [], 0
            else:
                line.append(token)
        self._complain(opener, f"the block '{opener.text}' is never closed", "add '}'")

    def _model(self, kind: str, name: Token, lines: Iterable[list[Token]]) -> None:
        fields: list[Field] = []
        attributes: list[Attribute] = []
        for line in lines:
            if line[0].text == "@@":
                attributes += self._attributes(line)
            elif (found := self._field(line)) is not None:
                fields.append(found)
        self.models.append(
            Model(
                name=name.text,
                table=_mapped(attributes, "map") or name.text,
                place=(self.path, name.line),
                fields=tuple(fields),
                schema=_mapped(attributes, "schema"),
                is_view=kind == "view",
                ignored=_has(attributes, "ignore"),
            )
        )

    def _field(self, line: list[Token]) -> Field | None:
        if len(line) < 2 or line[0].kind != "word" or line[1].kind != "word":
            self._complain(line[0], "expected a field: `name Type`", "a field has a name and a type")
            return None
        rest = line[2:]
        unsupported = ""
        if line[1].text == UNSUPPORTED and len(rest) >= 3:
            unsupported, rest = rest[1].string, rest[3:]
        modifiers = ""
        while rest and rest[0].kind == "mark" and rest[0].text in "?[]!":
            modifiers += rest.pop(0).text
        attributes = self._attributes(rest)
        native = next((a for a in attributes if a.name.startswith("db.")), None)
        relation = next((a for a in attributes if a.name == "relation"), None)
        return Field(
            name=line[0].text,
            column=_mapped(attributes, "map") or line[0].text,
            type=line[1].text,
            place=(self.path, line[0].line),
            optional="?" in modifiers,
            is_list="[" in modifiers,
            native=unsupported or (native.name.removeprefix("db.") if native else ""),
            ignored=_has(attributes, "ignore"),
            relation=relation.first.string if relation and relation.first else "",
            reference=_reference(relation),
        )

    def _enum(self, name: Token, lines: Iterable[list[Token]]) -> None:
        values: list[str] = []
        attributes: list[Attribute] = []
        for line in lines:
            found = self._attributes(line if line[0].text == "@@" else line[1:])
            if line[0].text == "@@":
                attributes += found
            else:
                values.append(_mapped(found, "map") or line[0].text)
        self.enums.append(
            Enum(
                name=name.text,
                type=_mapped(attributes, "map") or name.text,
                place=(self.path, name.line),
                values=tuple(values),
                schema=_mapped(attributes, "schema"),
            )
        )

    def _attributes(self, line: list[Token]) -> list[Attribute]:
        """The attributes on a line; anything else on it is a problem."""
        found: list[Attribute] = []
        index = 0
        while index < len(line):
            start = line[index]
            if start.text not in ("@", "@@") or index + 1 >= len(line) or line[index + 1].kind != "word":
                self._complain(start, f"expected an attribute such as `@id`, not '{start.text}'", "")
                return found
            name, index = line[index + 1].text, index + 2
            while index + 1 < len(line) and line[index].text == ".":
                name, index = f"{name}.{line[index + 1].text}", index + 2
            inside: list[Token] = []
            if index < len(line) and line[index].text == "(":
                inside, index = _enclosed(line, index)
            found.append(Attribute(name=name, line=start.line, arguments=arguments(inside)))
        return found

    def _peek(self) -> Token:
        return self.queue[self.at]

    def _take(self) -> Token:
        token = self.queue[self.at]
        self.at = min(self.at + 1, len(self.queue) - 1)
        return token

    def _take_if(self, mark: str) -> Token | None:
        return self._take() if self._peek().text == mark else None

    def _next_word(self) -> Token:
        while (token := self._take()).kind == "newline":
            pass
        return token

    def _skip_line(self) -> None:
        while self._peek().kind not in ("newline", "end"):
            self._take()

    def _complain(self, token: Token, message: str, hint: str) -> None:
        self.problems.append(self._problem(token.line, token.column, "prisma", message, hint, len(token.text)))

    def _problem(self, line: int, column: int, code: str, message: str, hint: str, span: int = 1) -> Problem:
        lines = self.text.splitlines()
        source = lines[line - 1] if line <= len(lines) else ""
        return Problem(self.path, line, column, code, message, hint, source, span)


def _enclosed(line: list[Token], index: int) -> tuple[list[Token], int]:
    """The tokens between a parenthesis and the one that closes it, and the index after that."""
    depth = 0
    for place in range(index, len(line)):
        if line[place].kind == "mark":
            depth += (line[place].text in _OPEN) - (line[place].text in _CLOSE)
        if depth == 0:
            return line[index + 1 : place], place + 1
    return line[index + 1 :], len(line)


def _mapped(attributes: Iterable[Attribute], name: str) -> str:
    """The string that `@map("…")` or `@@schema("…")` gives; empty where there is none."""
    for attribute in attributes:
        if attribute.name == name and attribute.first is not None:
            return attribute.first.string
    return ""


def _has(attributes: Iterable[Attribute], name: str) -> bool:
    return any(attribute.name == name for attribute in attributes)


def _reference(relation: Attribute | None) -> Reference | None:
    fields = relation.argument("fields") if relation else None
    references = relation.argument("references") if relation else None
    if relation is None or fields is None or references is None:
        return None
    deleting, updating = relation.argument("onDelete"), relation.argument("onUpdate")
    return Reference(
        fields=fields.names,
        references=references.names,
        on_delete=deleting.text if deleting else None,
        on_update=updating.text if updating else None,
    )
