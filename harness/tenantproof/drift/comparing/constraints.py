"""Constraints and unique indexes, by what they say: another name alone is no difference."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from tenantproof.core.catalog import Index, Relation
from tenantproof.core.drift import Difference, Direction
from tenantproof.core.finding import Severity
from tenantproof.drift.scope import Both, Pair
from tenantproof.drift.wording import ABSENT

_NOT_VALID = " NOT VALID"


def constraints(pair: Pair) -> Iterator[Difference]:
    """Differences in constraints of tables that both sides have; a partition's are its parent's."""
    for both in pair.own_relations:
        if both.ours.is_table and both.live.is_table and not both.live.partition_bound:
            ours, live = _unlike(_sayings(both.ours), _sayings(both.live))
            yield from _paired(both, ours, live)


def _sayings(relation: Relation) -> dict[str, str]:
    """Constraints and unique indexes by name, as the text that decides."""
    found = {constraint.name: " ".join(constraint.definition.split()) for constraint in relation.constraints}
    for index in relation.indexes:
        if index.unique and index.name not in found:
            found[index.name] = _index_saying(index)
    return found


def _index_saying(index: Index) -> str:
    """CREATE UNIQUE INDEX without the name of the index."""
    words = " ".join(index.definition.split())
    return f"UNIQUE INDEX {words.partition(' USING ')[2]}"


def _unlike(ours: Mapping[str, str], live: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Those of either side that say what none of the other says, each counted once."""
    left, right = dict(ours), dict(live)
    for name, saying in sorted(ours.items(), key=lambda item: item[0] not in live):
        twin = name if right.get(name) == saying else next((n for n, s in right.items() if s == saying), None)
        if twin is not None:
            del left[name], right[twin]
    return left, right


def _paired(both: Both, ours: Mapping[str, str], live: Mapping[str, str]) -> Iterator[Difference]:
    """What is left, by name; a foreign key by its columns too, so that another action is told as such."""
    matched: dict[str, str] = {}
    for name, saying in ours.items():
        there = name if name in live else _same_key(saying, live, matched.values())
        if there is not None:
            matched[name] = there
    for name, saying in ours.items():
        if name in matched:
            yield _changed(both, name, saying, live[matched[name]])
        else:
            yield _missing(both, name, saying)
    for name, saying in live.items():
        if name not in matched.values():
            yield _extra(both, name, saying)


def _same_key(saying: str, live: Mapping[str, str], taken: Iterable[str]) -> str | None:
    """The foreign key of the other side from and to the same columns."""
    if not saying.startswith("FOREIGN KEY"):
        return None
    ends = _ends(saying)
    return next((name for name, other in live.items() if name not in taken and _ends(other) == ends), None)


def _ends(saying: str) -> str:
    for action in (" MATCH ", " ON UPDATE ", " ON DELETE ", " DEFERRABLE", _NOT_VALID):
        saying = saying.partition(action)[0]
    return saying


def _changed(both: Both, name: str, ours: str, live: str) -> Difference:
    action = ours.startswith("FOREIGN KEY") and _ends(ours) == _ends(live)
    invalid = live == f"{ours}{_NOT_VALID}"
    return Difference(
        kind="constraint-not-valid" if invalid else "foreign-key-action" if action else "constraint-changed",
        severity=Severity.LOW if invalid or ours == f"{live}{_NOT_VALID}" else Severity.MEDIUM,
        direction=Direction.MORE_OPEN if invalid else Direction.DIFFERENT,
        object=str(both.name),
        part=f"constraint {name}",
        migrations=ours,
        live=live,
        why="Rows that were there before may break it." if invalid else "",
    )


def _missing(both: Both, name: str, saying: str) -> Difference:
    return Difference(
        kind=f"{_family(saying)}-missing",
        severity=Severity.MEDIUM,
        direction=Direction.MORE_OPEN,
        object=str(both.name),
        part=f"constraint {name}",
        migrations=saying,
        live=ABSENT,
        why="Rows can be written that the migrations refuse.",
    )


def _extra(both: Both, name: str, saying: str) -> Difference:
    across = saying.startswith("UNIQUE")
    return Difference(
        kind=f"{_family(saying)}-extra",
        severity=Severity.MEDIUM if across else Severity.LOW,
        direction=Direction.LESS_OPEN,
        object=str(both.name),
        part=f"constraint {name}",
        migrations=ABSENT,
        live=saying,
        why="A unique key without the tenant in it tells one tenant what another has." if across else "",
    )


def _family(saying: str) -> str:
    for start, word in (
        ("FOREIGN", "foreign-key"),
        ("UNIQUE", "unique"),
        ("PRIMARY", "primary-key"),
        ("CHECK", "check"),
    ):
        if saying.startswith(start):
            return word
    return "constraint"
