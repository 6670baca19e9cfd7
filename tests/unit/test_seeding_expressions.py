"""Conditions as trees: read, taken apart, and turned into demands; nothing here asks a database."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantproof.core.catalog import Column, Relation, RelationKind
from tenantproof.core.model import QName
from tenantproof.seeding.branches import Branch, branches
from tenantproof.seeding.demands import Demand, JsonFact, Reading, read_branch
from tenantproof.seeding.equations import solutions
from tenantproof.seeding.expressions import Kind, Node, expression_of, parse
from tenantproof.seeding.inlining import Body, written_out
from tenantproof.seeding.jsonvalues import json_value
from tenantproof.seeding.partitions import slots


def shown(node: Node | None) -> str:
    """The tree in brackets, without casts."""
    assert node is not None
    node = node.bare
    inner = " ".join(shown(part) for part in node.parts)
    label = node.value if node.kind in (Kind.NAME, Kind.LITERAL, Kind.OPERATOR, Kind.CALL) else f"{node.kind.value}"
    return f"({label} {inner})" if inner else label


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("((a >= 0) AND (a <= 10))", "(and (>= a 0) (<= a 10))"),
        ("(NOT (a IS DISTINCT FROM b))", "(not (is a b))"),
        (
            "((status)::text = ANY ((ARRAY['x'::character varying, 'y'::character varying])::text[]))",
            "(any status (array x y))",
        ),
        ("(EXTRACT(isodow FROM day) = (1)::numeric)", "(= (extract isodow day) 1)"),
        ("(TRIM(BOTH FROM name) <> ''::text)", "(<> (trim name) )"),
        ("((place).country = 'DE'::bpchar)", "(= (field place) DE)"),
        ("(lat > ('-90'::integer)::numeric)", "(> lat -90)"),
        ("((email OPERATOR(public.~) 'x'::public.citext))", "(~ email x)"),
        ("(date_part('year'::text, (at AT TIME ZONE 'UTC'::text)) = 1)", "(= (date_part year (timezone UTC at)) 1)"),
        ("((0)::numeric <= ALL (scores))", "(all 0 scores)"),
        ('("a""b" > 1)', '(> a"b 1)'),
        ("x NOT BETWEEN 1 AND 5 OR y NOT IN (1, 2)", "(or (not (and (>= x 1) (<= x 5))) (not (any y (array 1 2))))"),
        ("CASE a WHEN 1 THEN b ELSE (c IS NULL) END", "(case (= a 1) b (is c))"),
        ("a[1] = 'it''s'::text", "(= (index a 1) it's)"),
    ],
)
def test_what_postgresql_prints_is_read(text: str, tree: str) -> None:
    assert shown(parse(text)) == tree


@pytest.mark.parametrize("text", ["a = ", "(SELECT 1 FROM b)", "a = $$x$$", "((a)", "a ~ 'x' b"])
def test_another_shape_is_not_read(text: str) -> None:
    assert parse(text) is None


def test_a_check_is_freed_from_its_frame() -> None:
    assert expression_of("CHECK ((a > 0)) NO INHERIT NOT VALID") == "((a > 0))"


NAMES = "pqrs"
FORMULAS = st.recursive(
    st.sampled_from(NAMES),
    lambda inner: st.one_of(
        inner.map("(NOT {})".format),
        st.tuples(inner, inner).map("({0[0]} AND {0[1]})".format),
        st.tuples(inner, inner).map("({0[0]} OR {0[1]})".format),
        st.tuples(inner, inner, inner).map("(CASE WHEN {0[0]} THEN {0[1]} ELSE {0[2]} END)".format),
        st.tuples(inner, inner).map("((NOT {0[0]}) = (NOT {0[1]}))".format),
        st.tuples(inner, inner).map("((NOT {0[0]}) <> (NOT {0[1]}))".format),
    ),
    max_leaves=5,
)


def truth(node: Node, world: Mapping[str, bool]) -> bool:
    """What a formula is in a world where each name is true or false."""
    match node.kind:
        case Kind.NAME:
            return world[node.value]
        case Kind.NOT:
            return not truth(node.parts[0], world)
        case Kind.AND:
            return all(truth(part, world) for part in node.parts)
        case Kind.OR:
            return any(truth(part, world) for part in node.parts)
        case Kind.CASE:
            return truth(node.parts[1 if truth(node.parts[0], world) else 2], world)
        case _:
            same = truth(node.parts[0], world) == truth(node.parts[1], world)
            return same == (node.value == "=")


def holds(branch: Branch, world: Mapping[str, bool]) -> bool:
    return all(truth(atom.node, world) == atom.holds for atom in branch)


WORLDS = [
    dict(zip(NAMES, map(bool, bits), strict=True)) for bits in ([n >> i & 1 for i in range(4)] for n in range(16))
]


@given(FORMULAS)
def test_each_way_makes_the_condition_hold(text: str) -> None:
    """A way that holds makes the formula true; where all ways are looked at, a true formula has one that holds."""
    tree = parse(text)
    assert tree is not None
    ways = branches(tree)
    for world in WORLDS:
        if any(holds(way, world) for way in ways):
            assert truth(tree, world)
        elif len(ways) < 64:
            assert not truth(tree, world)


def demand(text: str, column: str = "x") -> Demand:
    return reading(text).demands[column]


def reading(text: str) -> Reading:
    tree = parse(text)
    assert tree is not None
    return read_branch(branches(tree)[0], {})


def test_demands_of_one_column() -> None:
    assert demand("x IN ('a', 'b') AND x <> 'b'").choices == ["a", "b"]
    assert demand("x NOT IN ('a', 'b')").excluded == {"a", "b"}
    assert [(b.operator, b.value) for b in demand("5 < x AND x <= 9").bounds] == [(">", "5"), ("<=", "9")]
    assert demand("char_length(btrim(x)) >= 3").sizes == [(">=", 3)]
    assert demand("x !~ '[^a-z]'").shunned == ["[^a-z]"]
    assert demand("x ~ similar_to_escape('WH[0-9]_')").patterns == ["^(?:WH[0-9][a-z])$"]
    assert demand("starts_with(x, 's3://')").patterns == ["^s3://"]
    assert demand("x <@ ARRAY['a', 'b'] AND cardinality(x) > 0").elements == ["a", "b"]
    assert demand("'admin' = ANY (x)").contained == ["admin"]
    assert demand("x IS NOT NULL").null is False
    assert demand("NOT x").truth is False
    assert demand("(x).country = 'DE'").fields == {"country": "DE"}
    assert demand("extract(year FROM x) >= 2022").units == [("year", ">=", "2022")]


def test_comparisons_of_columns_are_kept_apart() -> None:
    found = reading("a + b = c AND d <= 4")
    assert [(left.text, operator, right.text) for left, operator, right in found.relations] == [("a + b", "=", "c")]
    assert set(found.demands) == {"d"}


def columns(**types: str) -> dict[str, Column]:
    category = {"int4": "N", "date": "D", "timestamptz": "D", "text": "S"}
    return {
        name: Column(name=name, position=1, type=kind, base_type=f"pg_catalog.{kind}", category=category[kind])
        for name, kind in types.items()
    }


def solved(text: str, **types: str) -> list[tuple[str, str]]:
    tree = parse(text)
    assert tree is not None
    left, right = tree.parts
    return [(name, value.text) for name, value in solutions(left, tree.value, right, columns(**types))]


def test_comparisons_are_solved_for_each_column() -> None:
    assert solved("a + b = c", a="int4", b="int4", c="int4") == [
        ("c", "a + b"),
        ("a", "((c) - (b))"),
        ("b", "((c) - (a))"),
    ]
    assert ("e", "(s) + interval '1 hour'") in solved("e > s", e="timestamptz", s="timestamptz")
    assert solved("lower(x) = x", x="text") == [("x", "lower(x)"), ("x", "x")]


@pytest.mark.parametrize(
    ("condition", "value"),
    [
        ("jsonb_typeof(x) = 'array' AND jsonb_array_length(x) = 2", ["text 3 0", "text 3 1"]),
        ("x ? 'name' AND x ? 'size'", {"name": "text 3", "size": 3}),
        ("x ->> 'kind' = 'image' AND (x ->> 'width')::int > 10", {"kind": "image", "width": 11}),
        ("jsonb_typeof(x -> 'meta') = 'object' AND x #>> '{meta,lang}' = 'en'", {"meta": {"lang": "en"}}),
        ("x @> '{\"ok\": true}'", {"ok": True}),
        ('x @? \'$."items"[*]?(@."id" > 0)\'', {"items": [{"id": 1}]}),
    ],
)
def test_json_values_have_what_is_demanded(condition: str, value: object) -> None:
    assert json.loads(json_value(demand(condition).json, "{}", 3)) == value


FACTS = st.builds(
    JsonFact,
    st.lists(st.sampled_from(["a", "b", "0"]), max_size=3).map(tuple),
    st.sampled_from(["has", "type", "size", "equal", "contains", "value", "path"]),
    st.sampled_from(["object", "array", "string", "3", "{}", '{"a": [1]}', "$.a ? (@.b > 1)", "x", ""]),
    st.sampled_from(["=", "<", ">=", "<>"]),
)


@given(st.lists(FACTS, max_size=4), st.sampled_from([None, "{}", "[1]", "nonsense", '{"a": {"b": 1}}']))
def test_any_facts_give_a_json_text(facts: list[JsonFact], now: str | None) -> None:
    json.loads(json_value(facts, now, 1))


def test_functions_are_written_out() -> None:
    bodies = {
        "is_code": Body(source="", expression="t ~ '^[a-z]+$' AND length($1) < max", arguments=("t", "max")),
        "twice": Body(source="", expression="is_code(x, 3) OR is_code(x, 9)", arguments=("x",)),
    }
    text = "public.twice((code)::text)"
    expected = "(is_code(((code)::text), 3) OR is_code(((code)::text), 9))"
    assert written_out(text, {"twice": bodies["twice"]}) == expected
    assert written_out("is_code(a, 3)", bodies) == "((a) ~ '^[a-z]+$' AND length((a)) < (3))"


def partitioned(key: str, *bounds: str, kind: str = "int8") -> dict[QName, Relation]:
    category = {"int8": "N", "uuid": "U"}[kind]
    column = Column(name="id", position=1, type=kind, base_type=f"pg_catalog.{kind}", category=category, not_null=True)

    def relation(name: str, **more: Any) -> Relation:
        return Relation(name=QName("public", name), owner="o", rls=False, force_rls=False, columns=(column,), **more)

    parent = relation("t", kind=RelationKind.PARTITIONED, partition_key=key)
    parts = [
        relation(f"t_{n}", kind=RelationKind.TABLE, parent=parent.name, partition_bound=bound)
        for n, bound in enumerate(bounds)
    ]
    return {r.name: r for r in (parent, *parts)}


def starts(relations: dict[QName, Relation]) -> list[list[str]]:
    import datetime

    found = slots(relations[QName("public", "t")], relations, datetime.datetime.now(datetime.UTC))
    return [[slot.value("id", number) for number in (1, 2)] for slot in found]


def test_numbers_and_uuids_go_on_inside_their_partition() -> None:
    assert starts(partitioned("RANGE (id)", "FOR VALUES FROM ('5000') TO ('6000')")) == [["5001", "5002"]]
    assert starts(partitioned("RANGE (id)", "FOR VALUES FROM ('7') TO ('8')")) == [["7", "7"]]
    low = "00000000-0000-0000-0000-000000000000"
    bound = f"FOR VALUES FROM ('{low}') TO ('80000000-0000-0000-0000-000000000000')"
    ((first, second),) = starts(partitioned("RANGE (id)", bound, kind="uuid"))
    assert first < second < "8"


def test_a_lone_default_partition_takes_any_value() -> None:
    assert starts(partitioned("RANGE (id)", "DEFAULT")) == []


def test_bounds_of_expressions_are_left_to_the_solver() -> None:
    assert starts(partitioned("RANGE (abs(id))", "FOR VALUES FROM ('1') TO ('2')")) == []
