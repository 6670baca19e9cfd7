"""The drafts that are compared with golden files: one for each of fixtures/shapes, and the Supabase project."""

from __future__ import annotations

import os
from pathlib import Path

import yaml

from tenantproof.drafting import Draft, make_draft
from tenantproof.drafting.origin import Origin, of_migrations, of_supabase

FIXTURES = Path(__file__).parents[2] / "fixtures"
EXPECTED = "expected.tenancy.yaml"


def folders() -> list[Path]:
    """The folders with a database and the tenancy that its author meant."""
    shapes = sorted(path.parent for path in (FIXTURES / "shapes").glob("*/by_hand.tenancy.yaml"))
    project = FIXTURES / "supabase_project"
    return [*shapes, *([project] if (project / "supabase").is_dir() else [])]


def drafted(folder: Path) -> Draft:
    """What `init` writes for a folder, with paths as they are in that folder."""
    here = Path.cwd()
    os.chdir(folder)
    try:
        return make_draft(_origin(Path(".")), Path("."))
    finally:
        os.chdir(here)


def _origin(folder: Path) -> Origin:
    if (folder / "supabase").is_dir():
        return of_supabase(folder / "supabase", "--supabase")
    by_hand = yaml.safe_load((folder / "by_hand.tenancy.yaml").read_text(encoding="utf-8"))
    entries = by_hand["database"]["migrations"]
    path = Path(entries if isinstance(entries, str) else os.path.commonpath(entries))
    return of_migrations(path, f"--migrations {path}")
