"""The summary of a CI job: never longer than GitHub takes, and nothing in it that the database wrote is obeyed."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from tests.unit import sample_reports as samples

from tenantproof.core.report import Report
from tenantproof.reports.markdown import LIMIT, MarkdownWriter, Section, fitting
from tenantproof.reports.markdown_text import code_block, table, text
from tenantproof.reports.visible import one_line, visible

SAMPLES = [samples.clean, samples.mixed, samples.small, samples.hostile, samples.empty, samples.searched, samples.weak]
OURS = re.compile(r"<details><summary>|</summary>\s*|</details>\s*|<br>")
READER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def written(report: Report) -> str:
    out = io.StringIO()
    MarkdownWriter().write(report, out)
    return out.getvalue()


def tokens(markdown: str) -> Iterator[Token]:
    for token in READER.parse(markdown):
        yield token
        yield from token.children or ()


def plain(markdown: str) -> str:
    """What a reader sees of a paragraph."""
    return "".join(token.content for token in tokens(markdown) if token.type in ("text", "text_special")).replace(
        "\u200b", ""
    )


@pytest.mark.parametrize("sample", SAMPLES)
def test_there_is_no_markup_but_ours(sample: Callable[[], Report]) -> None:
    for token in tokens(written(sample())):
        if token.type in ("html_inline", "html_block"):
            summary = re.sub(r"(?s)(<summary>)[^<]*", r"\1", token.content)
            assert OURS.sub("", summary).strip() == "", token.content
        assert token.type not in ("link_open", "image", "em_open", "s_open", "code_block", "hr", "blockquote_open")


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_row_of_a_table_has_as_many_cells_as_its_head(sample: Callable[[], Report]) -> None:
    width, row = 0, 0
    for token in tokens(written(sample())):
        if token.type == "thead_open":
            width = row = 0
        width += token.type == "th_open"
        row = 0 if token.type == "tr_open" else row + (token.type == "td_open")
        assert row <= width
    for line in written(sample()).splitlines():
        if line.startswith("| --- "):
            assert set(line) <= set("|- ")


TEXTS = st.text() | st.sampled_from(
    [
        samples.HOSTILE,
        "a|b",
        "`x`",
        "@all #1",
        "<b>",
        "[a](b)",
        "**b**",
        "http://a.b www.a.b",
        "a\n# b",
        "&lt;",
        "~~x~~",
    ]
)


@given(TEXTS)
def test_any_text_is_shown_as_it_is(said: str) -> None:
    assert plain(f"x {text(said)} y") == f"x {one_line(said)} y".replace("\u200b", "")


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=3))
def test_any_text_fits_into_one_cell(rows: list[tuple[str, str]]) -> None:
    markdown = table(("a", "b"), ((text(first), text(second)) for first, second in rows))
    assert sum(token.type == "td_open" for token in tokens(markdown)) == 2 * len(rows)


@given(TEXTS | st.text("`~ \n", max_size=20))
def test_any_code_stays_in_its_fence(said: str) -> None:
    (fence,) = READER.parse(code_block(said))
    assert fence.type == "fence"
    assert fence.content.strip("\n") == visible(said).strip("\n")


@pytest.mark.parametrize(
    "said", ["@supabase/security", "#12", "www.evil.example", "https://evil.example", "a@b.example"]
)
def test_nobody_is_mentioned_and_nothing_becomes_a_link(said: str) -> None:
    """GitHub looks for these after rendering: a sign must stand before something else than a name."""
    shown = text(said).replace("&#8203;", "\u200b").replace("\\", "\u200b")
    assert not re.search(r"[@#]\w|www\.|https:", shown)


def test_the_verdict_comes_first_and_the_worst_finding_next() -> None:
    markdown = written(samples.mixed())
    assert markdown.startswith("# tenantproof: 3 leaks, 4 blocked too much, 9 untested, 4 errors, of 2,100 cells\n")
    rows = [line for line in markdown.splitlines() if line.startswith(("| **", "| blocked"))]
    assert [row.split(" | ")[0] for row in rows] == [
        "| **critical**",
        "| **high**",
        "| blocked too much (medium)",
        "| **low**",
    ]
    assert "supabase/migrations/20260411\\_templates.sql" in rows[0]


def test_what_was_not_tested_stands_before_the_details() -> None:
    markdown = written(samples.mixed())
    heads = [line for line in markdown.splitlines() if line.startswith("## ")]
    assert heads == [
        "## Findings",
        "## Deviations without a finding",
        "## Not tested",
        "## Accepted",
        "## Details",
        "## The run",
    ]
    assert "ids are public (ticket SEC-214)" in markdown


def test_two_worlds_stand_side_by_side() -> None:
    assert "| ≠ | globex-canary-01 | globex-canary-01 (changed) |" in written(samples.searched())


def huge() -> Report:
    """Two thousand findings with long scripts in characters of three bytes."""
    finding = replace(samples.SELECT_LEAK, replay="begin;\n" + "€" * 2000)
    many = tuple(replace(finding, object=f"public.t{index:04}") for index in range(2000))
    return replace(samples.mixed(), findings=many)


def test_a_huge_report_is_cut_in_bytes_and_says_so() -> None:
    markdown = written(huge())
    assert len(markdown.encode("utf-8")) <= 1_000_000 < LIMIT
    assert len(markdown.encode("utf-8")) > 900_000
    assert "public.t1999" in markdown
    assert "The summary has no room for details of findings; the HTML and JSON reports have everything." in markdown
    assert markdown.count("<details>") == markdown.count("</details>")
    assert markdown.count("```") % 2 == 0


@given(
    st.lists(st.tuples(st.text(), st.lists(st.text(), min_size=1, max_size=5)), max_size=4),
    st.integers(600, 2000),
)
def test_sections_never_take_more_than_their_room(parts: list[tuple[str, list[str]]], room: int) -> None:
    sections = [
        Section(head=head, items=tuple(items), what=f"part {index}") for index, (head, items) in enumerate(parts)
    ]
    markdown = "".join(fitting(sections, room))
    assert len(markdown.encode("utf-8")) <= room
    for section in sections:
        whole = all(f"\n{item}\n" in markdown for item in (section.head, *section.items))
        assert whole or f"no room for {section.what};" in markdown


def test_golden() -> None:
    samples.assert_golden("report.md", written(samples.small()))
    samples.assert_golden("report-searched.md", written(samples.searched()))
