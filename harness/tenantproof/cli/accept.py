"""`tenantproof accept`: somebody takes responsibility for a finding."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tenantproof.cli.options import attempts_option, patch_option, reach_option, scenario_argument, seed_option
from tenantproof.core.errors import UsageError, nearest

if TYPE_CHECKING:
    from tenantproof.core.finding import Finding
    from tenantproof.core.report import Report

_LISTED = 5


@click.command("accept")
@click.argument("fingerprint")
@scenario_argument
@click.option("--reason", required=True, help="Why it is acceptable, for those who read the report.")
@click.option("--until", required=True, metavar="YYYY-MM-DD", help="The day from which it counts again.")
@click.option(
    "--run",
    "saved",
    type=click.Path(path_type=Path),
    help="The report that found it, as `check -r json=RUN` wrote it; without it the scenario is checked now.",
)
@seed_option
@patch_option
@attempts_option
@reach_option
def command(
    fingerprint: str,
    scenario: Path,
    reason: str,
    until: str,
    saved: Path | None,
    seed: int,
    patches: tuple[Path, ...],
    attempts: int,
    reach: str,
) -> int:
    """Write the finding FINGERPRINT (or its beginning) under `accept:` into SCENARIO.

    From then on it is shown as accepted and does not fail a run, until the day that --until names.  Nothing else in the
    file changes.
    """
    from tenantproof.api import accept, check
    from tenantproof.cli.saved import load_report
    from tenantproof.cli.session import narrate
    from tenantproof.reports.visible import one_line
    from tenantproof.scenario import load_scenario
    from tenantproof.scenario.accepting import require_term

    require_term(reason, until)
    name = load_scenario(scenario).name
    report = (
        load_report(saved)
        if saved is not None
        else check(scenario, seed=seed, patches=patches, attempts=attempts, profile=reach, say=narrate)
    )
    if report.scenario != name:
        raise UsageError(f"--run {saved}: is of the scenario '{one_line(report.scenario)}', not of '{name}'")
    finding = _meant(report, fingerprint)
    accept(scenario, finding, reason=reason, until=until)
    click.echo(f"ACCEPTED {finding.severity}  {finding.channel}  {one_line(finding.object)}  {finding.fingerprint}")
    click.echo(f"  {one_line(finding.title)}")
    click.echo(f"  It stands under accept: in {scenario}, and counts again from {until} on.")
    return 0


def _meant(report: Report, fingerprint: str) -> Finding:
    """The finding that the fingerprint begins.  Raises UsageError where it is none, several, or accepted."""
    found = [finding for finding in report.findings if finding.fingerprint.startswith(fingerprint.lower())]
    if len(found) > 1:
        raise UsageError(f"'{fingerprint}' begins several fingerprints:\n{_list(found)}")
    if not found or not fingerprint:
        raise UsageError(_no_such(report, fingerprint))
    if found[0].accepted:
        raise UsageError(f"{found[0].fingerprint} is accepted already: {found[0].accepted}")
    return found[0]


def _no_such(report: Report, fingerprint: str) -> str:
    from tenantproof.reports.wording import open_findings

    findings = open_findings(report)
    if not findings:
        return f"no finding '{fingerprint}': the run has no open finding"
    near = nearest(fingerprint, [finding.fingerprint for finding in findings])
    meant = f"; did you mean '{near}'?" if near else ""
    return f"no finding '{fingerprint}' in the run{meant}\n{_list(findings)}"


def _list(findings: Sequence[Finding]) -> str:
    from tenantproof.reports.visible import one_line

    lines = [
        f"  {one.fingerprint}  {one.severity}  {one.channel}  {one_line(one.object)}" for one in findings[:_LISTED]
    ]
    more = [f"  … and {len(findings) - _LISTED} more"] if len(findings) > _LISTED else []
    return "\n".join([*lines, *more])
