"""
The HTML report: one self-contained file that can be mailed to a reviewer, printed, and read without JavaScript.

Contract: nothing is loaded from anywhere (a Content-Security-Policy with the hashes of the inline style and script says
so to the browser), every text is escaped, and characters that would not print are shown as their escape.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import TextIO

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tenantproof.core.report import Report
from tenantproof.reports.html_history import CELL_TITLES, FINDING_TITLES
from tenantproof.reports.html_page import build_page
from tenantproof.reports.since import instant
from tenantproof.reports.visible import one_line, visible
from tenantproof.reports.wording import database, duration, number, plural

_TEMPLATE = "report.html.j2"

_EARLY = 'document.documentElement.className = "js";'
"""Tells the style that a script will show the matrix: a browser need not lay out 20,000 signs while it still reads."""


class HtmlWriter:
    """Writes the HTML report."""

    name = "html"
    suffix = ".html"

    def write(self, report: Report, out: TextIO) -> None:
        style, early, script = _asset("report.css"), _EARLY, _asset("report.js")
        template = _environment().get_template(_TEMPLATE)
        out.write(
            template.render(
                page=build_page(report),
                report=report,
                database=database(report),
                style=Markup(style),  # noqa: S704 (ours, shipped with the package)
                early=Markup(early),  # noqa: S704
                script=Markup(script),  # noqa: S704
                csp=content_security_policy(style, early, script),
                finding_titles=FINDING_TITLES,
                cell_titles=CELL_TITLES,
            )
        )


def content_security_policy(style: str, *scripts: str) -> str:
    """The policy that allows exactly this style and these scripts, and nothing from a network."""
    return (
        f"default-src 'none'; style-src {_source(style)}; script-src {' '.join(map(_source, scripts))}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _source(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


@cache
def _asset(name: str) -> str:
    return (files(__package__) / "templates" / name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("tenantproof.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(one_line=one_line, number=number, duration=duration, plural=plural, instant=instant)
    return environment


def _finalize(value: object) -> object:
    """Every text that a template prints becomes visible text; what the template itself made is left alone."""
    if isinstance(value, Markup):
        return value
    return visible(value) if isinstance(value, str) else value
