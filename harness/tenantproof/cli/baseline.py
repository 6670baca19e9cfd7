"""`tenantproof baseline`: the findings that a project begins with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from tenantproof.core.baseline import Baseline


@click.group("baseline")
def command() -> None:
    """Keep the findings that are there today from failing `check --baseline FILE`: only new ones do.

    The file is made by `create` and made smaller by `prune`; no run changes it.
    """


@command.command("create")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("tenantproof.baseline.json"),
    show_default=True,
    help="Where to write it.",
)
@click.option("--force", is_flag=True, help="Write over a file that is there.")
def create(run: Path, output: Path, force: bool) -> int:
    """Write the open findings of RUN, a report that `check -r json=RUN` wrote, into a baseline."""
    from tenantproof.cli.saved import load_report
    from tenantproof.core.errors import UsageError
    from tenantproof.reports.baseline import baseline_of
    from tenantproof.reports.wording import plural

    if output.exists() and not force:
        raise UsageError(f"{output} is there already: `baseline prune` makes it smaller, --force writes over it")
    report = load_report(run)
    try:
        baseline = baseline_of(report)
    except UsageError as error:
        raise UsageError(f"{run}: {error}") from error
    _save(output, baseline)
    click.echo(f"{output}: {plural(len(baseline.findings), 'finding')} of '{baseline.scenario}'")
    _list("  ", baseline)
    click.echo(f"Next: have it reviewed, then: tenantproof check SCENARIO --baseline {output}")
    return 0


@command.command("prune")
@click.argument("baseline", type=click.Path(path_type=Path))
@click.argument("run", type=click.Path(path_type=Path))
def prune(baseline: Path, run: Path) -> int:
    """Take out of BASELINE what RUN, a later report, looked for and did not find.  Nothing is ever added."""
    from dataclasses import replace

    from tenantproof.cli.saved import load_report
    from tenantproof.core.errors import UsageError
    from tenantproof.reports.baseline import load_baseline, pruned
    from tenantproof.reports.wording import plural

    before, report = load_baseline(baseline), load_report(run)
    try:
        after = pruned(before, report)
    except UsageError as error:
        raise UsageError(f"{baseline} and {run}: {error}") from error
    gone = tuple(known for known in before.findings if known not in after.findings)
    if gone:
        _save(baseline, after)
    click.echo(f"{baseline}: {len(gone)} taken out, {plural(len(after.findings), 'finding')} left")
    _list("  - ", replace(before, findings=gone))
    return 0


def _list(prefix: str, baseline: Baseline) -> None:
    from tenantproof.reports.visible import one_line

    for known in baseline.findings:
        said = f"{known.fingerprint}  {known.severity}  {known.channel}  {known.object} · {known.command}"
        click.echo(f"{prefix}{one_line(said)}")


def _save(path: Path, baseline: Baseline) -> None:
    from tenantproof.core.errors import UsageError
    from tenantproof.reports.baseline import text_of
    from tenantproof.reports.files import replace_file

    try:
        replace_file(path, text_of(baseline).encode())
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error
