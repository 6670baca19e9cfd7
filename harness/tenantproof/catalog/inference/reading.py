"""
What policies compare with what: who the caller is taken to be, and by which columns.

Read from the policies, from the functions they call and from column defaults.  This is evidence of what a column
*means*, never of what is allowed: whether a policy opens a table is none of this module's business.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tenantproof.catalog.inference.keys import PLATFORM_SCHEMAS, Key
from tenantproof.catalog.inference.principals import (
    USER,
    Principal,
    claim_named_by,
    of_claim,
    of_setting,
    settings_in,
    steps_from,
)
from tenantproof.catalog.inference.tokens import (
    KEYWORDS,
    Token,
    after,
    arguments,
    bare,
    before,
    closing,
    tokenize,
)
from tenantproof.core.catalog import Catalog, Function
from tenantproof.core.model import Command, QName

_COMPARES = frozenset({"=", "@>", "<@", "&&", "?"})
_AMONG = frozenset({"@>", "<@", "&&", "?"})
_NOW = frozenset({"now", "current_date", "current_timestamp", "localtimestamp", "clock_timestamp"})
_OF_LITERALS = frozenset({"text", "cast", "open", "close", "number"})


@dataclass(slots=True)
class Expression:
    """What an expression over a row's columns is compared with."""

    keys: set[Key] = field(default_factory=set)
    principals: set[Principal] = field(default_factory=set)
    literals: dict[str, None] = field(default_factory=dict)


@dataclass(slots=True)
class Facts:
    """What was read; every mapping answers "nothing" for what it does not know."""

    equal: dict[Key, set[Principal]] = field(default_factory=lambda: defaultdict(set))
    """Column -> what it is compared with."""
    links: dict[Key, set[Key]] = field(default_factory=lambda: defaultdict(set))
    """Column -> columns it is compared with, or is looked for among."""
    literals: dict[Key, dict[str, None]] = field(default_factory=lambda: defaultdict(dict))
    """Column -> constants it is compared with, in order."""
    said: dict[Principal, dict[str, None]] = field(default_factory=lambda: defaultdict(dict))
    """Claim or setting -> constants it is compared with, in order."""
    asked: set[QName] = field(default_factory=set)
    """Tables in which policies, or functions they call, look the caller up."""
    null_open: set[Key] = field(default_factory=set)
    """Columns for which a SELECT policy says IS NULL."""
    defaults: dict[Key, set[Principal]] = field(default_factory=lambda: defaultdict(set))
    """Column -> what its default takes from the caller."""
    expressions: dict[QName, dict[str, Expression]] = field(default_factory=lambda: defaultdict(dict))
    """Table -> expressions over its columns that policies compare, as SQL, with what they are compared with."""
    later: set[Key] = field(default_factory=set)
    """Columns that have to be later than now."""
    lists: set[Principal] = field(default_factory=set)
    """Claims and settings that hold several values."""


@dataclass(slots=True)
class _Called:
    """What a function does with its arguments and what it answers."""

    principals: set[Principal] = field(default_factory=set)
    selected: set[Key] = field(default_factory=set)
    parameters: dict[int, set[Key]] = field(default_factory=lambda: defaultdict(set))
    names: dict[str, int] = field(default_factory=dict)
    variadic: int | None = None
    reads_claim_by: int | None = None
    """The parameter that names the claim to be answered."""


@dataclass(slots=True, kw_only=True)
class _Scope:
    """Where names in a text point to."""

    tokens: tuple[Token, ...]
    table: QName | None = None
    aliases: Mapping[str, frozenset[QName]] = field(default_factory=dict)
    parameters: Mapping[str, int] = field(default_factory=dict)
    variables: dict[str, set[Principal]] = field(default_factory=dict)
    called: _Called | None = None


@dataclass(slots=True, kw_only=True)
class _Operand:
    keys: set[Key] = field(default_factory=set)
    principals: set[Principal] = field(default_factory=set)
    literals: tuple[str, ...] = ()
    parameters: set[int] = field(default_factory=set)
    own: bool = False
    """Whether it is a column of the policy's own table, without an alias."""
    expression: str = ""
    """An expression over columns of the policy's own table, as SQL."""


def read_policies(catalog: Catalog) -> Facts:
    """The facts of all policies and defaults of a catalog."""
    reader = _Reader(catalog)
    for relation in catalog.relations.values():
        for policy in relation.policies:
            for text in (policy.using, policy.check):
                if text:
                    reads = policy.permissive and policy.command in (None, Command.SELECT) and text is policy.using
                    reader.policy(relation.name, text, reads=reads)
        for column in relation.columns:
            if column.default and "(" in column.default and not column.default.startswith("nextval("):
                scope = reader.scope(tokenize(column.default), relation.name)
                reader.facts.defaults[relation.name, column.name] |= reader.principals(scope.tokens, scope)
    for function in catalog.functions:
        if "current_setting" in function.source and function.name.schema not in PLATFORM_SCHEMAS:
            for principal in settings_in(tokenize(function.source)):
                reader.facts.said.setdefault(principal, {})
    return reader.facts


class _Reader:
    """One pass; functions are read once, when they are first called."""

    def __init__(self, catalog: Catalog) -> None:
        self.facts = Facts()
        self._columns = {name: frozenset(r.column_names) for name, r in catalog.relations.items()}
        self._by_name: dict[str, list[QName]] = defaultdict(list)
        for name in catalog.relations:
            self._by_name[name.name].append(name)
        self._functions: dict[str, list[Function]] = defaultdict(list)
        for function in catalog.functions:
            self._functions[function.name.name].append(function)
        self._called: dict[tuple[str, ...], _Called] = {}

    def policy(self, table: QName, text: str, *, reads: bool) -> None:
        """Take in one expression of a policy; *reads* tells that it opens rows for SELECT."""
        scope = self.scope(tokenize(text), table)
        self._compare(scope)
        if reads:
            self.facts.null_open |= set(_null_tests(scope, self._columns.get(table, frozenset())))

    def scope(self, tokens: tuple[Token, ...], table: QName | None) -> _Scope:
        return _Scope(tokens=tokens, table=table, aliases=self._aliases(tokens))

    def _aliases(self, tokens: Sequence[Token]) -> dict[str, frozenset[QName]]:
        found: dict[str, set[QName]] = defaultdict(set)
        for place, token in enumerate(tokens):
            if token.says("from", "join", "update", "into", "using") and not _is_distinct(tokens, place):
                for alias, names in self._sources(tokens, place + 1):
                    found[alias] |= names
        return {alias: frozenset(names) for alias, names in found.items()}

    def _sources(self, tokens: Sequence[Token], place: int) -> Iterator[tuple[str, set[QName]]]:
        """Tables of a FROM list with the names they go by."""
        while place < len(tokens):
            while place < len(tokens) and (tokens[place].says("only", "lateral") or tokens[place].text == "("):
                place += 1
            if place >= len(tokens) or tokens[place].kind != "name" or tokens[place].says(*KEYWORDS):
                return
            name, place = tokens[place], place + 1
            if place < len(tokens) and tokens[place].text == "(":
                place = closing(tokens, place) + 1
                names: set[QName] = set()
            else:
                names = set(self._tables(name.parts))
            if names:
                yield name.parts[-1], names
            if place < len(tokens) and tokens[place].says("as"):
                place += 1
            if place < len(tokens) and tokens[place].kind == "name" and not tokens[place].says(*KEYWORDS):
                if names:
                    yield tokens[place].parts[-1], names
                place += 1
            if place >= len(tokens) or tokens[place].text != ",":
                return
            place += 1

    def _tables(self, parts: tuple[str, ...]) -> Iterable[QName]:
        if len(parts) >= 2:
            name = QName(parts[-2], parts[-1])
            return (name,) if name in self._columns else ()
        return self._by_name.get(parts[0], ())

    def resolve(self, parts: tuple[str, ...], scope: _Scope) -> set[Key]:
        """The columns that a name may stand for."""
        column = parts[-1]
        if len(parts) == 1:
            tables: Iterable[QName] = [scope.table] if scope.table else [t for a in scope.aliases.values() for t in a]
        elif len(parts) == 2:
            tables = scope.aliases.get(parts[0], frozenset())
            if scope.table is not None and scope.table.name == parts[0]:
                tables = {*tables, scope.table}
        else:
            tables = [QName(parts[-3], parts[-2])]
        return {(table, column) for table in tables if column in self._columns.get(table, ())}

    def _compare(self, scope: _Scope) -> None:
        tokens = scope.tokens
        for place, token in enumerate(tokens):
            if token.kind == "assign":
                self._assign(scope, place)
            elif token.kind == "operator" and token.text in (">", ">=", "<", "<="):
                self._in_time(scope, place)
            elif (token.kind == "operator" and token.text in _COMPARES) or token.says("in"):
                if place and not tokens[place - 1].says("not"):
                    left = self.operand(before(tokens, place), scope)
                    right = self.operand(after(tokens, place + 1), scope)
                    self._match(scope, left, right)
                    if token.text in _AMONG:
                        self.facts.lists |= left.principals | right.principals
            elif token.kind == "name" and place + 1 < len(tokens) and tokens[place + 1].text == "(":
                self._pass(scope, place)

    def _in_time(self, scope: _Scope, place: int) -> None:
        """`left_on > current_date`: what is over does not count."""
        sides = [before(scope.tokens, place), after(scope.tokens, place + 1)]
        late, now = sides if scope.tokens[place].text[0] == ">" else reversed(sides)
        if any(part in _NOW for token in now for part in token.parts) and (name := bare(late)):
            self.facts.later |= self.resolve(name, scope)

    def _assign(self, scope: _Scope, place: int) -> None:
        """`caller uuid := auth.uid()`, in a declaration or a body."""
        principals = self.principals(after(scope.tokens, place + 1), scope)
        if principals:
            for token in scope.tokens[max(0, place - 3) : place]:
                if token.kind == "name" and len(token.parts) == 1 and not token.says(*KEYWORDS):
                    scope.variables.setdefault(token.parts[0], set()).update(principals)

    def _match(self, scope: _Scope, left: _Operand, right: _Operand) -> None:
        for one, other in ((left, right), (right, left)):
            for key in one.keys:
                self._learn(key, one, other)
            for parameter in one.parameters:
                if scope.called is not None:
                    scope.called.parameters[parameter] |= other.keys
            for principal in one.principals:
                self.facts.said[principal].update(dict.fromkeys(other.literals))
            if one.expression and scope.table is not None:
                known = self.facts.expressions[scope.table].setdefault(one.expression, Expression())
                known.keys |= other.keys
                known.principals |= other.principals
                known.literals.update(dict.fromkeys(other.literals))

    def _learn(self, key: Key, one: _Operand, other: _Operand) -> None:
        self.facts.literals[key].update(dict.fromkeys(other.literals))
        self.facts.links[key] |= other.keys - {key}
        self.facts.equal[key] |= other.principals
        if other.principals and not one.own:
            self.facts.asked.add(key[0])

    def _pass(self, scope: _Scope, place: int) -> None:
        """Arguments of a call are compared with what the function compares its parameters with."""
        called = self._function(scope.tokens[place].parts)
        if called is None or not called.parameters:
            return
        for number, argument in enumerate(arguments(scope.tokens, place + 1)):
            at = number
            if len(argument) > 2 and argument[1].text in ("=>", ":=") and argument[0].parts:
                at = called.names.get(argument[0].parts[-1], number)
                argument = argument[2:]
            if called.variadic is not None and at > called.variadic:
                at = called.variadic
            keys = called.parameters.get(at)
            if keys:
                given = self.operand(argument, scope)
                self._match(scope, given, _Operand(keys=set(keys)))

    def operand(self, tokens: tuple[Token, ...], scope: _Scope) -> _Operand:
        """One side of a comparison."""
        name = bare(tokens)
        if name:
            return self._named(name, scope)
        if len(tokens) == 1 and tokens[0].kind == "parameter":
            return _Operand(parameters={int(tokens[0].text[1:]) - 1})
        if all(t.kind in _OF_LITERALS or t.text == "," or t.kind == "name" for t in tokens) and _only_literals(tokens):
            return _Operand(literals=tuple(t.literal for t in tokens if t.kind == "text"))
        if len(tokens) > 2 and tokens[0].says("any", "all", "some"):
            return self.operand(_unwrapped(tokens[1:]), scope)
        return _Operand(
            keys=self._selected(tokens, scope),
            principals=self.principals(tokens, scope),
            expression=self._over_columns(tokens, scope),
        )

    def _over_columns(self, tokens: Sequence[Token], scope: _Scope) -> str:
        """The tokens as SQL where they compute something from columns of the policy's own table alone."""
        columns = self._columns.get(scope.table, frozenset()) if scope.table is not None else frozenset()
        written, own = [], False
        for place, token in enumerate(tokens):
            if token.kind != "name" or (place and tokens[place - 1].kind == "cast"):
                written.append(token.text)
            elif place + 1 < len(tokens) and tokens[place + 1].text == "(":
                if token.parts[0] == "auth" or token.parts[-1] == "current_setting":
                    return ""
                written.append(token.text)
            elif token.parts[-1] in columns and not token.says(*KEYWORDS):
                mine = len(token.parts) == 1 or (scope.table is not None and token.parts[-2] == scope.table.name)
                if not mine:
                    return ""
                own = True
                written.append(token.text.rpartition(".")[2])
            else:
                return ""
        return "".join(written) if own else ""

    def _named(self, name: tuple[str, ...], scope: _Scope) -> _Operand:
        if len(name) == 1 and name[0] in scope.variables:
            return _Operand(principals=set(scope.variables[name[0]]))
        keys = self.resolve(name, scope)
        number = scope.parameters.get(name[-1]) if len(name) <= 2 else None
        if number is not None and (not keys or len(name) == 1):
            return _Operand(parameters={number})
        return _Operand(keys=keys, own=len(name) == 1 and scope.table is not None)

    def _selected(self, tokens: Sequence[Token], scope: _Scope) -> set[Key]:
        """Columns whose values an expression consists of: of its SELECT list, or what its functions answer."""
        found: set[Key] = set()
        for place, token in enumerate(tokens):
            if token.says("select"):
                for item in _item(tokens, place + 1):
                    if item.kind == "name" and not item.says(*KEYWORDS):
                        found |= (
                            self.resolve(item.parts, scope) if len(item.parts) > 1 else self._unaliased(item, scope)
                        )
            if token.kind == "name" and place + 1 < len(tokens) and tokens[place + 1].text == "(":
                called = self._function(token.parts)
                found |= called.selected if called is not None else set()
        return found

    def _unaliased(self, item: Token, scope: _Scope) -> set[Key]:
        tables = (table for names in scope.aliases.values() for table in names)
        return {(table, item.parts[0]) for table in tables if item.parts[0] in self._columns.get(table, ())}

    def principals(self, tokens: Sequence[Token], scope: _Scope) -> set[Principal]:
        """What an expression takes from the caller; nothing where it looks things up in tables."""
        if any(t.says("from") and not _is_distinct(tokens, place) for place, t in enumerate(tokens)):
            return set()
        found: set[Principal] = set()
        for place, token in enumerate(tokens):
            if token.kind != "name":
                continue
            if place + 1 < len(tokens) and tokens[place + 1].text == "(":
                found |= self._answered(tokens, place)
            elif len(token.parts) == 1 and token.parts[0] in scope.variables:
                found |= scope.variables[token.parts[0]]
        return found

    def _answered(self, tokens: Sequence[Token], place: int) -> set[Principal]:
        parts, end = tokens[place].parts, closing(tokens, place + 1)
        literal = next((t.literal for t in tokens[place + 2 : end] if t.kind == "text"), None)
        if parts[-2:] == ("auth", "uid"):
            return {USER}
        if parts[-2:] == ("auth", "jwt"):
            return of_claim(steps_from(tokens, end + 1))
        if parts[-1] == "current_setting" and literal is not None:
            return of_setting(literal, steps_from(tokens, end + 1))
        called = self._function(parts)
        if called is None:
            return set()
        if called.reads_claim_by is not None and literal is not None:
            return {Principal(p.kind, (*p.path, literal)) for p in called.principals or {Principal("claim")}}
        steps = steps_from(tokens, end + 1)
        return {Principal(p.kind, (*p.path, *steps)) if steps and p.kind == "claim" else p for p in called.principals}

    def _function(self, parts: tuple[str, ...]) -> _Called | None:
        if parts in self._called:
            return self._called[parts]
        functions = [
            function
            for function in self._functions.get(parts[-1], ())
            if (len(parts) == 1 or function.name.schema == parts[-2])
            and function.name.schema not in PLATFORM_SCHEMAS
            and function.source
        ]
        if not functions:
            return None
        called = self._called[parts] = _Called()  # before it is read: functions call themselves
        for function in functions:
            self._read(function, called)
        return called

    def _read(self, function: Function, called: _Called) -> None:
        inputs = [argument for argument in function.arguments if argument.mode in ("i", "b", "v")]
        for number, argument in enumerate(inputs):
            called.names.setdefault(argument.name, number)
            if argument.mode == "v":
                called.variadic = number
        tokens = tokenize(function.source)
        scope = _Scope(
            tokens=tokens,
            aliases=self._aliases(tokens),
            parameters={argument.name: number for number, argument in enumerate(inputs) if argument.name},
            called=called,
        )
        self._compare(scope)
        called.principals |= self.principals(tokens, scope)
        called.selected |= self._selected(tokens, scope)
        by = claim_named_by(tokens, scope.parameters)
        if by is not None:
            called.reads_claim_by = by
            called.principals = {p for p in called.principals if p.kind == "claim"} or {Principal("claim")}


def _is_distinct(tokens: Sequence[Token], place: int) -> bool:
    """Whether a FROM belongs to IS [NOT] DISTINCT FROM."""
    return place > 1 and tokens[place - 1].says("distinct") and tokens[place - 2].says("is", "not")


def _only_literals(tokens: Sequence[Token]) -> bool:
    """Whether names are type names or ARRAY alone, and there is a constant."""
    named = [place for place, token in enumerate(tokens) if token.kind == "name"]
    plain = all(tokens[p].says("array", "any", "all", "row") or (p and tokens[p - 1].kind == "cast") for p in named)
    return plain and any(token.kind == "text" for token in tokens)


def _unwrapped(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    while tokens and tokens[0].text == "(" and closing(tokens, 0) == len(tokens) - 1:
        tokens = tokens[1:-1]
    return tokens


def _item(tokens: Sequence[Token], start: int) -> Iterator[Token]:
    """The first item of a SELECT list."""
    depth = 0
    for token in tokens[start:]:
        depth += (token.kind == "open") - (token.kind == "close")
        if depth < 0 or (depth == 0 and (token.text in ",;" or token.says("from", "into", "where", "union", "as"))):
            return
        yield token


def _null_tests(scope: _Scope, columns: frozenset[str]) -> Iterator[Key]:
    """`column IS NULL` of the policy's own table."""
    tokens = scope.tokens
    for place in range(2, len(tokens)):
        if tokens[place].says("null") and tokens[place - 1].says("is") and tokens[place - 2].kind == "name":
            parts = tokens[place - 2].parts
            if parts[-1] in columns and scope.table is not None and (len(parts) == 1 or parts[-2] == scope.table.name):
                yield scope.table, parts[-1]
