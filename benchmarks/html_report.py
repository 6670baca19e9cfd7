"""
How large an HTML report of 20,000 cells is, and how long a browser takes until a reader can work with it.

    .venv/bin/python -m benchmarks.html_report [--runs 5]

The browser is the system's Chromium.  The report is that of the tests: 250 relations, 20 personas, four commands.
Times are the browser's own (navigation timing, `performance.now`), each opening in a browser that was started for it.
Prints the median of several openings; README.md beside this file holds the output of one call.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import perf_counter

from playwright.sync_api import CDPSession, Page, sync_playwright
from tests.browser.chromium import ARGUMENTS, Unavailable, chromium
from tests.unit import sample_reports as samples

from tenantproof.core.finding import Verdict
from tenantproof.core.report import Report
from tenantproof.reports.html import HtmlWriter

MEASURE = """
async () => {
  const drawn = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  const timed = async (change) => {
    const start = performance.now();
    change();
    await drawn();
    return performance.now() - start;
  };
  const text = document.getElementById("by-text");
  const type = (words) => () => { text.value = words; text.dispatchEvent(new Event("input")); };
  const [opened] = performance.getEntriesByType("navigation");
  const [paint] = performance.getEntriesByName("first-contentful-paint");
  return {
    "first text on the screen": paint.startTime,
    "interactive (script has run)": opened.domInteractive,
    "loaded, first rows laid out": opened.loadEventEnd,
    "all rows laid out": Number(document.documentElement.dataset.whole),
    "filter narrows to 10 relations": await timed(type("execution_12")),
    "filter is taken back": await timed(type("")),
  };
}
"""
WAIT_FOR_ALL = """
addEventListener("load", () => {
  const look = () => {
    if (document.getElementById("map").hasAttribute("aria-busy")) requestAnimationFrame(look);
    else requestAnimationFrame(() => setTimeout(() => { document.documentElement.dataset.whole = performance.now(); }));
  };
  look();
});
"""


def all_as_intended() -> Report:
    """The same without deviations: every row is shown."""
    report = samples.large()
    return replace(report, cells=tuple(replace(cell, verdict=Verdict.ISOLATED, reason="") for cell in report.cells))


def openings(path: Path, runs: int) -> dict[str, list[float]]:
    """Milliseconds by what was measured, one for each opening."""
    found: dict[str, list[float]] = {}
    with sync_playwright() as playwright:
        for _ in range(runs):
            browser = playwright.chromium.launch(executable_path=chromium(), args=list(ARGUMENTS))
            for words, milliseconds in measured(browser.new_page(), path).items():
                found.setdefault(words, []).append(milliseconds)
            browser.close()
    return found


def measured(page: Page, path: Path) -> dict[str, float]:
    page.add_init_script(WAIT_FOR_ALL)
    devtools = page.context.new_cdp_session(page)
    devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.goto(path.as_uri(), wait_until="load")
    loaded = cpu(devtools)
    page.wait_for_selector("html[data-whole]")
    whole = cpu(devtools)
    times = {words: float(milliseconds) for words, milliseconds in page.evaluate(MEASURE).items()}
    return {**times, "CPU time of the page until loaded": loaded, "CPU time until all rows are laid out": whole}


def cpu(devtools: CDPSession) -> float:
    """Milliseconds that the page's main thread has computed: the same on a busy machine, or nearly."""
    metrics = devtools.send("Performance.getMetrics")["metrics"]
    return next(1000 * float(metric["value"]) for metric in metrics if metric["name"] == "ThreadTime")


def show(title: str, sample: Callable[[], Report], runs: int) -> None:
    report = sample()
    start = perf_counter()
    out = io.StringIO()
    HtmlWriter().write(report, out)
    written = perf_counter() - start
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.html"
        path.write_text(out.getvalue(), encoding="utf-8")
        size = path.stat().st_size
        times = openings(path, runs)
    print(f"\n{title}: {len(report.cells):,} cells, {size / 1e6:.2f} MB, written in {written:.2f} s")
    width = max(map(len, times))
    print(f"{'':{width}}  median of {runs}  least   most")
    for words, values in times.items():
        print(f"{words:{width}}  {median(values):8.0f} ms  {min(values):5.0f}  {max(values):5.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures the HTML report of 20,000 cells in a browser.")
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    try:
        chromium()
    except Unavailable as reason:
        sys.exit(str(reason))
    load = os.getloadavg()[0]
    print(f"{datetime.now(UTC):%Y-%m-%d}  {os.cpu_count()} cores, load average {load:.1f}")
    show("Every relation deviates somewhere", samples.large, runs)
    show("All as intended", all_as_intended, runs)


if __name__ == "__main__":
    main()
