"""docs/scenario.md speaks of every key, and its examples load."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tenantproof.scenario import json_schema, load_scenario
from tenantproof.scenario.parsing import parse
from tenantproof.scenario.templates import ENDPOINT, PERSON, ROW, SNIPPET

PAGE = (Path(__file__).parents[2] / "docs" / "scenario.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
REST = {
    "version": "version: 1\n",
    "database": "database: {platform: postgres}\n",
    "session": "session: {role: app}\n",
    "tenants": "tenants: [acme, globex]\n",
    "roles": "roles: [owner, member]\n",
    "claims": 'claims: {role: "{role}"}\n',
}
"""What an example of one section leaves out."""


def test_every_key_is_documented() -> None:
    """Every key of every model stands on the page in code quotes."""
    schema = json_schema()
    keys = {key for node in (schema, *schema["definitions"].values()) for key in node["properties"]}
    assert {key for key in keys if f"`{key}`" not in PAGE and f"`{{{key}: " not in PAGE} == set()


def test_every_placeholder_is_documented() -> None:
    """The table of placeholders is complete."""
    known = PERSON | ROW | ENDPOINT | SNIPPET
    assert set(re.findall(r"^\| `\{([a-z.]+)\}`", PAGE, re.MULTILINE)) == known


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.splitlines()[0])
def test_examples_load(tmp_path: Path, example: str) -> None:
    """Each example is valid, once the sections it does not show are there."""
    (tmp_path / "supabase" / "migrations").mkdir(parents=True)
    (tmp_path / "supabase" / "migrations" / "1.sql").write_text("")
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "extra.sql").write_text("")
    path = tmp_path / "scenarios" / "x.tenancy.yaml"
    shown = parse("", example.encode()).root.values
    extra = "".join(text for key, text in REST.items() if key not in shown)
    schemas = "database: {platform: postgres, schemas: [public, storage]}\n"
    path.write_text(example + extra.replace(REST["database"], schemas))
    assert load_scenario(path).tenants
