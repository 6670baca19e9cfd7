"""Names and values that attack: every text of a report is replaced by them, and no format obeys, breaks or hides them.

A format that is registered and has no check here fails the first test.
"""

from __future__ import annotations

import enum
import io
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import Any
from xml.etree import ElementTree

import pytest
from tests.unit import sample_reports as samples
from tests.unit import test_reports_github as github
from tests.unit import test_reports_html as html
from tests.unit import test_reports_json as json_v1
from tests.unit import test_reports_junit as junit
from tests.unit import test_reports_markdown as markdown
from tests.unit import test_reports_pgtap as pgtap
from tests.unit import test_reports_sarif as sarif
from tests.unit import test_reports_terminal as terminal

from tenantproof.core.report import Report
from tenantproof.reports.json_v1_reader import read_report
from tenantproof.reports.markdown import LIMIT
from tenantproof.reports.registry import writers

ATTACKS = {
    "element": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "end of the script": "</script></style></pre></textarea>--></title>",
    "attribute": "\" onmouseover='alert(1)' x=",
    "end of CDATA": "]]>]]&gt;<![CDATA[",
    "command": "::error::x\n::stop-commands::x",
    "encoded command": "%0A::error file=x::y%0D%25",
    "escape codes": "\x1b[31;1m\x1b]8;;https://evil.example\x07click\x9b2J",
    "right to left": "\u202egnp.exe\u2066\u200f\u061c",
    "invisible": "a\u200b\u2060\ufeff\U000e0041b",
    "controls": "\x01\x08\x0b\x0c\x1f\x7f\x85\u2028\u2029",
    "line breaks": "a\r\n- b\n\n# c\rd\t",
    "Markdown": "a|b `c` **d** [e](https://evil.example) ![f](g) ~~h~~ @user #12 www.evil.example <!-- -->",
    "fence": "```\n# x\n~~~~~~\n",
    "SQL": "'; drop table x; -- /* */ \\' \" $$ $tenantproof$ $1",
    "TAP": "x # TODO later\nok 1 - y\nBail out! 1..0 # SKIP",
    "templates": "{{7*7}}{% raw %}${x}%s%(x)s{0}[bold]x[/bold][link=https://evil.example]y[/link]",
    "63 bytes": "n" * 63,
    "63 bytes of three": "界" * 21,
    "1,000 characters": "x" * 1000,
    "200 signs to escape": "\u202e|<&`" * 40,
    "half a character": "\ud800",
    "NUL": "\0",
}
NOT_IN_SQL = ("half a character", "NUL")
"""PostgreSQL holds neither, and YAML refuses both: they cannot reach a suite."""


def flooded(value: Any, attack: str) -> Any:
    """The value with every text in it between two attacks; what was the same text still is, and what was none."""
    if isinstance(value, str) and not isinstance(value, enum.Enum):
        return f"{attack}{value}{attack}" if value else ""
    if isinstance(value, tuple):
        parts = [flooded(item, attack) for item in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    if isinstance(value, Mapping):
        return {flooded(key, attack): flooded(item, attack) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        changed = {field.name: flooded(getattr(value, field.name), attack) for field in fields(value)}
        return replace(value, **changed)
    return value


def plain() -> Report:
    """A finding of each kind, cells of every verdict, gaps, notes, a weak search and a suite."""
    small, weak = samples.small(), samples.weak()
    return replace(
        small,
        findings=(*small.findings, samples.INTERFERENCE, samples.SIDE_EFFECT),
        gaps=(*small.gaps, *samples.interrupted().gaps),
        search=weak.search,
        suite=samples.SUITE,
    )


@cache
def attacked(name: str) -> Report:
    report: Report = flooded(plain(), ATTACKS[name])
    return report


@cache
def harmless(format_: str) -> str:
    """The document without an attack."""
    return written(format_, plain())


def written(format_: str, report: Report) -> str:
    out = io.StringIO()
    writers()[format_].write(report, out)
    return out.getvalue()


def readable(text: str) -> bool:
    """Whether every character prints, so that what is displayed is what is there."""
    return text.replace("\n", "").replace("\t", "").isprintable()


def check_html(report: Report) -> None:
    text = written("html", report)
    assert readable(text)
    found, known = shape_of_html(text), shape_of_html(harmless("html"))
    assert found <= known
    assert not [name for _, names in found for name in names if name.startswith("on")]


@cache
def shape_of_html(text: str) -> set[tuple[str, tuple[str, ...]]]:
    document = html.Document()
    document.feed(text)
    document.close()
    assert not document.stack
    return {(element.tag, tuple(sorted(element.attributes))) for element in document.elements}


def check_json(report: Report) -> None:
    text = written("json", report)
    assert text.isascii()
    assert readable(text)
    json_v1.VALIDATOR.validate(json.loads(text))
    assert read_report(text) == replace(report, suite=None)


def check_ndjson(report: Report) -> None:
    text = written("ndjson", report)
    assert text.isascii()
    assert readable(text)
    events = [json.loads(line)["event"] for line in text.splitlines()]
    assert events == [json.loads(line)["event"] for line in harmless("ndjson").splitlines()]


def check_junit(report: Report) -> None:
    text = written("junit", report)
    assert readable(text)
    junit.schema().validate(text)
    assert shape_of_xml(text) <= shape_of_xml(harmless("junit"))


@cache
def shape_of_xml(text: str) -> set[tuple[str, tuple[str, ...]]]:
    return {(element.tag, tuple(sorted(element.attrib))) for element in ElementTree.fromstring(text.encode()).iter()}


def check_sarif(report: Report) -> None:
    text = written("sarif", report)
    assert text.isascii()
    assert readable(text)
    log = json.loads(text)
    sarif.validator().validate(log)
    for said in sarif.strings([result["message"] for result in log["runs"][0]["results"]]):
        assert readable(said)
        assert "](" not in said  # a link, in SARIF's plain text


def check_markdown(report: Report) -> None:
    text = written("markdown", report)
    assert readable(text)
    assert len(text.encode()) < LIMIT
    markdown.test_there_is_no_markup_but_ours(lambda: report)
    markdown.test_every_row_of_a_table_has_as_many_cells_as_its_head(lambda: report)
    for token in markdown.tokens(text):
        if token.type == "inline":
            shown = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", token.content).replace("&#8203;", "\u200b")
            assert not re.search(r"[@#]\w|www\.|https?:", shown.replace("\\", "\u200b"))


def check_github(report: Report) -> None:
    text = written("github", report)
    assert readable(text)
    lines = text.splitlines()
    assert len(lines) >= len(report.findings) - 1  # one is accepted
    for line in lines:
        github.read(line)
    for level in ("::error ", "::warning "):
        assert sum(line.startswith(level) for line in lines) <= 10


def check_pgtap(report: Report) -> None:
    text = written("pgtap", report)
    assert pgtap.skeleton(text) == pgtap.skeleton(harmless("pgtap"))
    assert text.count("\nselect plan(3);\n") == 1
    assert text.endswith("select * from finish();\nrollback;\n")


def check_terminal(report: Report) -> None:
    for width in (80, 120):
        text = terminal.shown(report, width=width, verbose=True)
        assert readable(text)
        assert text.splitlines()[-2].startswith("exit 1: ")
    colored = terminal.shown(report, environ={"FORCE_COLOR": "1", "TERM": "xterm-256color"})
    assert readable(re.sub(r"\x1b\[[0-9;]*m", "", colored))  # colours, and no links


CHECKS: Mapping[str, Callable[[Report], None]] = {
    "html": check_html,
    "json": check_json,
    "ndjson": check_ndjson,
    "junit": check_junit,
    "sarif": check_sarif,
    "markdown": check_markdown,
    "github": check_github,
    "pgtap": check_pgtap,
    "terminal": check_terminal,
}


def test_every_format_has_a_check() -> None:
    assert CHECKS.keys() == {*writers(), "terminal"}


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("format_", CHECKS)
def test_no_format_obeys_breaks_or_hides(format_: str, attack: str) -> None:
    if format_ == "pgtap" and attack in NOT_IN_SQL:
        return
    CHECKS[format_](attacked(attack))
    if format_ != "terminal":
        written(format_, attacked(attack)).encode("utf-8")


@pytest.mark.parametrize("format_", sorted(CHECKS.keys() - {"pgtap"}))
def test_what_was_broken_off_says_so(format_: str) -> None:
    report = samples.interrupted()
    text = terminal.shown(report, exit_code=130) if format_ == "terminal" else written(format_, report)
    assert "interrupted after 312 of about 2,000 attempts" in text
