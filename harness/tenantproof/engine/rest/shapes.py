"""
The other shapes in which PostgREST shows rows: embedded along foreign keys, spread, counted, as CSV, by Range.

What a shape shows must be among what the plain read of the same relation showed to the same persona.  Sources:
https://docs.postgrest.org/en/v12/references/api/resource_embedding.html and …/pagination_count.html.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tenantproof.core.catalog import Constraint, Relation
from tenantproof.core.model import QName
from tenantproof.core.world import Key
from tenantproof.engine.rest.bench import RestBench
from tenantproof.engine.rest.hearing import as_text, refusal
from tenantproof.engine.rest.speaking import quoted, select_of
from tenantproof.targets.rest.client import Answer, Request

Reads = Mapping[QName, frozenset[Key]]
"""What one persona's plain reads showed: relation -> keys.  A relation that was refused is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A foreign key, walked from `here` to `there`; `many` tells that there may be several rows there."""

    constraint: Constraint
    here: QName
    there: QName
    many: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Excess:
    """Rows of `relation` that a shape showed, and that the plain read did not."""

    relation: QName
    request: Request
    words: str
    keys: tuple[Key, ...] = ()
    count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What all shapes of one persona came to."""

    excesses: tuple[Excess, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    """Shape and the code of its refusal, for what the server would not show at all."""


def links_of(exposed: Sequence[Relation]) -> list[Link]:
    """Every foreign key between two exposed relations with primary keys, in both directions; none to itself."""
    names = {relation.name for relation in exposed if relation.primary_key}
    found: list[Link] = []
    for relation in exposed:
        for key in relation.foreign_keys:
            other = key.references
            if other is None or other == relation.name or {relation.name, other} - names:
                continue
            found.append(Link(constraint=key, here=relation.name, there=other, many=False))
            found.append(Link(constraint=key, here=other, there=relation.name, many=True))
    return found


def look_at_shapes(bench: RestBench, links: Sequence[Link], reads: Reads) -> Looked:
    """Ask for every shape of what the persona may read."""
    excesses: list[Excess] = []
    refused: list[tuple[str, str]] = []
    for name, keys in reads.items():
        key_columns = bench.plan.catalog.relations[name].primary_key
        excesses.extend(_by_csv(bench, name, key_columns, keys, refused))
        mine = [link for link in links if link.here == name]
        together = [link for link in mine if link.there in reads]
        if not _embedded(bench, name, together, reads, excesses, refused):
            for link in together:
                _embedded(bench, name, [link], reads, excesses, refused)
        for link in mine:
            if link.there not in reads:
                _embedded(bench, name, [link], reads, excesses, refused)
    return Looked(excesses=tuple(excesses), refused=tuple(refused))


def _by_csv(
    bench: RestBench, name: QName, columns: tuple[str, ...], known: frozenset[Key], refused: list[tuple[str, str]]
) -> Iterator[Excess]:
    """The first rows as CSV, by a Range header, with the exact count of all."""
    plain = bench.tongue.reading(name, columns, "count=exact")
    last = max(len(known) - 1, 0)
    request = replace(plain, headers=(*plain.headers, ("accept", "text/csv"), ("range", f"0-{last}")))
    answer = bench.ask(request)
    if not answer.ok:
        refused.append(("CSV", refusal(answer).sqlstate or ""))
        return
    lines = list(csv.reader(io.StringIO(answer.text)))[1:]
    shown = {tuple(line) for line in lines}
    if more := shown - {tuple("" if part is None else part for part in key) for key in known}:
        yield Excess(relation=name, request=request, words="as CSV", keys=tuple(sorted(more)))
    if answer.total is not None and answer.total > len(known):
        yield Excess(relation=name, request=request, words="counted exactly", count=answer.total - len(known))


def embedding(bench: RestBench, name: QName, links: Sequence[Link]) -> Request:
    """GET the rows of a relation with what hangs on them along the links."""
    catalog = bench.plan.catalog
    parts = [select_of(catalog.relations[name].primary_key)]
    for number, link in enumerate(links):
        target = f"{quoted(link.there.name)}!{quoted(link.constraint.name)}"
        keys = select_of(catalog.relations[link.there].primary_key)
        parts.append(f"e{number}:{target}({keys})")
        if link.many:
            parts.append(f"n{number}:{target}(count)")
        else:
            first = catalog.relations[link.there].primary_key[0]
            parts.append(f"...{target}(s{number}:{quoted(first)}::text)")
    return Request(
        method="GET",
        path=f"/{name.name}",
        query=(("select", ",".join(parts)),),
        headers=bench.tongue.profile(name, reads=True),
    )


def _embedded(
    bench: RestBench,
    name: QName,
    links: Sequence[Link],
    reads: Reads,
    excesses: list[Excess],
    refused: list[tuple[str, str]],
) -> bool:
    """Ask for these links at once; False where the server refused all of them together."""
    if not links:
        return True
    request = embedding(bench, name, links)
    answer = bench.ask(request)
    if not answer.ok:
        if len(links) == 1:
            refused.append((f"{links[0].there.name} embedded in {name.name}", refusal(answer).sqlstate or ""))
        return False
    for number, link in enumerate(links):
        excesses.extend(_excess(bench, answer, request, number, link, reads.get(link.there, frozenset())))
    return True


def _excess(
    bench: RestBench, answer: Answer, request: Request, number: int, link: Link, known: frozenset[Key]
) -> Iterator[Excess]:
    width = len(bench.plan.catalog.relations[link.there].primary_key)
    shown, spread, counted = set[Key](), set[str](), 0
    for row in answer.rows:
        inner = row.get(f"e{number}")
        rows = inner if isinstance(inner, list) else [inner] if isinstance(inner, dict) else []
        keys = [tuple(as_text(one.get(f"c{at}")) for at in range(width)) for one in rows if isinstance(one, dict)]
        shown.update(keys)
        counted += max(_count(row.get(f"n{number}")) - len(keys), 0)
        if (value := as_text(row.get(f"s{number}"))) is not None:
            spread.add(value)
    words = f"embedded in {link.here} by {link.constraint.name}"
    if more := shown - known:
        yield Excess(relation=link.there, request=request, words=words, keys=tuple(sorted(more, key=str)))
    if beyond := spread - {key[0] for key in known if key[0] is not None}:
        keys_beyond = tuple((value,) for value in sorted(beyond))
        yield Excess(relation=link.there, request=request, words=f"{words}, spread", keys=keys_beyond)
    if counted:
        yield Excess(relation=link.there, request=request, words=f"{words}, counted", count=counted)


def _count(value: object) -> int:
    """The number in PostgREST's `[{"count": 2}]`."""
    first = value[0] if isinstance(value, list) and value else None
    number = first.get("count") if isinstance(first, dict) else None
    return number if isinstance(number, int) else 0
