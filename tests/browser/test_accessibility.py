"""axe-core, which knows the rules of WCAG, finds nothing: in light, in the dark, on a phone, in all kinds of report."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.browser.conftest import Reader
from tests.unit import sample_reports as samples

from tenantproof.core.report import Report

LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "mobile": {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True},
}
RUN = """
async () => {
  const found = await axe.run(document, {preload: false, resultTypes: ["violations"]});
  const seen = (node) => node.html.slice(0, 200) + " " + node.failureSummary;
  return found.violations.map((rule) => [rule.id, rule.help, ...rule.nodes.slice(0, 3).map(seen)].join("\\n"));
}
"""


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("sample", [samples.searched_clean, samples.nightly, samples.searched, samples.hostile])
def test_no_violations(reader: Reader, axe: str, sample: Callable[[], Report], look: str) -> None:
    page = reader.open(sample, **LOOKS[look])
    page.evaluate("document.querySelectorAll('details').forEach((node) => { node.open = true; })")
    page.evaluate(axe)
    assert page.evaluate(RUN) == []


def test_a_violation_is_found(reader: Reader, axe: str) -> None:
    page = reader.open(samples.empty)
    page.evaluate("document.documentElement.removeAttribute('lang')")
    page.evaluate(axe)
    assert [found.split("\n")[0] for found in page.evaluate(RUN)] == ["html-has-lang"]
