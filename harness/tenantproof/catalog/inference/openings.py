"""
Rows that a policy opens to people of other tenants because of what the rows themselves say: public profiles, what is
published, what a flag shares.

An opening is evidence that somebody meant it, and a draft declares it for people to confirm.  So little is believed:
the condition asks the row alone (constants and its own columns; no function, no table, no word about the user), and
at least one test says that the row is open.  `true`, `deleted_at IS NULL` or `status = 'active'` say nothing of the
kind: on a tenant's table these are leaks.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tenantproof.catalog.inference.ground import Ground
from tenantproof.catalog.inference.lexicon import CONTACT_WORDS, INNER_WORDS, OPEN_WORDS, STATE_WORDS, stems, words
from tenantproof.catalog.inference.proposal import Decision, Kind, Opening
from tenantproof.catalog.inference.sql_text import quoted
from tenantproof.catalog.inference.tokens import Token, bare, closing, tokenize
from tenantproof.core.catalog import Policy, Relation
from tenantproof.core.model import Command, QName

_MOST_BRANCHES = 32
"""A condition that multiplies out to more branches is not read: nobody means an opening by it."""

_BOOL = "pg_catalog.bool"
_SIGNED_IN = frozenset({"auth.uid()isnotnull", "auth.role()='authenticated'"})


@dataclass(frozen=True, slots=True)
class Readers:
    """The privileges of the role without a token, and of the role of whoever signed in."""

    anon: frozenset[str]
    signed: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Test:
    """One test of a condition: as SQL for the scenario, and whether it says that the row is open.

    `sql` is empty where it asks nothing of the row.
    """

    sql: str = ""
    opens: bool = False
    signed: bool = False
    """Whether it asks that somebody signed in."""
    columns: frozenset[str] = frozenset()


def find_openings(ground: Ground, decisions: Sequence[Decision], readers: Readers) -> tuple[Opening, ...]:
    """What the draft declares under `expect`, sorted by relation and policy."""
    found: list[Opening] = []
    for decision in decisions:
        relation = ground.catalog.relations[decision.name]
        if relation.is_table and decision.kind in (Kind.TENANT, Kind.TENANTS, Kind.OWNER):
            found += _of_table(ground, relation, decision, readers)
    found += [
        shown
        for decision in decisions
        if decision.kind in (Kind.TENANT, Kind.OWNER) and not ground.catalog.relations[decision.name].is_table
        for shown in _of_view(ground.catalog.relations[decision.name], found, readers)
    ]
    return tuple(found)


def _of_table(ground: Ground, relation: Relation, decision: Decision, readers: Readers) -> Iterator[Opening]:
    held = readers.anon | readers.signed
    if not relation.rls or any(not p.permissive and p.applies_to(Command.SELECT, held) for p in relation.policies):
        return
    directory = decision.kind is Kind.OWNER and relation.name in ground.people.tables
    discreet = any(set(words(column)) & CONTACT_WORDS for column in relation.column_names)
    taken = ground.tenant_columns.get(relation.name, frozenset()) | frozenset(ground.people.among(relation))
    for policy in ground.privileges.policies(relation, Command.SELECT):
        for tests in _branches(tokenize(policy.using or "true"), relation, taken):
            opening = _opening(relation, policy, tests, readers, directory=directory)
            if opening is not None and (opening.where or not discreet):
                yield opening


def _opening(
    relation: Relation, policy: Policy, tests: tuple[_Test, ...], readers: Readers, *, directory: bool
) -> Opening | None:
    asked = [test for test in tests if test.sql]
    everybody = directory and not asked
    if not everybody and not any(test.opens for test in asked):
        return None
    where = " and ".join(dict.fromkeys(test.sql for test in asked))
    # That a directory is open without signing in is the starter template's line, and seldom meant: check shows it.
    anon = not everybody and not any(test.signed for test in tests) and _may(relation, policy, readers.anon)
    signed = _may(relation, policy, readers.signed)
    if not (anon or signed):
        return None
    columns = frozenset(column for test in asked for column in test.columns)
    return Opening(
        name=relation.name,
        table=relation.name,
        policy=policy.name,
        where=where,
        columns=columns,
        anon=anon,
        signed=signed,
        directory=directory,
    )


def _may(relation: Relation, policy: Policy, held: frozenset[str]) -> bool:
    """Whether a role may read the whole relation, and the policy is for it."""
    return policy.applies_to(Command.SELECT, held) and _granted(relation, held)


def _granted(relation: Relation, held: frozenset[str]) -> bool:
    return any(g.grantee in held and g.privilege == "SELECT" for g in relation.grants)


def _of_view(view: Relation, tables: Sequence[Opening], readers: Readers) -> Iterator[Opening]:
    """A view that asks as its caller shows what the table opens, where it has the columns that say so."""
    if view.options.get("security_invoker", "false").lower() not in ("true", "on", "1", "yes"):
        return
    for opening in tables:
        if opening.table in view.base_relations and opening.columns <= set(view.column_names):
            anon = opening.anon and _granted(view, readers.anon)
            signed = opening.signed and _granted(view, readers.signed)
            if anon or signed:
                yield Opening(
                    name=view.name,
                    table=opening.table,
                    policy=opening.policy,
                    where=opening.where,
                    columns=opening.columns,
                    anon=anon,
                    signed=signed,
                    directory=opening.directory,
                )


def _branches(tokens: Sequence[Token], relation: Relation, taken: frozenset[str]) -> Iterator[tuple[_Test, ...]]:
    """The ways in which a condition holds that ask the row alone, each as tests that all hold."""
    for branch in _multiplied(tokens):
        tests = [_test(part, relation, taken) for part in branch]
        if all(test is not None for test in tests):
            yield tuple(test for test in tests if test is not None)


def _multiplied(tokens: Sequence[Token]) -> list[tuple[tuple[Token, ...], ...]]:
    """A condition as an OR of ANDs (disjunctive normal form); none where it would be too long."""
    inner = _unwrapped(tuple(tokens))
    either = _split(inner, "or")
    if len(either) > 1:
        return [branch for part in either for branch in _multiplied(part)][: _MOST_BRANCHES + 1]
    both = _split(inner, "and")
    if len(both) == 1:
        return [(inner,)]
    parts = [_multiplied(part) for part in both]
    count = 1
    for part in parts:
        count *= len(part)
    if count > _MOST_BRANCHES:
        return []
    return [tuple(test for tests in choice for test in tests) for choice in itertools.product(*parts)]


def _unwrapped(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    while len(tokens) > 1 and tokens[0].text == "(" and closing(tokens, 0) == len(tokens) - 1:
        tokens = tokens[1:-1]
    return tokens


def _split(tokens: tuple[Token, ...], keyword: str) -> list[tuple[Token, ...]]:
    """The parts between a keyword outside all brackets."""
    parts, start, depth = [], 0, 0
    for place, token in enumerate(tokens):
        depth += (token.kind == "open") - (token.kind == "close")
        if depth == 0 and token.says(keyword):
            parts.append(tokens[start:place])
            start = place + 1
    return [*parts, tokens[start:]]


def _test(tokens: tuple[Token, ...], relation: Relation, taken: frozenset[str]) -> _Test | None:
    """One test, or None where it asks for more than the row."""
    if len(tokens) == 1 and tokens[0].says("true"):
        return _Test()
    if _signed_in(tokens):
        return _Test(signed=True)
    if tokens and tokens[0].says("not"):
        column = _column(tokens[1:], relation, taken)
        return _Test(sql=f"not {quoted(column)}", columns=frozenset({column})) if column else None
    for place, token in enumerate(tokens):
        if token.says("is"):
            return _of_null(_column(tokens[:place], relation, taken), tokens[place + 1 :])
        if token.kind == "operator" and token.text in ("=", "<>"):
            column = _column(tokens[:place], relation, taken)
            return _of_constants(column, token.text, tokens[place + 1 :])
    column = _column(tokens, relation, taken)
    if not column or relation.column(column).base_type != _BOOL:
        return None
    return _Test(sql=quoted(column), opens=_is_open_flag(column), columns=frozenset({column}))


def _signed_in(tokens: Sequence[Token]) -> bool:
    """`auth.uid() IS NOT NULL`, `(SELECT auth.role() AS role) = 'authenticated'::text`."""
    text = "".join(token.text.lower() for token in tokens)
    for name in ("uid", "role"):
        text = text.replace(f"(selectauth.{name}()as{name})", f"auth.{name}()")
    return text.replace("::text", "").replace("(auth.uid())", "auth.uid()") in _SIGNED_IN


def _column(tokens: Sequence[Token], relation: Relation, taken: frozenset[str]) -> str:
    """The row's column that an operand consists of; empty for anything else, and for whose the row is."""
    name = bare(tokens)
    known = len(name) == 1 and name[0] in relation.column_names and name[0] not in taken
    return name[0] if known else ""


def _of_null(column: str, asked: Sequence[Token]) -> _Test | None:
    """`published_at IS NOT NULL` opens, `deleted_at IS NULL` does not."""
    said = " ".join(token.text.lower() for token in asked)
    if not column or said not in ("null", "not null", "true", "not true", "false", "not false"):
        return None
    opens = (said == "not null" and _says_open(column)) or (said == "true" and _is_open_flag(column))
    return _Test(sql=f"{quoted(column)} is {said}", opens=opens, columns=frozenset({column}))


def _of_constants(column: str, operator: str, right: Sequence[Token]) -> _Test | None:
    """`is_public = true`, `status = 'published'`, `visibility = ANY (ARRAY['public', 'unlisted'])`."""
    if not column:
        return None
    inner = _unwrapped(tuple(right))
    if len(inner) == 1 and inner[0].says("true", "false"):
        opens = inner[0].says("true") == (operator == "=") and _is_open_flag(column)
        sql = f"{quoted(column)} {operator} {inner[0].text.lower()}"
        return _Test(sql=sql, opens=opens, columns=frozenset({column}))
    constants = _constants(inner)
    if not constants:
        return None
    several = inner[0].says("any")
    if several and operator != "=":
        return None
    value = f"in ({', '.join(constants)})" if several else f"{operator} {constants[0]}"
    said = [set(words(constant)) for constant in constants]
    opens = operator == "=" and all(spoken & OPEN_WORDS and not spoken & INNER_WORDS for spoken in said)
    return _Test(sql=f"{quoted(column)} {value}", opens=opens, columns=frozenset({column}))


def _constants(tokens: Sequence[Token]) -> list[str]:
    """The constants that an operand consists of, as SQL; none where there is anything else."""
    names = [place for place, token in enumerate(tokens) if token.kind == "name"]
    if any(token.kind in ("operator", "parameter", "body", "assign") for token in tokens):
        return []
    if not all(tokens[place].says("any", "array") or _in_type(tokens, place) for place in names):
        return []
    return [token.text for token in tokens if token.kind in ("text", "number")]


def _in_type(tokens: Sequence[Token], place: int) -> bool:
    """Whether a name is that of a type, after a cast: `text`, and both words of `character varying`."""
    if place and tokens[place - 1].kind == "cast":
        return True
    return place > 1 and tokens[place].says("varying", "precision") and tokens[place - 2].kind == "cast"


def _is_open_flag(column: str) -> bool:
    """A flag opens rows, unless its name speaks of people inside, or of a state that has nothing to do with them."""
    said = {*words(column), *stems(column)}
    return not said & (INNER_WORDS | STATE_WORDS)


def _says_open(column: str) -> bool:
    said = {*words(column), *stems(column)}
    return bool(said & OPEN_WORDS) and not said & INNER_WORDS


def by_relation(openings: Sequence[Opening]) -> Mapping[QName, tuple[Opening, ...]]:
    """The openings of each relation, sorted by name."""
    grouped: dict[QName, list[Opening]] = {}
    for opening in sorted(openings, key=lambda o: o.name):
        grouped.setdefault(opening.name, []).append(opening)
    return {name: tuple(found) for name, found in grouped.items()}
