"""
Comparisons between expressions, solved for one column: `net + tax = gross` gives gross, net and tax.

The solutions are expressions again, which the database computes from the row (`judging.Computed`); whether they fit is
for the database to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tenantproof.core.catalog import Column
from tenantproof.seeding.demands import column_of
from tenantproof.seeding.expressions import Kind, Node
from tenantproof.seeding.judging import Computed

Step = tuple[str, Computed]
"""A column and what it could become."""

_ROUNDING = {"date_trunc": 1, "timezone": 1, "abs": 0, "round": 0, "floor": 0, "ceil": 0, "ceiling": 0, "date": 0}
"""Functions that leave some values as they are, and which of their arguments: solved as if they were not there."""

_TURNED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "<>": "<>"}


def solutions(left: Node, operator: str, right: Node, columns: Mapping[str, Column]) -> Iterator[Step]:
    """Ways to make `left operator right` hold by changing one of these columns, the right side's first."""
    yield from _for_side(right, _TURNED[operator], left.text, left.names, columns)
    yield from _for_side(left, operator, right.text, right.names, columns)


def _for_side(
    side: Node, operator: str, other: str, others: frozenset[str], columns: Mapping[str, Column]
) -> Iterator[Step]:
    """Solve `side operator other` for a column of *side*."""
    name = column_of(side)
    if name is not None and name in columns:
        for text in _moved(other, operator, columns[name]):
            yield name, Computed(text)
        return
    bare = side.bare
    if bare.kind is Kind.CALL and bare.value in _ROUNDING and len(bare.names) == 1:
        yield from _for_side(bare.parts[_ROUNDING[bare.value]], operator, other, others, columns)
        return
    if bare.kind is Kind.CALL and bare.value in ("extract", "date_part"):
        yield from _shifted(bare, other, columns)
    if bare.kind is Kind.OPERATOR and len(bare.parts) == 2 and bare.value in "+-*/":
        yield from _arithmetic(bare, operator, other, others, columns)


def _shifted(call: Node, other: str, columns: Mapping[str, Column]) -> Iterator[Step]:
    """`extract(year FROM column) = other`: the same instant in another year (or month, or day)."""
    unit, name = call.parts[0].bare.value.lower(), column_of(call.parts[1])
    if name is None or name not in columns or unit not in ("year", "month", "day", "hour"):
        return
    instant = call.parts[1].text
    yield name, Computed(f"{instant} + make_interval({unit}s => (({other}) - extract({unit} FROM {instant}))::int)")


def _arithmetic(
    node: Node, operator: str, other: str, others: frozenset[str], columns: Mapping[str, Column]
) -> Iterator[Step]:
    """`A + B op x` becomes `A op x - B`, and so on down both sides."""
    first, second = node.parts
    inverse = {"+": "-", "-": "+", "*": "/", "/": "*"}[node.value]
    divisor = f"nullif({second.text}, 0)" if inverse == "/" else second.text
    yield from _for_side(first, operator, f"(({other}) {inverse} ({divisor}))", others | second.names, columns)
    match node.value:
        case "+":
            yield from _for_side(second, operator, f"(({other}) - ({first.text}))", others | first.names, columns)
        case "-":
            turned = _TURNED[operator]
            yield from _for_side(second, turned, f"(({first.text}) - ({other}))", others | first.names, columns)
        case "*":
            yield from _for_side(
                second, operator, f"(({other}) / nullif({first.text}, 0))", others | first.names, columns
            )


def _moved(text: str, operator: str, column: Column) -> Iterator[str]:
    """The other side itself, or a little beyond it."""
    if operator == "=":
        yield text
        return
    step = _step(column)
    if operator in (">", ">="):
        yield f"({text}) + {step}" if step else f"({text})::text || 'a'"
    elif operator in ("<", "<="):
        yield f"({text}) - {step}" if step else "''"
    else:
        yield f"({text}) + {step}" if step else f"({text})::text || 'a'"
        return
    if operator in (">=", "<="):
        yield text


def _step(column: Column) -> str:
    kind = column.base_type.rsplit(".", 1)[-1]
    match column.category:
        case "N":
            return "1"
        case "D":
            return "1" if kind == "date" else "interval '1 hour'"
        case "T":
            return "interval '1 hour'"
        case _:
            return ""
