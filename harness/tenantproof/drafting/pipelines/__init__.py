"""Pipelines for CI: a file that checks a scenario on GitHub or GitLab, and its place in a repository."""

from __future__ import annotations

import json
import os
import re
from importlib.resources import files
from pathlib import Path

from tenantproof.core.errors import UsageError, did_you_mean
from tenantproof.drafting.saving import save

PLACES = {
    "github": Path(".github") / "workflows" / "tenantproof.yml",
    "gitlab": Path(".gitlab") / "tenantproof.yml",
}
"""Service -> where its pipeline is written, from the root of the repository."""

NEXT = {
    "github": "put the owner and the commit of tenantproof's repository where it says OWNER",
    "gitlab": "include it in .gitlab-ci.yml: {{local: {place}}}",
}

_PLACEHOLDER = re.compile(r"(?<=scenarios: )SCENARIO$|(?<=SCENARIO: )scenarios/app\.tenancy\.yaml$", re.MULTILINE)
_PLAIN = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./-]*")


def require_place(service: str, *, force: bool) -> Path:
    """Where the pipeline goes.  Raises UsageError for a service that nobody knows, and for a file that is there."""
    if service not in PLACES:
        raise UsageError(f"--ci {service}: {did_you_mean(service, PLACES)}")
    place = PLACES[service]
    if place.exists() and not force:
        raise UsageError(f"{place} is there already: give --force to write over it")
    return place


def write_pipeline(service: str, scenario: Path, *, force: bool = False) -> Path:
    """Write the pipeline of *service* that checks *scenario* below the current folder, and return its place.

    Raises UsageError as `require_place` does, and for a scenario that lies elsewhere.
    """
    place = require_place(service, force=force)
    save(place, pipeline(service, scenario))
    return place


def pipeline(service: str, scenario: Path) -> str:
    """The text of the pipeline."""
    path = Path(os.path.relpath(scenario)).as_posix()
    if path.startswith("../"):
        raise UsageError(
            f"--ci {service}: {scenario} is not below the current folder: call it at the repository's root"
        )
    quoted = path if _PLAIN.fullmatch(path) else json.dumps(path)
    template = (files(__package__) / f"{service}.yml").read_text(encoding="utf-8")
    return _PLACEHOLDER.sub(lambda _: quoted, template)


def next_step(service: str) -> str:
    """What is left for a person to do."""
    return f"{PLACES[service]}: {NEXT[service].format(place=PLACES[service])}"
