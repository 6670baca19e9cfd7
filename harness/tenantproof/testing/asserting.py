"""`assert_isolated`: one table, view or function of a checked scenario."""

from __future__ import annotations

from tenantproof.core.errors import UsageError, did_you_mean
from tenantproof.core.report import Report
from tenantproof.reports.matrix import build_matrix
from tenantproof.testing.settings import Settings
from tenantproof.testing.telling import block


def isolated(report: Report, name: str, settings: Settings) -> None:
    """Raise AssertionError with the findings that open *name* ("schema.name"; "public." may be left out).

    Raises UsageError for a name that the run did not check, since nothing would be proved.
    """
    __tracebackhide__ = True
    asked = name if "." in name else f"public.{name}"
    called = {finding.object for finding in report.findings}
    if asked not in report.relations and asked not in called:
        raise UsageError(f"the check knows no {asked}; {did_you_mean(asked, report.relations)}")
    matrix = build_matrix(report)
    found = [
        block(report, matrix, finding, settings.fail_on)
        for finding in (report.gating(settings.fail_on) if settings.fail_on is not None else ())
        if asked in (finding.object, *finding.objects)
    ]
    if found:
        raise AssertionError("\n\n".join([f"{asked} is not isolated", *found]))
