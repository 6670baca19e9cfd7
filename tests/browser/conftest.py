"""A real browser, and reports opened in it from disk, as a reviewer opens them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from tests.browser.chromium import ARGUMENTS, Unavailable, axe_core, chromium

from tenantproof.core.report import Report
from tenantproof.reports.html import HtmlWriter

_NOTE_VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => window.violations.push(event.violatedDirective));
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Of one module: as long as it is there, its event loop is that of the thread."""
    try:
        program = chromium()
    except Unavailable as reason:
        pytest.skip(str(reason))
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        yield started
        started.close()


@pytest.fixture(scope="session")
def axe() -> str:
    try:
        return axe_core()
    except Unavailable as reason:
        pytest.skip(str(reason))


@dataclass
class Reader:
    """Opens reports, and hears what the browser complains of.  A page is used again by the tests that want the same."""

    browser: Browser
    folder: Path
    complaints: list[str] = field(default_factory=list)
    contexts: dict[str, BrowserContext] = field(default_factory=dict)
    idle: dict[str, Page] = field(default_factory=dict)
    open_pages: list[Page] = field(default_factory=list)

    def file(self, sample: Callable[[], Report]) -> Path:
        path = self.folder / f"{sample.__name__}.html"
        if not path.exists():
            with path.open("w", encoding="utf-8") as out:
                HtmlWriter().write(sample(), out)
        return path

    def open(self, sample: Callable[[], Report], fragment: str = "", **options: Any) -> Page:
        """A page; `options` are those of Playwright's new_context."""
        page = self.idle.pop(repr(options), None) or self._new_page(options)
        self.open_pages.append(page)
        page.goto(self.file(sample).as_uri() + fragment)
        if options.get("java_script_enabled", True):
            page.wait_for_selector("html.js:not(:has(#map[aria-busy]))")
        return page

    def _new_page(self, options: dict[str, Any]) -> Page:
        key = repr(options)
        if key not in self.contexts:
            self.contexts[key] = self.browser.new_context(**options)
            self.contexts[key].set_default_timeout(20_000)
        page = self.contexts[key].new_page()
        page.add_init_script(_NOTE_VIOLATIONS)
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self._only_the_file(request.url))
        return page

    def _only_the_file(self, url: str) -> None:
        if not url.startswith(("file:", "about:")):
            self.complaints.append(f"asked for {url}")

    def put_away(self) -> None:
        """Hear the last complaints of the pages that a test opened, and keep one page of each kind for the next."""
        keys = {context: key for key, context in self.contexts.items()}
        for page in self.open_pages:
            self.complaints += page.evaluate("window.violations || []")
            key = keys[page.context]
            if key in self.idle:
                page.close()
            else:
                page.goto("about:blank")
                page.emulate_media(media="null")
                self.idle[key] = page
        self.open_pages.clear()


@pytest.fixture(scope="module")
def readers(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    opened = Reader(browser, tmp_path_factory.mktemp("reports"))
    yield opened
    for context in opened.contexts.values():
        context.close()


@pytest.fixture
def reader(readers: Reader) -> Iterator[Reader]:
    """At the end no page may have complained: no error, nothing on the console, nothing that the policy forbids."""
    readers.complaints.clear()
    yield readers
    readers.put_away()
    assert readers.complaints == []
