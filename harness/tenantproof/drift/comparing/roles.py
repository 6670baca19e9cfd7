"""Roles that the application uses, their powers and memberships; publications."""

from __future__ import annotations

from collections.abc import Iterator

from tenantproof.core.catalog import Catalog, Publication, Role
from tenantproof.core.drift import Difference, Direction
from tenantproof.core.finding import Severity
from tenantproof.core.model import QName
from tenantproof.drift.making import difference
from tenantproof.drift.names import MIGRATOR, is_platform_role
from tenantproof.drift.scope import Pair
from tenantproof.drift.wording import ABSENT, listed

_WHOLE_DATABASE = frozenset({"pg_read_all_data", "pg_write_all_data"})


def roles(pair: Pair) -> Iterator[Difference]:
    """Roles of the migrations and those that the API uses.  Others of the live server are its own business."""
    ours, live = pair.ours.catalog, pair.live.catalog
    for name in sorted(ours.roles):
        if name == MIGRATOR or is_platform_role(name):
            continue
        if name not in live.roles:
            yield difference(name, "", "role-missing", Severity.MEDIUM, Direction.LESS_OPEN, "a role", ABSENT)
        else:
            yield from _powers(ours.roles[name], live.roles[name])
            yield from _memberships(pair, name)


def _powers(ours: Role, live: Role) -> Iterator[Difference]:
    for kind, here, there, words in (
        ("role-superuser", ours.superuser, live.superuser, "superuser"),
        ("role-bypassrls", ours.bypass_rls, live.bypass_rls, "bypassrls"),
    ):
        if here != there:
            yield difference(
                ours.name,
                "powers",
                kind,
                Severity.CRITICAL if there else Severity.LOW,
                Direction.MORE_OPEN if there else Direction.LESS_OPEN,
                words if here else f"no {words}",
                words if there else f"no {words}",
                "No policy applies to it." if there else "",
            )


def _memberships(pair: Pair, name: str) -> Iterator[Difference]:
    here, there = (_parents(side.catalog, name) for side in (pair.ours, pair.live))
    if more := there - here:
        mighty = any(_mighty(pair.live.catalog, parent) for parent in more)
        exposed = name in pair.anonymous | pair.signed_in
        yield difference(
            name,
            "member of",
            "role-membership-extra",
            Severity.CRITICAL if mighty and exposed else Severity.HIGH if mighty or exposed else Severity.MEDIUM,
            Direction.MORE_OPEN,
            listed(here),
            listed(there),
            "What it belongs to reaches every row." if mighty else "",
        )
    if here - there:
        yield difference(
            name, "member of", "role-membership-missing", Severity.LOW, Direction.LESS_OPEN, listed(here), listed(there)
        )


def _parents(catalog: Catalog, name: str) -> frozenset[str]:
    """Roles that it belongs to, but for the server's and the platform's that grant no access to rows."""
    return frozenset(p for p in catalog.roles[name].member_of if not is_platform_role(p) or p in _WHOLE_DATABASE)


def _mighty(catalog: Catalog, name: str) -> bool:
    role = catalog.roles.get(name)
    return name in _WHOLE_DATABASE or name == MIGRATOR or (role is not None and (role.superuser or role.bypass_rls))


def publications(pair: Pair) -> Iterator[Difference]:
    """Publications that the migrations or the platform make; who subscribes to others has its own key to the server."""
    ours = {publication.name: publication for publication in pair.ours.catalog.publications}
    live = {publication.name: publication for publication in pair.live.catalog.publications}
    for name in sorted(ours):
        if name not in live:
            yield difference(
                name, "publication", "publication-missing", Severity.LOW, Direction.LESS_OPEN, "published", ABSENT
            )
        else:
            yield from _published(pair, ours[name], live[name])


def _published(pair: Pair, ours: Publication, live: Publication) -> Iterator[Difference]:
    if live.all_tables and not ours.all_tables:
        yield difference(
            ours.name,
            "publication",
            "publication-all-tables",
            Severity.HIGH,
            Direction.MORE_OPEN,
            listed(map(str, ours.tables)),
            "all tables",
        )
        return
    here, there = (_tables(pair, publication) for publication in (ours, live))
    for kind, direction, severity, tables in (
        ("publication-extra", Direction.MORE_OPEN, Severity.MEDIUM, there - here),
        ("publication-missing-table", Direction.LESS_OPEN, Severity.LOW, here - there),
    ):
        for table in sorted(tables):
            more = direction is Direction.MORE_OPEN
            yield difference(
                str(table),
                f"publication {ours.name}",
                kind,
                severity,
                direction,
                "not published" if more else "published",
                "published" if more else "not published",
                "Its changes are sent to whoever listens." if more else "",
            )


def _tables(pair: Pair, publication: Publication) -> frozenset[QName]:
    return frozenset(table for table in publication.tables if table.schema in pair.schemas)
