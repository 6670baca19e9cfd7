"""Privileges: on relations and their columns, sequences, schemas, and on what will be made later."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from tenantproof.core.catalog import Relation
from tenantproof.core.drift import Difference, Direction
from tenantproof.core.finding import Severity
from tenantproof.drift.names import MIGRATOR
from tenantproof.drift.scope import DATA, PUBLIC, Pair
from tenantproof.drift.side import Held
from tenantproof.drift.wording import ABSENT, listed, privilege_words

Privileges = frozenset[tuple[str, str | None]]
"""Pairs of privilege and column (None: the whole relation)."""

MAINTAIN_SINCE = 170000
"""PostgreSQL 17 added the privilege; an older server that grants ALL cannot know it."""

OBJECTS = {"r": "tables", "S": "sequences", "f": "functions", "T": "types", "n": "schemas", "L": "large objects"}
"""pg_default_acl.defaclobjtype, in words."""


def relation_grants(pair: Pair) -> Iterator[Difference]:
    """Grants on relations that both sides have, one difference per grantee and direction."""
    for both in pair.own_relations:
        ours, live = _by_grantee(pair, both.ours), _by_grantee(pair, both.live)
        for grantee in sorted(ours.keys() | live.keys()):
            here, there = ours.get(grantee, frozenset()), live.get(grantee, frozenset())
            yield from _on_relation(pair, str(both.name), grantee, here, there)


def _by_grantee(pair: Pair, relation: Relation) -> dict[str, Privileges]:
    held: defaultdict[str, set[tuple[str, str | None]]] = defaultdict(set)
    for grant in relation.grants:
        known = grant.privilege != "MAINTAIN" or pair.oldest >= MAINTAIN_SINCE
        if known and pair.judged_grantee(grant.grantee, relation.owner):
            held[grant.grantee].add((grant.privilege, grant.column))
    return {grantee: _plain(pairs) for grantee, pairs in held.items()}


def _plain(held: set[tuple[str, str | None]]) -> Privileges:
    """Without privileges on columns of what is held as a whole."""
    return frozenset((name, column) for name, column in held if column is None or (name, None) not in held)


def _on_relation(pair: Pair, name: str, grantee: str, ours: Privileges, live: Privileges) -> Iterator[Difference]:
    more = frozenset(p for p in live - ours if (p[0], None) not in ours)
    less = frozenset(p for p in ours - live if (p[0], None) not in live)
    if more:
        yield Difference(
            kind="column-grant-extra" if all(column for _, column in more) else "grant-extra",
            severity=_severity(pair, grantee, {privilege for privilege, _ in more}),
            direction=Direction.MORE_OPEN,
            object=name,
            part=f"grants to {_whom(grantee)}",
            migrations=privilege_words(ours) or ABSENT,
            live=privilege_words(live),
            why=f"More than the migrations grant: {privilege_words(more)}.",
        )
    if less:
        yield Difference(
            kind="column-grant-missing" if all(column for _, column in less) else "grant-missing",
            severity=Severity.MEDIUM if grantee in pair.anonymous | pair.signed_in else Severity.LOW,
            direction=Direction.LESS_OPEN,
            object=name,
            part=f"grants to {_whom(grantee)}",
            migrations=privilege_words(ours),
            live=privilege_words(live) or ABSENT,
        )


def _severity(pair: Pair, grantee: str, more: set[str]) -> Severity:
    """TRUNCATE asks no policy, but the API cannot express it; the rest reaches no row."""
    if more & DATA:
        return pair.exposure(grantee)
    return Severity.MEDIUM if "TRUNCATE" in more and not pair.trusted(grantee) else Severity.LOW


def _whom(grantee: str) -> str:
    return "everybody (PUBLIC)" if grantee == PUBLIC else grantee


def sequences(pair: Pair) -> Iterator[Difference]:
    """Grants on sequences that both sides have."""
    for name in sorted(pair.ours.sequences.keys() & pair.live.sequences.keys()):
        if name.schema in pair.schemas:
            ours, live = pair.ours.sequences[name], pair.live.sequences[name]
            here = {item for item in ours.held if pair.judged_grantee(item[0], ours.owner)}
            there = {item for item in live.held if pair.judged_grantee(item[0], live.owner)}
            yield from _held(pair, "sequence-grant", str(name), "grants on the sequence", here, there, Severity.LOW)


def schemas(pair: Pair) -> Iterator[Difference]:
    """Who may look up names in a schema, and who may create objects in it."""
    for schema in sorted(pair.schemas & pair.ours.schema_owners.keys() & pair.live.schema_owners.keys()):
        for kind, ours, live in (
            ("usage", pair.ours.catalog.schema_usage, pair.live.catalog.schema_usage),
            ("create", pair.ours.creators, pair.live.creators),
        ):
            here = _judged(pair, ours.get(schema, frozenset()), pair.ours.schema_owners[schema])
            there = _judged(pair, live.get(schema, frozenset()), pair.live.schema_owners[schema])
            if here != there:
                yield _on_schema(pair, schema, kind, here, there)


def _judged(pair: Pair, grantees: Iterable[str], owner: str) -> frozenset[str]:
    return frozenset(grantee for grantee in grantees if pair.judged_grantee(grantee, owner))


def _on_schema(pair: Pair, schema: str, kind: str, ours: frozenset[str], live: frozenset[str]) -> Difference:
    more = live - ours
    exposed = more & (pair.anonymous | pair.signed_in)
    dangerous = "Who may create objects there can put a function of their own in the way of yours."
    return Difference(
        kind=f"schema-{kind}",
        severity=Severity.HIGH if exposed else Severity.MEDIUM if more else Severity.LOW,
        direction=Direction.MORE_OPEN if more else Direction.LESS_OPEN,
        object=schema,
        part=f"{kind} of the schema",
        migrations=listed(ours),
        live=listed(live),
        why=dangerous if more and kind == "create" else "",
    )


def default_privileges(pair: Pair) -> Iterator[Difference]:
    """What objects that the migrating role makes later will carry."""
    keys = {key for key in (*pair.ours.defaults, *pair.live.defaults) if key[0] == MIGRATOR}
    for key in sorted(keys):
        _, schema, kind = key
        if schema and schema not in pair.schemas:
            continue
        here, there = (_future(pair, side, key) for side in (pair.ours.defaults, pair.live.defaults))
        what = f"default privileges on {OBJECTS.get(kind, kind)}"
        yield from _held(pair, "default-privileges", schema or "(all schemas)", what, here, there, Severity.MEDIUM)


def _future(
    pair: Pair, defaults: Mapping[tuple[str, str, str], Held], key: tuple[str, str, str]
) -> set[tuple[str, str]]:
    """PostgreSQL grants EXECUTE on functions and USAGE on types to PUBLIC where nothing else is said."""
    _, schema, kind = key
    implied = {"f": "EXECUTE", "T": "USAGE"}.get(kind)
    by_itself = frozenset({(PUBLIC, implied)}) if implied and not schema else frozenset()
    held = defaults.get(key, by_itself)
    newer = pair.oldest < MAINTAIN_SINCE
    return {
        (grantee, privilege)
        for grantee, privilege in held
        if pair.judged_grantee(grantee, key[0]) and not (newer and privilege == "MAINTAIN")
    }


def _held(
    pair: Pair,
    kind: str,
    name: str,
    part: str,
    ours: set[tuple[str, str]],
    live: set[tuple[str, str]],
    severity: Severity,
) -> Iterator[Difference]:
    for direction, differing in ((Direction.MORE_OPEN, live - ours), (Direction.LESS_OPEN, ours - live)):
        more = direction is Direction.MORE_OPEN
        for grantee in sorted({grantee for grantee, _ in differing}):
            here, there = (sorted(p for g, p in side if g == grantee) for side in (ours, live))
            yield Difference(
                kind=f"{kind}-extra" if more else f"{kind}-missing",
                severity=severity if more and not pair.trusted(grantee) else Severity.LOW,
                direction=direction,
                object=name,
                part=f"{part} to {_whom(grantee)}",
                migrations=", ".join(here) or ABSENT,
                live=", ".join(there) or ABSENT,
            )
