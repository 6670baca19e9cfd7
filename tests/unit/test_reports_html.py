"""The HTML report: self-contained, escaped, linked, readable by everybody, and small enough."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from html.parser import HTMLParser

import pytest
from tests.unit import sample_reports as samples

from tenantproof.core.model import Command
from tenantproof.core.report import Report
from tenantproof.reports.html import HtmlWriter, content_security_policy
from tenantproof.reports.matrix import Outcome, build_matrix
from tenantproof.reports.visible import one_line

SAMPLES = [
    samples.clean,
    samples.mixed,
    samples.small,
    samples.nightly,
    samples.hostile,
    samples.empty,
    samples.searched,
    samples.weak,
]
VOID = {"meta", "input", "br", "img", "link"}


@dataclass
class Element:
    tag: str
    attributes: dict[str, str | None]
    text: str = ""


@dataclass
class Document(HTMLParser):
    """The elements of a document, each with all the text inside it."""

    elements: list[Element] = field(default_factory=list)
    stack: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs))
        self.elements.append(element)
        if tag not in VOID:
            self.stack.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack, f"</{tag}> closes nothing"
        assert self.stack[-1].tag == tag, f"</{tag}> inside <{self.stack[-1].tag}>"
        self.stack.pop()

    def handle_data(self, data: str) -> None:
        for element in self.stack:
            element.text += data

    def all(self, tag: str) -> list[Element]:
        return [element for element in self.elements if element.tag == tag]

    def by_id(self, name: str) -> Element:
        (found,) = (element for element in self.elements if element.attributes.get("id") == name)
        return found


@cache
def written(sample: Callable[[], Report]) -> str:
    out = io.StringIO()
    HtmlWriter().write(sample(), out)
    return out.getvalue()


@cache
def parsed(sample: Callable[[], Report]) -> Document:
    document = Document()
    document.feed(written(sample))
    document.close()
    assert not document.stack
    return document


def digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_policy_allows_our_style_and_scripts_and_nothing_else(sample: Callable[[], Report]) -> None:
    document = parsed(sample)
    (style,), (early, script) = document.all("style"), document.all("script")
    (policy,) = (meta for meta in document.all("meta") if meta.attributes.get("http-equiv"))
    assert policy.attributes["content"] == content_security_policy(style.text, early.text, script.text)
    for allowed in (style, early, script):
        assert f"'sha256-{digest(allowed.text)}'" in str(policy.attributes["content"])
    assert str(policy.attributes["content"]).count("sha256-") == 3
    assert str(policy.attributes["content"]).startswith("default-src 'none'; ")


@pytest.mark.parametrize("sample", SAMPLES)
def test_nothing_is_loaded_and_nothing_runs_but_ours(sample: Callable[[], Report]) -> None:
    document = parsed(sample)
    assert not {element.tag for element in document.elements} & {"img", "link", "iframe", "object", "embed", "base"}
    for element in document.elements:
        names = set(element.attributes)
        assert not names & {"src", "srcset", "style", "background", "action"}
        assert not [name for name in names if name.startswith("on")]
    (style,) = document.all("style")
    assert "url(" not in style.text
    assert "@import" not in style.text


@pytest.mark.parametrize("sample", SAMPLES)
def test_addresses_are_only_links_to_weaknesses(sample: Callable[[], Report]) -> None:
    hrefs = [str(link.attributes["href"]) for link in parsed(sample).all("a")]
    outside = {href for href in hrefs if not href.startswith("#")}
    assert all(re.fullmatch(r"https://cwe\.mitre\.org/data/definitions/\d+\.html", href) for href in outside)
    assert written(sample).count("http") == written(sample).count("https://cwe.mitre.org/") + 1  # http-equiv


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_link_leads_somewhere_and_every_anchor_is_one(sample: Callable[[], Report]) -> None:
    document = parsed(sample)
    anchors = [element.attributes["id"] for element in document.elements if "id" in element.attributes]
    assert len(anchors) == len(set(anchors))
    for link in document.all("a"):
        href = str(link.attributes["href"])
        assert not href.startswith("#") or href[1:] in anchors


def test_hostile_text_is_text() -> None:
    html = written(samples.hostile)
    for char in ("\u202e", "\u2066", "\x1b", "\x07", "\0", "\ud800"):
        assert char not in html
    html.encode("utf-8")
    shown = parsed(samples.hostile).by_id("findings").text
    assert "</script><img src=x onerror=alert(1)>]]>&\"'`\\u202egnp.exe" in shown
    assert "{{7*7}}" in shown
    assert samples.LONG in shown


def test_each_cell_says_what_and_how_it_went_and_who_where_it_is_not_as_intended() -> None:
    """The headers say the rest of the others, and the script: tests/browser/test_html_report.py."""
    labels = {link.attributes.get("aria-label") for link in parsed(samples.mixed).all("a")}
    matrix = build_matrix(samples.mixed())
    words = {Outcome.ALLOWED: "allowed", Outcome.DENIED: "denied"}
    for (name, persona, command), outcome in matrix.outcomes.items():
        whole = f"{persona} {command.value} {name}: {outcome.value}"
        assert (f"{command.value} {words[outcome]}" if outcome.as_expected else whole) in labels
    assert "outsider select public.workflow_templates: leaked" in labels


def test_each_cell_leads_to_its_evidence() -> None:
    links = {link.attributes.get("aria-label"): link.attributes["href"] for link in parsed(samples.mixed).all("a")}
    leaked = links["outsider select public.workflow_templates: leaked"]
    assert leaked == f"#f-{samples.SELECT_LEAK.fingerprint}"
    accepted = links["acme.viewer select public.events: accepted"]
    assert accepted == f"#f-{samples.ACCEPTED.fingerprint}"
    untested = parsed(samples.mixed).by_id(str(links["anon select storage.objects: untested"])[1:])
    assert "permission denied for schema storage" in untested.text
    error = parsed(samples.mixed).by_id(str(links["dual select public.org_dashboard: error"])[1:])
    assert "infinite recursion" in error.text
    row = written(samples.mixed).partition(">public.api_keys</a></th>")[2].partition("</tr>")[0]
    (allowed,) = re.findall(r'class="a" href="#(r\d+)"', row)[:1]
    assert "public.api_keys" in parsed(samples.mixed).by_id(allowed).text


def test_headers_have_a_scope() -> None:
    headers = parsed(samples.mixed).all("th")
    assert headers
    assert all(header.attributes.get("scope") in {"col", "row", "colgroup"} for header in headers)


@pytest.mark.parametrize("sample", [samples.mixed, samples.hostile])
def test_each_finding_has_all_there_is_to_say(sample: Callable[[], Report]) -> None:
    document = parsed(sample)
    scripts = {pre.text for pre in document.all("pre")}
    for finding in sample().findings:
        section = document.by_id(f"f-{finding.fingerprint}").text
        assert finding.fingerprint in section
        assert finding.severity.value in section
        for persona in finding.personas:
            assert one_line(persona) in section
        if sample is samples.mixed:
            assert finding.replay in scripts
            for text in (finding.title, finding.explanation, finding.fix, finding.policy_text, finding.accepted):
                assert text in section
            for evidence in finding.evidence:
                assert evidence.statement in section
                assert evidence.observed in section
                assert all(row in section for row in evidence.rows)


def test_places_and_weaknesses_are_named() -> None:
    section = parsed(samples.mixed).by_id(f"f-{samples.SELECT_LEAK.fingerprint}").text
    assert "supabase/migrations/20260411_templates.sql:41" in section
    assert "scenarios/workflow_saas.tenancy.yaml:52:3" in section
    assert "CWE-639: Authorization Bypass Through User-Controlled Key" in section


def test_the_order_is_verdict_untested_matrix_findings_rest() -> None:
    html = written(samples.mixed)
    order = [
        "<h1",
        'id="not-tested"',
        'id="summary"',
        'id="matrix"',
        'id="findings"',
        'id="accepted"',
        'id="relations"',
        'id="environment"',
        'id="glossary"',
    ]
    places = [html.index(mark) for mark in order]
    assert places == sorted(places)


def test_what_was_not_tested_stands_near_the_top_with_reasons() -> None:
    section = parsed(samples.mixed).by_id("not-tested").text
    for reason in (
        "permission denied for schema storage",
        "a BEFORE trigger refused",
        "not in database.schemas",
        "23514",
    ):
        assert reason in section
    assert "Nothing in scope was left out" in parsed(samples.clean).by_id("not-tested").text


def test_the_environment_names_patches_and_versions() -> None:
    section = parsed(samples.mixed).by_id("environment").text
    for fact in ("04-null-published.sql", "18.6", "20261123", "0.1.0", "3.4 s", "embedded", "1,260", "12,840"):
        assert fact in section


def test_an_empty_report_claims_nothing() -> None:
    assert "proves nothing" in written(samples.empty)
    assert 'class="doubt"' in written(samples.empty)


def test_without_javascript_only_conveniences_are_hidden() -> None:
    hidden = [element for element in parsed(samples.mixed).elements if "hidden" in element.attributes]
    assert {element.attributes.get("id") or element.attributes.get("class") for element in hidden} == {
        "filters",
        "reset",
        "readout",
        "copy",
        "warning narrowed",
    }


def test_the_same_report_gives_the_same_document() -> None:
    out = io.StringIO()
    HtmlWriter().write(samples.mixed(), out)
    assert out.getvalue() == written(samples.mixed)


def test_twenty_thousand_cells_stay_below_three_megabytes() -> None:
    assert len(samples.large().cells) == 20_000
    assert len(written(samples.large).encode("utf-8")) < 3_000_000


def test_a_relation_without_some_commands_has_empty_places() -> None:
    matview = samples.clean()
    cells = tuple(cell for cell in matview.cells if cell.command is Command.SELECT)

    def only_select() -> Report:
        return replace(matview, cells=cells)

    assert written(only_select).count("<b></b><b></b><b></b></td>") == len(cells)


def test_golden() -> None:
    """The document without its style and script, which have tests of their own."""
    html = written(samples.small)
    html = re.sub(r"<(style|script)>.*?</\1>", r"<\1></\1>", html, flags=re.DOTALL)
    samples.assert_golden("report.html", re.sub(r"sha256-[^&]+", "sha256-", html))


def test_golden_of_a_search() -> None:
    html = written(samples.searched)
    html = re.sub(r"<(style|script)>.*?</\1>", r"<\1></\1>", html, flags=re.DOTALL)
    samples.assert_golden("report-searched.html", re.sub(r"sha256-[^&]+", "sha256-", html))


def test_two_worlds_stand_in_a_table_with_its_roles_and_marks() -> None:
    document = parsed(samples.searched)
    section = document.by_id(f"f-{samples.INTERFERENCE.fingerprint}").text
    (first, second) = samples.INTERFERENCE.evidence
    for text in (first.behind, second.behind, *first.world_1, *first.world_2, *second.world_1, *second.world_2):
        assert text in section
    tables = [table for table in document.all("table") if "worlds" in str(table.attributes.get("class")).split()]
    assert all(table.attributes.get("role") == "table" for table in tables)
    titles = [header.text for header in document.all("th") if header.attributes.get("role") == "columnheader"]
    assert titles[:2] == ["World 1, before", "World 2, after"]
    marked = [cell.text for cell in document.all("td") if "differs" in str(cell.attributes.get("class")).split()]
    assert marked.count("≠9 rows") == marked.count("≠10 rows") == marked.count("≠globex-canary-02") == 1
    assert not [text for text in marked if "acme-canary" in text]
    signs = [sign for sign in document.all("b") if sign.attributes.get("class") == "sign"]
    assert {sign.attributes.get("aria-label") for sign in signs} == {"differs"}


def test_one_observation_stands_alone_and_differs_from_nothing() -> None:
    section = (
        written(samples.searched).partition(f'id="f-{samples.SIDE_EFFECT.fingerprint}"')[2].partition("</article>")[0]
    )
    assert 'class="worlds single"' in section
    assert "World 2" not in section
    assert "≠" not in section


def test_matrix_findings_have_no_worlds() -> None:
    assert not {"World 1, before", "Behind their back"} & {element.text for element in parsed(samples.mixed).elements}


def test_the_numbers_of_the_search_stand_in_the_summary() -> None:
    summary = parsed(samples.searched).by_id("summary").text
    for fact in ("2,500", "6,300", "71 %", "27 %", "2 %", "164", "465"):
        assert fact in summary
    assert "2,047 world pairs a second" in parsed(samples.searched).by_id("environment").text
    assert 'id="search"' not in written(samples.clean)
    assert "Programs beyond the matrix were not tried" in written(samples.clean)
    assert "Programs beyond the matrix" not in written(samples.searched)


def test_a_weak_search_is_a_warning_and_not_green() -> None:
    assert 'class="clean"' in written(samples.searched_clean)
    html = written(samples.weak)
    assert 'class="doubt"' in html
    assert "No leak in 40 cells and 6,300 world pairs; the search was weak</h1>" in html
    (warning,) = (p for p in parsed(samples.weak).all("p") if p.attributes.get("class") == "warning")
    assert warning.text.startswith("Weak search: 80 % of the attempts failed")
    assert "80 % of the attempts failed" in parsed(samples.weak).by_id("not-tested").text


def test_a_long_observation_is_cut_around_what_differs() -> None:
    lines = tuple(f"row {index}" for index in range(400))
    long = replace(samples.INTERFERENCE.evidence[0], world_1=lines, world_2=(*lines[:300], "other", *lines[301:]))

    def report() -> Report:
        return replace(samples.searched(), findings=(replace(samples.INTERFERENCE, evidence=(long,)),))

    html = written(report)
    assert "<span>row 300</span>" in html
    assert "<span>other</span>" in html
    assert "<span>row 3</span>" not in html
    assert "… 270 more" in html


def test_the_history_is_bars_and_a_table_of_the_same_numbers() -> None:
    report, document = samples.nightly(), parsed(samples.nightly)
    runs = len(report.history) + 1
    charts = document.all("svg")
    assert [chart.attributes["aria-label"] for chart in charts] == [
        "Open findings: 7 runs, the oldest first; at most 4, 3 in this run",
        "Cells untested: 7 runs, the oldest first; at most 9, 4 in this run",
    ]
    table = written(samples.nightly).partition('<table class="runs">')[2].partition("</table>")[0]
    assert table.count('<th scope="row">') == runs
    for word in ("critical", "high", "medium", "low", "info", "leaked", "blocked too much", "untested", "accepted"):
        assert f'<th scope="col">{word}</th>' in table
    cells = [int(text) for text in re.findall(r"<td[^>]*>(\d+)</td>", table)]
    now = cells[-9:]
    assert now == [1, 0, 1, 1, 0, 4, 2, 4, 0]
    for css in ("critical", "high", "medium", "low", "info"):
        bars = [bar for bar in document.all("rect") if bar.attributes["class"] == css]
        there = [number for number in cells[("critical", "high", "medium", "low", "info").index(css) :: 9] if number]
        assert len(bars) == len(there)


def test_what_is_new_and_gone_is_named_and_since_when_a_finding_is_there() -> None:
    history = parsed(samples.nightly).by_id("history").text
    assert "1 new, 2 gone since the last run (2026-11-22 02:17 UTC; 6 earlier runs known)" in history
    assert "3 new, 1 known, 1 gone beside tenantproof.baseline.json" in history
    assert "0123456789ab (high), ba9876543210 (info)" in history
    assert "fedcba987654" in history
    new = parsed(samples.nightly).by_id(f"f-{samples.COUNT_LEAK.fingerprint}").text
    assert "new since the last run" in new
    old = parsed(samples.nightly).by_id(f"f-{samples.SELECT_LEAK.fingerprint}").text
    assert "since 2026-11-20 02:17 UTC, 3 runs before this one" in old
    accepted = parsed(samples.nightly).by_id(f"f-{samples.ACCEPTED.fingerprint}").text
    assert "the last run" not in accepted  # earlier runs tell of open findings only
    assert 'id="history"' not in written(samples.small)


def test_a_long_history_shows_its_end_and_an_empty_chart_is_words() -> None:
    def long() -> Report:
        night = replace(samples.nightly().history[0], untested=0)
        return replace(samples.clean(), history=(night,) * 400)

    html = written(long)
    assert "The last 90 runs of 401" in html
    assert html.count('<th scope="row">20') == 90
    assert "<svg" not in html
    assert "none in 90 runs" in html


def palettes() -> list[dict[str, str]]:
    (style,) = parsed(samples.empty).all("style")
    light, dark = re.findall(r":root \{(.*?)\}", style.text, flags=re.DOTALL)[:2]
    return [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block)) for block in (light, dark)]


def luminance(color: str) -> float:
    """WCAG 2.2, relative luminance."""
    channels = [int(color[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("palette", palettes(), ids=["light", "dark"])
def test_contrast(palette: dict[str, str]) -> None:
    """Text on every colour is at least AAA, links and quiet text AA, and a leak stands out from every neighbour."""
    for state in "adlouwen":
        assert contrast(palette[state], palette[f"{state}-ink"]) >= 7
    for ink in ("quiet", "link"):
        assert contrast(palette["paper"], palette[ink]) >= 4.5
        assert contrast(palette["raised"], palette[ink]) >= 4.5
    for state in "adouwe":
        assert contrast(palette["l"], palette[state]) >= 3
