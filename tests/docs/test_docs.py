"""The documentation says what the program does, its links lead somewhere, and its examples are true."""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import click
import pytest

import tenantproof
import tenantproof.channels.matrix  # (importing it fills the catalogue)
from tenantproof.channels.registry import CHANNELS
from tenantproof.cli.main import VERBS, cli
from tenantproof.core import errors
from tenantproof.core.errors import TenantproofError
from tenantproof.core.report import Report
from tenantproof.engine.interference.findings import CONFIDENTIALITY, INTEGRITY, SEQUENCE
from tenantproof.reports.registry import writers
from tenantproof.scenario import load_scenario

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md")])
CLI = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
CATALOGUE = (ROOT / "docs" / "channels.md").read_text(encoding="utf-8")
IDS = [*CHANNELS, "OVER-BLOCKED"]


def section(page: str, title: str) -> str:
    """The text under a heading of the second level, up to the next one."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    assert found is not None, f"there is no section '{title}'"
    return found.group(1)


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


def command(verb: str) -> click.Command:
    found = importlib.import_module(f"tenantproof.cli.{verb}").command
    assert isinstance(found, click.Command)
    return found


def commands(verb: str) -> Iterator[click.Command]:
    """The verb, or its sub-verbs."""
    found = command(verb)
    yield from found.commands.values() if isinstance(found, click.Group) else (found,)


def options(verb: str) -> Iterator[click.Option]:
    """The options of the verb and of its sub-verbs."""
    parts = (parameter for part in commands(verb) for parameter in part.params)
    return (parameter for parameter in parts if isinstance(parameter, click.Option))


TESTS = "\n".join(
    path.read_text(encoding="utf-8") for path in sorted((ROOT / "tests").glob("**/test_*.py")) if path != Path(__file__)
)


def untested(options: Iterable[click.Option]) -> list[str]:
    """The options of which no name stands in any test as an argument of a call."""
    return [
        option.opts[-1]
        for option in options
        if not any(re.search(rf"""["'=( ]{re.escape(name)}["'= ,]""", TESTS) for name in option.opts)
    ]


# The command line


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_verbs_are_documented(verb: str) -> None:
    """Each verb has help, a line in the table and a section of its own."""
    assert all(part.help for part in commands(verb))
    assert f"[`{verb}`](#{verb})" in CLI
    assert section(CLI, f"`{verb}`")


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_options_are_documented(verb: str) -> None:
    """Each option has help, and each of its names stands in the section of its verb."""
    text = section(CLI, f"`{verb}`")
    for option in options(verb):
        assert option.help, f"{option.name} has no help"
        for name in option.opts:
            assert re.search(rf"`{re.escape(name)}[` ]", text), f"{name} is not documented"


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_no_options_are_made_up(verb: str) -> None:
    """The table of options names no option that the verb does not have."""
    known = {name for option in options(verb) for name in option.opts}
    rows = "\n".join(re.findall(r"^\| (`-.*?) \|", section(CLI, f"`{verb}`"), re.MULTILINE))
    assert set(re.findall(r"`(--?[a-z-]+)", rows)) <= known


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_defaults_are_documented(verb: str) -> None:
    """What the help shows as a default stands in the option's row."""
    for option in options(verb):
        if option.show_default and not option.is_flag:
            row = next(line for line in section(CLI, f"`{verb}`").splitlines() if f"`{option.opts[-1]}" in line)
            assert f"| `{option.default}` |" in row


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_verbs_and_options_are_tested(verb: str) -> None:
    """Each verb is called by a test, and each of its options stands in one."""
    assert re.search(rf"""["']{verb}["']""", TESTS)
    assert untested(options(verb)) == []


def test_an_option_without_a_test_is_noticed() -> None:
    assert untested([click.Option(["--never-heard-of"])]) == ["--never-heard-of"]


def test_the_plugin_is_documented_and_tested() -> None:
    """Each pytest option, ini value, fixture and marker of the plugin stands in docs/pytest.md and in a test."""
    plugin = (ROOT / "harness" / "tenantproof" / "pytest_plugin.py").read_text(encoding="utf-8")
    names = {
        *re.findall(r'"(--tenantproof-[a-z-]+)"', plugin),
        *re.findall(r'addini\(\s*"(tenantproof_[a-z_]+)"', plugin),
        *re.findall(r"@pytest\.fixture[^\n]*\n(?:async )?def ([a-z]\w*)", plugin),
        *re.findall(r'"markers",\s*"(\w+)', plugin),
    }
    names -= {"tenantproof_results", "tenantproof_tenancies", "tenantproof_served"}  # what the others stand on
    assert len(names) > 10
    documented = (ROOT / "docs" / "pytest.md").read_text(encoding="utf-8")
    sample = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests/plugin").glob("**/*.py"))
    assert {name for name in names if name not in documented} == set()
    assert {name for name in names if name not in TESTS + sample} == set()


def test_report_formats_are_documented() -> None:
    page = (ROOT / "docs" / "reports.md").read_text(encoding="utf-8")
    assert [name for name in writers() if f"| `{name}` |" not in page] == []
    (report,) = (option for option in options("check") if "--report" in option.opts)
    assert [name for name in writers() if name not in (report.help or "")] == []


def test_all_sections_are_verbs() -> None:
    """There is no section on a verb that is gone."""
    assert set(re.findall(r"^## `(.+)`$", CLI, re.MULTILINE)) == set(VERBS)
    assert cli.help


def test_exit_codes_are_those_of_the_errors() -> None:
    """Each error class stands in the row of its exit code."""
    rows = dict(re.findall(r"^\| (\d+) \| (.+) \|$", section(CLI, "Exit codes"), re.MULTILINE))
    classes = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, TenantproofError)]
    assert {0, 1, 4, 130} | {kind.exit_code for kind in classes} == set(map(int, rows))
    for kind in classes:
        assert f"`{kind.__name__}`" in rows[str(kind.exit_code)]


# Links and examples


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    """Each relative link names a file that exists, and a heading in it."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


SCENARIOS = [
    pytest.param(text, id=f"{page.stem}-{number}")
    for page in PAGES
    for number, text in enumerate(blocks(page.read_text(encoding="utf-8"), "yaml"))
    if re.match(r"(#.*\n|\s*\n)*version: 1$", text, re.MULTILINE)
]


@pytest.mark.parametrize("text", SCENARIOS)
def test_whole_scenarios_load(tmp_path: Path, text: str) -> None:
    """An example that begins with `version: 1` is a scenario that loads, once its migrations are there."""
    for named in re.findall(r"migrations: ([\w./-]+)", text):
        folder = tmp_path / "scenarios" / named
        folder.mkdir(parents=True)
        (folder / "1.sql").write_text("")
    path = tmp_path / "scenarios" / "example.tenancy.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    assert load_scenario(path).tenants


# The catalogue of channels


@pytest.mark.parametrize("channel", IDS)
def test_channels_are_documented(channel: str) -> None:
    """Each channel has a line in the table and a section with a leaky and a safe example."""
    assert f"[`{channel}`](#{channel.lower()})" in CATALOGUE
    assert len(blocks(section(CATALOGUE, channel), "sql")) == 2


def test_all_sections_are_channels() -> None:
    """There is no section on a channel that is gone."""
    assert re.findall(r"^## (.+)$", CATALOGUE, re.MULTILINE) == re.findall(r"^\| \[`(.+?)`\]", CATALOGUE, re.MULTILINE)
    assert set(re.findall(r"^## (.+)$", CATALOGUE, re.MULTILINE)) == {
        *IDS,
        CONFIDENTIALITY,
        INTEGRITY,
        SEQUENCE,
        "MEMBER-LIFE",
    }


@pytest.mark.parametrize("channel", list(CHANNELS))
def test_commands_and_weaknesses_are_those_of_the_catalogue(channel: str) -> None:
    """The table has the channel's command and CWE number."""
    known = CHANNELS[channel]
    assert f"(#{channel.lower()}) | {known.command} | {known.cwe} |" in CATALOGUE


SCENARIO = """
version: 1
name: Notes
database: {platform: supabase, migrations: notes.sql, schemas: [public]}
tenants: [acme, globex]
roles: [owner, admin, member, viewer]
membership: {table: members, user: user_id, tenant: org_id, role: role}
tables:
  members: {tenant: org_id, owner: user_id}
  notes: {tenant: org_id, owner: author}
"""

PROMISES = {
    "READ": "notes: {select: tenant}",
    "OVER-BLOCKED": "notes: {select: tenant}",
    "INSERT": "notes: {select: tenant, insert: own}",
    "UPDATE": "notes: {select: tenant, update: {admin: tenant}}",
    "UPDATE-MOVE": "notes: {select: tenant, update: tenant}",
    "UPDATE-STEAL": "notes: {select: tenant, update: tenant}",
    "UPSERT-OVERWRITE": "notes: {update: tenant}",
    "DELETE": "notes: {select: tenant, delete: own}",
    "MEMBER-PROMOTE": "members: {select: own, update: none}",
    "MEMBER-JOIN": "members: {select: own}",
}
"""What the scenario promises in the example of a channel, so that a database that refuses everything is not silent."""

SEARCHED = (CONFIDENTIALITY, INTEGRITY)
"""What the search tells, of which the page shows functions."""

SEARCH = 800 if os.environ.get("TENANTPROOF_THOROUGH") else 200

PROMISES |= dict.fromkeys(SEARCHED, "notes: {select: tenant}")

SAME_ATTEMPTS = {"UPSERT-OVERWRITE": {"UPSERT-OVERWRITE", "UPDATE-STEAL"}}
"""Channels that a finding may be named after instead, as the page says."""


def try_example(folder: Path, channel: str, example: str) -> Report:
    """Check the page's tables with one of its examples in the place of the policies of the same names."""
    readable = "create policy notes_read on notes for select to authenticated using (org_id in (select my_orgs()));"
    (folder / "notes.sql").write_text(f"{blocks(CATALOGUE, 'sql')[0]}\n{readable}\n")
    path = folder / "notes.tenancy.yaml"
    path.write_text(f"{SCENARIO}expect:\n  {PROMISES[channel]}\n")
    policies = re.findall(r"^create policy (\w+)\s+on (\w+)", example, re.MULTILINE)
    dropped = "".join(f"drop policy if exists {name} on {table};\n" for name, table in policies)
    patch = folder / "example.sql"
    patch.write_text(dropped + example)
    return tenantproof.check(path, patches=[patch], attempts=0 if channel in IDS else SEARCH)


SLOW = pytest.param(CONFIDENTIALITY, marks=pytest.mark.thorough)  # tests/detection/test_interference.py is quicker


@pytest.mark.parametrize("channel", [*IDS, SLOW, INTEGRITY])
def test_leaky_examples_leak(tmp_path: Path, channel: str) -> None:
    """The first example of each channel gives a finding of that channel."""
    report = try_example(tmp_path, channel, blocks(section(CATALOGUE, channel), "sql")[0])
    named = {finding.channel for finding in report.findings}
    assert named & SAME_ATTEMPTS.get(channel, {channel}), named


@pytest.mark.parametrize("channel", [*IDS, *SEARCHED])
def test_safe_examples_are_silent(tmp_path: Path, channel: str) -> None:
    """The second example of each channel gives no finding at all."""
    report = try_example(tmp_path, channel, blocks(section(CATALOGUE, channel), "sql")[1])
    assert [(finding.channel, finding.cause) for finding in report.findings] == []
