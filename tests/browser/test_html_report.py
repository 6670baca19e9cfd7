"""The HTML report in a real browser: keyboard, filters, copying, no JavaScript, print, dark, narrow, large."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from playwright.sync_api import Page
from tests.browser.conftest import Reader
from tests.unit import sample_reports as samples

from tenantproof.core.finding import Verdict
from tenantproof.core.report import Report

LEAK = f"#f-{samples.SELECT_LEAK.fingerprint}"
BLOCK = f"#f-{samples.OVERBLOCK.fingerprint}"


def rows(page: Page) -> list[str]:
    """The relations that the matrix shows."""
    return page.locator("#map tbody tr:not([hidden]) th").all_text_contents()


def personas(page: Page) -> list[str]:
    """The personas that the matrix shows."""
    heads = page.locator("#map thead tr:nth-child(2) th:not([hidden])")
    return list(heads.evaluate_all("all => all.map((one) => one.dataset.persona)"))


def bright(page: Page) -> set[str]:
    """What is said of the cells that the filter leaves bright."""
    shown = "#map tbody tr:not([hidden]) td:not([hidden]) a:not(.dim)"
    return set(page.eval_on_selector_all(shown, "all => all.map((one) => one.getAttribute('aria-label'))"))


def findings(page: Page) -> set[str]:
    """The findings that are shown or could be unfolded."""
    shown = page.eval_on_selector_all(
        "article.finding", "all => all.filter((one) => !one.closest('[hidden]')).map((one) => '#' + one.id)"
    )
    return set(shown)


def view(page: Page) -> tuple[list[str], list[str], set[str], set[str]]:
    return rows(page), personas(page), bright(page), findings(page)


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.getAttribute('aria-label') || document.activeElement.textContent"))


def fragment(page: Page) -> str:
    return str(page.evaluate("location.hash"))


@pytest.mark.parametrize(
    "sample", [samples.searched_clean, samples.mixed, samples.nightly, samples.searched, samples.hostile, samples.empty]
)
def test_the_browser_has_nothing_to_complain_of(reader: Reader, sample: Callable[[], Report]) -> None:
    page = reader.open(sample)
    assert page.locator("h1").is_visible()
    assert page.locator("#map tbody tr").count() == len(sample().relations)


def test_a_complaint_is_heard(reader: Reader) -> None:
    page = reader.open(samples.empty)
    with page.expect_console_message():
        page.evaluate("document.body.setAttribute('style', 'color: red')")
    with page.expect_event("pageerror"):
        page.evaluate("setTimeout(() => { throw new Error('heard') })")
    assert page.evaluate("window.violations") == ["style-src-attr"]
    assert any("Content Security Policy" in said for said in reader.complaints)
    assert "heard" in reader.complaints
    page.evaluate("window.violations = []")
    reader.complaints.clear()


# Keyboard


def test_arrows_move_from_sign_to_sign(reader: Reader) -> None:
    page = reader.open(samples.small)
    first = page.locator("#map tbody td a").first
    first.focus()
    walk = {
        "ArrowRight": "acme.owner insert public.comments: allowed",
        "ArrowDown": "acme.owner insert public.plans: denied",
        "ArrowLeft": "acme.owner select public.plans: allowed",
        "End": "anon delete public.plans: denied",
        "ArrowUp": "anon delete public.comments: denied",
        "Home": "public.comments",
        "Control+End": "anon delete storage.objects: untested",
        "Control+Home": "public.comments",
    }
    for key, there in walk.items():
        page.keyboard.press(key)
        assert focused(page) == there, key
        assert page.locator("#readout").text_content() == there
    page.keyboard.press("ArrowLeft")  # there is nothing: the focus stays
    assert focused(page) == "public.comments"


def test_the_matrix_is_one_stop_of_the_tab_key(reader: Reader) -> None:
    page = reader.open(samples.small)
    page.focus("#only-differences")
    page.keyboard.press("Tab")  # the region scrolls by keyboard
    assert focused(page) == "Matrix, scrollable"
    page.keyboard.press("Tab")
    assert focused(page) == "acme.owner select public.comments: allowed"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    assert not page.evaluate("document.activeElement.closest('#map')")
    page.keyboard.press("Shift+Tab")
    assert focused(page) == "acme.owner select public.plans: allowed"
    assert page.locator("#map a[tabindex='0']").count() == 1


def test_arrows_pass_over_what_is_hidden(reader: Reader) -> None:
    page = reader.open(samples.small, "#tenant=globex&text=pl&diff=0")
    assert rows(page) == ["public.plans", "public.workflow_templates"]
    page.locator("#map tbody tr:not([hidden]) td:not([hidden]) a").first.focus()
    page.keyboard.press("ArrowDown")
    assert focused(page) == "globex.owner select public.workflow_templates: leaked"
    page.keyboard.press("ArrowDown")
    assert focused(page) == "globex.owner select public.workflow_templates: leaked"


def test_enter_leads_to_the_evidence(reader: Reader) -> None:
    page = reader.open(samples.small)
    page.locator("[aria-label='outsider select public.workflow_templates: leaked']").press("Enter")
    assert fragment(page) == LEAK
    page.locator("[aria-label='acme.owner select public.plans: allowed']").press("Enter")
    assert page.locator("details:target").evaluate("(node) => node.open")  # unfolded


# Filters


@pytest.mark.parametrize(
    ("control", "value", "key", "rows_left", "findings_left"),
    [
        ("#by-text", "TEMPLATES", "text", ["public.workflow_templates"], 1),
        ("#by-text", samples.OVERBLOCK.fingerprint[:6], "text", ["public.comments"], 1),
        ("#by-tenant", "globex", "tenant", None, 2),
        ("#by-persona", "acme.viewer", "persona", None, 2),
        ("#by-command", "delete", "command", None, 1),
        ("#by-outcome", "o", "outcome", ["public.comments"], 1),
        ("#by-outcome", "u", "outcome", ["storage.objects"], 0),
        ("#by-severity", "critical", "severity", ["public.workflow_templates"], 1),
        ("#by-channel", "OVERBLOCKED", "channel", ["public.comments"], 1),
        ("#by-channel", "UNIQUE-ORACLE", "channel", [], 1),
        ("#only-differences", "", "diff", ["public.comments", "public.workflow_templates", "storage.objects"], None),
    ],
)
def test_each_filter_narrows_and_stands_in_the_fragment(
    reader: Reader, control: str, value: str, key: str, rows_left: list[str] | None, findings_left: int | None
) -> None:
    page = reader.open(samples.small)
    before = view(page)
    assert len(before[0]) == 4
    assert len(before[3]) == len(samples.small().findings)
    element = page.locator(control)
    if control == "#only-differences":
        element.check()
    elif control == "#by-text":
        element.fill(value)
    else:
        element.select_option(value)
    after = view(page)
    assert after != before
    assert after[0] == (before[0] if rows_left is None else rows_left)
    assert set(after[2]) < set(before[2])
    assert len(after[3]) == (len(before[3]) if findings_left is None else findings_left)
    assert key in fragment(page)
    again = reader.open(samples.small, fragment(page))
    assert view(again) == after
    again.locator("#reset").click()
    assert view(again) == before


def test_a_filter_by_tenant_or_persona_leaves_only_their_columns(reader: Reader) -> None:
    page = reader.open(samples.small, "#tenant=acme&diff=0")
    assert personas(page) == ["acme.owner", "acme.viewer"]
    page.select_option("#by-persona", "acme.viewer")
    assert personas(page) == ["acme.viewer"]
    assert page.locator("#map thead tr:first-child th:not([hidden])").all_text_contents()[2:] == ["acme"]


def test_a_severity_leaves_only_its_cells_bright(reader: Reader) -> None:
    page = reader.open(samples.small, "#severity=medium&diff=0")
    assert bright(page) == {
        "acme.owner delete public.comments: blocked too much",
        "globex.owner delete public.comments: blocked too much",
    }


def test_hidden_findings_are_spoken_of_and_a_link_to_one_shows_it(reader: Reader) -> None:
    page = reader.open(samples.small, "#severity=medium&diff=0")
    assert findings(page) == {BLOCK}
    assert page.locator("#shown").text_content() == "1 of 4 relations and 1 of 4 findings shown"
    note = page.locator("#findings .narrowed")
    assert "1 of 4 findings shown: the filter of the matrix hides the others" in str(note.text_content())
    page.evaluate(f"location.hash = '{LEAK}'")
    page.locator(LEAK).wait_for(state="visible")
    assert note.is_hidden()
    page.go_back()
    page.locator(LEAK).wait_for(state="hidden")
    assert findings(page) == {BLOCK}


def fifty() -> Report:
    """Fifty relations and one persona, who leaks in one of them."""
    report = samples.large()
    cells = [cell for cell in report.cells if cell.persona == "acme.owner"][:200]
    cells = [replace(cell, verdict=Verdict.ISOLATED, reason="") for cell in cells]
    cells[80] = replace(cells[80], verdict=Verdict.LEAK)
    names = {cell.object: "organization_id" for cell in cells}
    return replace(report, cells=tuple(cells), personas=("acme.owner",), relations=names)


def test_only_differences_is_on_above_forty_relations_where_there_are_any(reader: Reader) -> None:
    page = reader.open(fifty)
    assert page.locator("#only-differences").is_checked()
    assert rows(page) == ["public.workflow_execution_020"]
    page.locator("#reset").click()
    assert len(rows(page)) == 50
    page = reader.open(samples.mixed)
    assert not page.locator("#only-differences").is_checked()


# Copying


def test_a_script_is_copied_and_that_is_said(reader: Reader) -> None:
    page = reader.open(samples.small)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator(f"{LEAK} .script .copy").click()
    page.locator("#said", has_text="Copied to the clipboard").wait_for(state="attached")
    assert page.evaluate("navigator.clipboard.readText()") == samples.SELECT_LEAK.replay
    page.locator(f"{LEAK} .one .copy").click()
    page.locator(f"{LEAK} .one .copy", has_text="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()").startswith("tenantproof replay ")


def test_where_the_clipboard_is_closed_the_text_is_selected(reader: Reader) -> None:
    page = reader.open(samples.small)
    page.evaluate("navigator.clipboard.writeText = () => Promise.reject(); document.execCommand = () => false")
    page.locator(f"{LEAK} .script .copy").click()
    page.locator("#said", has_text="Selected, not copied").wait_for(state="attached")
    assert page.evaluate("getSelection().toString()").strip() == samples.SELECT_LEAK.replay.strip()


# Without JavaScript, on paper, in the dark, on a phone


@pytest.mark.parametrize("sample", [samples.nightly, samples.searched])
def test_without_javascript_all_can_be_read(reader: Reader, sample: Callable[[], Report]) -> None:
    page = reader.open(sample, java_script_enabled=False)
    report = sample()
    assert page.locator("#map tbody tr").first.is_visible()
    assert page.locator("#filters").is_hidden()
    assert page.locator(".copy:visible, .everything:visible").count() == 0
    for summary in page.locator("#accepted > details > summary").all():
        summary.click()
    for finding in report.findings:
        section = page.locator(f"#f-{finding.fingerprint}")
        for text in (finding.title, finding.explanation, finding.fix, finding.replay):
            assert " ".join(text.split()) in " ".join(section.inner_text().split())
    page.locator("#map tbody td a").first.click()
    assert "#" in page.url


def test_print_opens_what_is_folded(reader: Reader) -> None:
    page = reader.open(samples.nightly, java_script_enabled=False)
    inside = page.locator("#relations details table").first
    assert not inside.is_visible()
    page.emulate_media(media="print")
    assert inside.is_visible()
    for folded in page.locator("details").all():
        assert folded.locator(":scope > :not(summary)").first.is_visible()
    assert page.locator("nav").is_hidden()
    assert len(page.pdf()) > 10_000


def test_printing_shows_every_row_of_the_filter_and_folds_again(reader: Reader) -> None:
    page = reader.open(samples.nightly)
    folded = page.locator("details:not([open])").count()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details:not([open])").count() == folded


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_follows_the_reader_into_the_dark(reader: Reader, scheme: str) -> None:
    page = reader.open(samples.small, color_scheme=scheme)
    colors = page.evaluate("[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]")
    paper, ink = (sum(map(int, re.findall(r"\d+", color))) for color in colors)
    assert (paper < ink) is (scheme == "dark")


def test_motion_is_left_out_where_it_is_not_wanted(reader: Reader) -> None:
    page = reader.open(samples.empty, reduced_motion="reduce")
    assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"


def test_forced_colors_keep_leaks_apart(reader: Reader) -> None:
    page = reader.open(samples.small, forced_colors="active")
    color = "(node) => getComputedStyle(node).backgroundColor"
    assert page.locator("#map a.l").first.evaluate(color) != page.locator("#map a.a").first.evaluate(color)


@pytest.mark.parametrize("sample", [samples.nightly, samples.searched, samples.hostile])
def test_a_phone_scrolls_no_page_sideways(reader: Reader, sample: Callable[[], Report]) -> None:
    page = reader.open(sample, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page.evaluate("document.querySelectorAll('details').forEach((node) => { node.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.evaluate("visualViewport.scale") == 1


def test_the_header_stays_in_sight(reader: Reader) -> None:
    page = reader.open(samples.mixed, viewport={"width": 1280, "height": 700})
    page.evaluate("document.querySelector('.heat .scroll').scrollTo(0, 400)")
    region, head = (
        page.locator(name).bounding_box() for name in (".heat .scroll", "#map thead tr:nth-child(2) th >> nth=0")
    )
    assert region is not None
    assert head is not None
    assert region["y"] <= head["y"] < region["y"] + 60


# History


def test_the_runs_are_bars_and_the_same_table(reader: Reader) -> None:
    page = reader.open(samples.nightly)
    runs = len(samples.nightly().history) + 1
    for chart in page.locator(".chart svg").all():
        assert chart.locator("g").count() == runs
    assert page.locator(".chart svg").first.locator("rect.critical").count() == 4
    box = page.locator(".chart svg").first.bounding_box()
    assert box is not None
    assert box["height"] > 50
    page.locator("#history summary").click()
    assert page.locator(".runs tbody tr").count() == runs
    assert "(this run)" in str(page.locator(".runs tbody tr").last.text_content())


# Large


def test_twenty_thousand_cells_are_there_and_a_filter_answers(reader: Reader) -> None:
    page = reader.open(samples.large)
    assert page.evaluate("document.readyState") == "complete"
    assert reader.file(samples.large).stat().st_size < 3_000_000
    assert len(rows(page)) == 250
    page.fill("#by-text", "execution_12")
    page.wait_for_selector("#map:not([aria-busy])")
    assert len(rows(page)) == 10
    page.select_option("#by-outcome", "u")
    assert all(said.endswith("untested") for said in bright(page))
