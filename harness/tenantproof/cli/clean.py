"""`tenantproof clean`: take away the rows of a canary run that was killed."""

from __future__ import annotations

from pathlib import Path

import click

from tenantproof.cli.options import config_options


@click.command("clean")
@click.argument("manifests", nargs=-1, metavar="[MANIFEST]...", type=click.Path(path_type=Path))
@click.option(
    "-t",
    "--target",
    required=True,
    help="Where the rows are: env:NAME of a DSN, a DSN, or a NAME of the configuration.",
)
@config_options
def command(manifests: tuple[Path, ...], target: str, config: Path | None, isolated: bool) -> int:
    """Take away what runs with --writes canary left in a database when they were killed.

    By their manifests: the MANIFESTs given, else all in .tenantproof/manifests that are about that database.  Says what
    it did; a second time it finds nothing to do, so that a job may call it after every run.  Exit codes: 0 nothing of
    it is left, or there was nothing; 2 a MANIFEST that is not there, is none or is of another database, or a wrong
    command line; 3 rows could not be taken away.
    """
    from tenantproof.api import clean
    from tenantproof.cli.configured import configured
    from tenantproof.targets.canaries.manifest import FOLDER

    done = clean(target, manifests, config=configured(target, config, isolated=isolated))
    if not done:
        click.echo(f"nothing to clean: no manifest in {FOLDER.absolute()} speaks of this database")
    for path, cleaned in done.items():
        tables = ", ".join(f"{count} of {name}" for name, count in cleaned.deleted.items())
        rows = f"{cleaned.count} row{'' if cleaned.count == 1 else 's'} deleted" + (f" ({tables})" if tables else "")
        click.echo(f"{path}: {rows}" + (f"; {cleaned.further} made by others about them" if cleaned.further else ""))
        for one in cleaned.left:
            click.echo(f"  cannot be undone: {one}")
    return 3 if any(cleaned.left for cleaned in done.values()) else 0
