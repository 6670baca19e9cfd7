"""Relations that one side lacks, who owns them, and what views show and as whom."""

from __future__ import annotations

from collections.abc import Iterator

from tenantproof.core.catalog import Relation, RelationKind
from tenantproof.core.drift import Difference, Direction
from tenantproof.core.finding import Severity
from tenantproof.drift.scope import Both, Pair
from tenantproof.drift.wording import ABSENT, listed

_ON = frozenset({"true", "on", "1", "yes"})
VIEWS = frozenset({RelationKind.VIEW, RelationKind.MATVIEW})


def relations(pair: Pair) -> Iterator[Difference]:
    """Relations that one side has alone, or that are of another kind, or belong to another role."""
    yield from (_missing(relation) for relation in pair.only_ours)
    yield from (_extra(pair, relation) for relation in pair.only_live)
    for both in pair.own_relations:
        if both.ours.kind is not both.live.kind:
            yield _kind(both)
        if both.ours.owner != both.live.owner:
            yield _owner(pair, both)


def views(pair: Pair) -> Iterator[Difference]:
    """Definitions and options of views that both sides have."""
    for both in pair.own_relations:
        if both.ours.kind is both.live.kind and both.ours.kind in VIEWS:
            yield from _options(both)
            if both.ours.definition != both.live.definition:
                yield _definition(both)


def _missing(relation: Relation) -> Difference:
    return Difference(
        kind=f"{_family(relation)}-missing",
        severity=Severity.LOW if relation.partition_bound else Severity.MEDIUM,
        direction=Direction.LESS_OPEN,
        object=str(relation.name),
        migrations=f"a {relation.kind}",
        live=ABSENT,
    )


def _extra(pair: Pair, relation: Relation) -> Difference:
    """What stands in the live database alone is what no migration, and so no test, knows of."""
    reached = pair.reachable(relation)
    bare = not _guarded(relation)
    severity = Severity.LOW if relation.partition_bound else Severity.MEDIUM
    why = "No migration makes it, so nothing that is checked against the migrations covers it."
    if bare and reached:
        severity = Severity.CRITICAL
        why = f"{_unguarded(relation)}, and {listed(reached)} can reach it."
    return Difference(
        kind=f"{_family(relation)}-extra",
        severity=severity,
        direction=Direction.MORE_OPEN,
        object=str(relation.name),
        migrations=ABSENT,
        live=f"a {relation.kind}" + (f" that {listed(reached)} can reach" if reached else ""),
        why=why,
    )


def _guarded(relation: Relation) -> bool:
    return is_invoker(relation) if relation.kind in VIEWS else relation.rls


def _unguarded(relation: Relation) -> str:
    if relation.kind is RelationKind.MATVIEW:
        return "A materialized view holds a copy of the rows, to which no policy applies"
    if relation.kind is RelationKind.VIEW:
        return "It reads its tables as its owner"
    return "It has no row level security"


def _family(relation: Relation) -> str:
    return "view" if relation.kind in VIEWS else "table"


def is_invoker(relation: Relation) -> bool:
    """Whether a view reads its tables as whoever asks."""
    return relation.kind is RelationKind.VIEW and relation.options.get("security_invoker", "") in _ON


def _kind(both: Both) -> Difference:
    return Difference(
        kind="relation-kind",
        severity=Severity.HIGH,
        direction=Direction.DIFFERENT,
        object=str(both.name),
        migrations=f"a {both.ours.kind}",
        live=f"a {both.live.kind}",
    )


def _owner(pair: Pair, both: Both) -> Difference:
    caller = both.live.owner in pair.anonymous | pair.signed_in
    as_owner = both.live.kind in VIEWS and not is_invoker(both.live)
    why = "Its policies do not apply to its owner." if caller and not as_owner else ""
    return Difference(
        kind="owner",
        severity=Severity.CRITICAL
        if caller
        else Severity.MEDIUM
        if as_owner or not both.live.force_rls
        else Severity.LOW,
        direction=Direction.MORE_OPEN if caller else Direction.DIFFERENT,
        object=str(both.name),
        part="owner",
        migrations=both.ours.owner,
        live=both.live.owner,
        why="It reads its tables with the rights of its owner." if as_owner else why,
    )


def _options(both: Both) -> Iterator[Difference]:
    for option, severity, why in (
        (
            "security_invoker",
            Severity.CRITICAL,
            "It reads its tables as its owner: their policies do not see the caller.",
        ),
        ("security_barrier", Severity.HIGH, "A function in a query may see rows that the view filters out."),
    ):
        ours, live = (relation.options.get(option, "") in _ON for relation in (both.ours, both.live))
        if ours != live:
            yield Difference(
                kind=f"view-{option.replace('_', '-')}-{'lost' if ours else 'gained'}",
                severity=severity if ours else Severity.MEDIUM if option == "security_invoker" else Severity.LOW,
                direction=Direction.MORE_OPEN if ours else Direction.LESS_OPEN,
                object=str(both.name),
                part=option,
                migrations="on" if ours else "off",
                live="on" if live else "off",
                why=why if ours else "",
            )
    ours_check, live_check = (relation.options.get("check_option", "none") for relation in (both.ours, both.live))
    if ours_check != live_check:
        lost = live_check == "none" or ours_check == "cascaded"
        yield Difference(
            kind="view-check-option",
            severity=Severity.HIGH if lost else Severity.LOW,
            direction=Direction.MORE_OPEN if lost else Direction.LESS_OPEN,
            object=str(both.name),
            part="check option",
            migrations=ours_check,
            live=live_check,
            why="Rows can be written through the view that it does not show." if lost else "",
        )


def _definition(both: Both) -> Difference:
    return Difference(
        kind="view-definition",
        severity=Severity.MEDIUM if is_invoker(both.live) else Severity.HIGH,
        direction=Direction.DIFFERENT,
        object=str(both.name),
        part="definition",
        migrations=_on_one_line(both.ours.definition),
        live=_on_one_line(both.live.definition),
        why="" if is_invoker(both.live) else "The view alone decides what its readers see.",
    )


def _on_one_line(text: str) -> str:
    return " ".join(text.split()).rstrip(";")
