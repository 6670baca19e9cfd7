"""
How often the drafts of `init` agree with scenarios that people wrote: counts, and every difference.

Run it by hand: python tests/integration/agreement.py [PART OF A NAME …]
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg

from tenantproof.catalog.inference import infer_tenancy
from tenantproof.catalog.introspection import introspect
from tenantproof.core.catalog import Catalog
from tenantproof.core.model import Locator, QName, Scenario, Tenancy
from tenantproof.drafting.draft import Draft, make_draft
from tenantproof.drafting.origin import Origin
from tenantproof.scenario import load_scenario
from tenantproof.targets.embedded import EmbeddedTarget

ROOT = Path(__file__).parents[2]


@dataclass(slots=True)
class Agreement:
    """One scenario compared: `counts` by outcome, `told` the differences in words."""

    name: str
    counts: Counter[str] = field(default_factory=Counter)
    told: list[str] = field(default_factory=list)

    def note(self, outcome: str, what: str) -> None:
        self.counts[outcome] += 1
        if outcome != "same":
            self.told.append(f"{outcome}: {what}")


def scenarios() -> Iterator[Path]:
    """One scenario by hand for each database: the fullest."""
    yield ROOT / "scenarios" / "workflow_saas.tenancy.yaml"
    yield ROOT / "scenarios" / "invoicing_guc.tenancy.yaml"
    for folder in sorted((ROOT / "fixtures" / "strangers").iterdir()):
        files = sorted(folder.glob("*.tenancy.yaml"), key=lambda file: (-file.stat().st_size, file.name))
        yield from files[:1]
    for group in ("interference", "searched", "life"):
        yield from sorted((ROOT / "fixtures" / group).rglob("*safe.tenancy.yaml"))
        yield from sorted((ROOT / "fixtures" / group / "safe").rglob("*.tenancy.yaml"))
    yield from sorted((ROOT / "fixtures" / "shapes").glob("*/by_hand.tenancy.yaml"))


def compared(path: Path) -> Agreement:
    """The draft for the migrations of a scenario against the scenario."""
    by_hand = load_scenario(path)
    drafted, draft, catalog = drafted_like(by_hand)
    return compare(f"{path.parent.name}/{path.name}", by_hand, drafted, draft, catalog)


def drafted_like(by_hand: Scenario) -> tuple[Scenario, Draft, Catalog]:
    """What `init` drafts for the same migrations, loaded again, and the catalog it was drafted from."""
    database = by_hand.database
    origin = Origin(
        migrations=database.migrations,
        platform=database.platform,
        words="--migrations",
        exposes=True if database.auto_expose_new_tables else None,
    )
    with tempfile.TemporaryDirectory() as folder:
        draft = make_draft(origin, Path(folder))
        file = Path(folder) / "x.tenancy.yaml"
        file.write_text(draft.text, encoding="utf-8")
        drafted = load_scenario(file)
    built = replace(database, auto_expose_new_tables=drafted.database.auto_expose_new_tables)
    with EmbeddedTarget(built).database() as handle, psycopg.connect(handle.conninfo) as connection:
        return drafted, draft, introspect(connection)


def compare(name: str, by_hand: Scenario, drafted: Scenario, draft: Draft, catalog: Catalog) -> Agreement:
    """Membership, roles, and every relation that the scenario by hand has decided or left to inference."""
    found = Agreement(name)
    _memberships(found, by_hand, drafted)
    meant, said = infer_tenancy(catalog, by_hand), infer_tenancy(catalog, drafted)
    for relation in sorted(meant):
        if relation in catalog.relations and relation.schema in by_hand.database.schemas and meant[relation].decided:
            _relation(found, relation, meant[relation], said.get(relation), catalog)
    return found


def _memberships(found: Agreement, by_hand: Scenario, drafted: Scenario) -> None:
    meant = [(m.table, m.user, m.tenant, m.role) for m in by_hand.memberships]
    said = [(m.table, m.user, m.tenant, m.role) for m in drafted.memberships]
    outcome = "same" if meant == said else "undecided" if drafted.undecided else "wrong"
    found.note(outcome, f"membership: meant {meant}, drafted {said or drafted.undecided}")
    found.note(
        "same" if by_hand.roles == drafted.roles else "wrong", f"roles: meant {by_hand.roles}, drafted {drafted.roles}"
    )
    if (by_hand.claims, by_hand.session) != (drafted.claims, drafted.session):
        what = f"meant {by_hand.claims} {by_hand.session}, drafted {drafted.claims} {drafted.session}"
        found.note("session", what)
    if set(by_hand.database.schemas) != set(drafted.database.schemas):
        found.note("schemas", f"meant {by_hand.database.schemas}, drafted {drafted.database.schemas}")


def _relation(found: Agreement, name: QName, meant: Tenancy, said: Tenancy | None, catalog: Catalog) -> None:
    what = f"{name}: meant {_words(meant)}, drafted {_words(said)}"
    if said is None or not said.decided:
        found.note("undecided", what)
    elif _same(name, meant.tenant, said.tenant, catalog) and (meant.shared, meant.private) == (
        said.shared,
        said.private,
    ):
        if meant.tenant is None and not meant.shared and not meant.private:
            found.note("same" if _same(name, meant.owner, said.owner, catalog) else "wrong", what)
        else:
            found.note("same" if _same(name, meant.owner, said.owner, catalog) else "owner", what)
    else:
        found.note("wrong", what)


def _same(name: QName, meant: Locator | None, said: Locator | None, catalog: Catalog) -> bool:
    return (meant is None) == (said is None) and (meant is None or said is None or str(meant) == str(said))


def _words(tenancy: Tenancy | None) -> str:
    if tenancy is None or not tenancy.decided:
        return "undecided"
    word = "shared" if tenancy.shared else "private" if tenancy.private else ""
    return word or f"tenant {tenancy.tenant} owner {tenancy.owner}"


def main() -> None:
    """Print the differences and the sums."""
    total: Counter[str] = Counter()
    for path in scenarios():
        if len(sys.argv) > 1 and not any(part in str(path) for part in sys.argv[1:]):
            continue
        try:
            agreement = compared(path)
        except Exception as error:  # noqa: BLE001  # one that breaks must not hide the others
            print(f"{path}: {type(error).__name__}: {error}")
            total["broken"] += 1
            continue
        total += agreement.counts
        if agreement.told:
            print(agreement.name)
        for line in agreement.told:
            print(f"    {line}")
    print(dict(total))


if __name__ == "__main__":
    main()
