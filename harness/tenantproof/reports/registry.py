"""Which formats there are.  A format is one module with one writer; nothing is imported until somebody asks."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol, TextIO

from tenantproof.core.report import Report


class Writer(Protocol):
    """Turns a report into one document.  Opens no files and reads no clock."""

    @property
    def name(self) -> str:
        """What stands before "=" in `--report FORMAT=PATH`."""
        ...

    @property
    def suffix(self) -> str:
        """The usual ending of its files, with the dot."""
        ...

    def write(self, report: Report, out: TextIO) -> None:
        """Write the whole document to `out`; the same report always gives the same text."""
        ...


def writers() -> Mapping[str, Writer]:
    """Every writer by its name."""
    from tenantproof.reports.github import GithubWriter
    from tenantproof.reports.html import HtmlWriter
    from tenantproof.reports.json_v1 import JsonV1Writer
    from tenantproof.reports.junit import JunitWriter
    from tenantproof.reports.markdown import MarkdownWriter
    from tenantproof.reports.ndjson import NdjsonWriter
    from tenantproof.reports.pgtap import PgtapWriter
    from tenantproof.reports.sarif import SarifWriter

    known: tuple[Writer, ...] = (
        HtmlWriter(),
        JsonV1Writer(),
        NdjsonWriter(),
        JunitWriter(),
        SarifWriter(),
        MarkdownWriter(),
        GithubWriter(),
        PgtapWriter(),
    )
    return MappingProxyType({writer.name: writer for writer in known})
