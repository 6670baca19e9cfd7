"""`tenantproof demo`: what the tool does, shown on a sample database, clean and with a planted leak."""

from __future__ import annotations

from pathlib import Path

import click

from tenantproof.cli.options import color_option, seed_option

LEAK = "fixtures/workflow_saas/leaks/01-*.sql"

ATTEMPTS = 500
"""A tour is short; `check` tries more."""


@click.command("demo")
@seed_option
@click.option(
    "--reports",
    "folder",
    type=click.Path(path_type=Path),
    default=Path("reports"),
    show_default=True,
    help="Folder for the two HTML reports.",
)
@color_option
def command(seed: int, folder: Path, color: str) -> int:
    """Check a sample SaaS database, then once more with a planted leak, so that you see what a finding looks like."""
    from tenantproof.api import check, exit_code
    from tenantproof.cli.session import console, narrate
    from tenantproof.core.errors import TargetError
    from tenantproof.core.finding import Severity
    from tenantproof.reports.files import write_report
    from tenantproof.reports.terminal import render

    root = _as_seen_from_here(sample_root())
    scenario = root / "scenarios" / "workflow_saas.tenancy.yaml"
    leak = next(iter(sorted(root.glob(LEAK))), None)
    if leak is None:
        raise TargetError(f"the sample database is not there: nothing matches {root / LEAK}")
    screen = console(color)
    codes = []
    for title, name, patches, attempts in (
        ("1. The sample database as it should be", "demo-clean.html", (), ATTEMPTS),
        # The matrix finds it; searching a second time would show nothing new.
        (f"2. The same with one mistake planted: {leak.name}", "demo-leak.html", (leak,), 0),
    ):
        screen.rule(title, align="left")
        report = check(scenario, seed=seed, patches=patches, attempts=attempts, say=narrate)
        code = exit_code(report)
        written = write_report(report, f"html={folder / name}")
        render(report, screen, verbose=False, paths=[written.path], threshold=Severity.MEDIUM, exit_code=code)
        codes.append(code)
    screen.print("\nThe first run must exit 0 and the second 1; that is how a build turns red.")
    screen.print("Next, in your own repository: tenantproof init", soft_wrap=True)
    return 0 if codes == [0, 1] else 70


def _as_seen_from_here(folder: Path) -> Path:
    """The folder relative to the working directory where it lies below it: shorter to read and to copy."""
    here = Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder


def sample_root() -> Path:
    """The folder that holds the sample's scenarios and fixtures: in the installed package, or the source tree."""
    import tenantproof

    package = Path(tenantproof.__file__).parent
    installed = package / "sample"
    return installed if installed.is_dir() else package.parents[1]
