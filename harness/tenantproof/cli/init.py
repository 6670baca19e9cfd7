"""`tenantproof init`: from somebody's schema to a scenario, in one command."""

from __future__ import annotations

from pathlib import Path

import click

from tenantproof.cli.options import quiet_option

OUTPUT = Path("scenarios") / "app.tenancy.yaml"


@click.command("init")
@click.option(
    "--supabase",
    is_flag=False,
    flag_value="supabase",
    metavar="[DIR]",
    help="A project of the Supabase CLI: config.toml, migrations, seeds.  [DIR: ./supabase]",
)
@click.option(
    "--migrations",
    type=click.Path(path_type=Path),
    metavar="DIR|FILE",
    help="SQL migrations: plain files, Supabase, Prisma, Drizzle, Flyway, dbmate, goose.",
)
@click.option(
    "--from",
    "live",
    metavar="env:DATABASE_URL",
    help="A live database: its schema is read with pg_dump, and nothing is written there.",
)
@click.option("--pg-dump", type=click.Path(path_type=Path), metavar="FILE", help="What pg_dump --schema-only wrote.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=OUTPUT,
    show_default=True,
    help="The scenario to write.",
)
@click.option(
    "--ci",
    type=click.Choice(["github", "gitlab"]),
    help="Also write a pipeline that checks the scenario; for one that is there, only that.",
)
@click.option("--force", is_flag=True, help="Write over a scenario or a pipeline that is there already.")
@click.option(
    "--platform", type=click.Choice(["supabase", "postgres"]), help="What the database looks like.  [default: detected]"
)
@click.option("--tenant-table", metavar="NAME", help="The tenants' table, where several may be meant.")
@click.option("--explain", is_flag=True, help="Say why, table by table.")
@quiet_option
def command(
    supabase: str | None,
    migrations: Path | None,
    live: str | None,
    pg_dump: Path | None,
    output: Path,
    ci: str | None,
    force: bool,
    platform: str | None,
    tenant_table: str | None,
    explain: bool,
    quiet: bool,
) -> int:
    """Draft a scenario: tenants, roles, membership, and whose the rows of each table are.

    Builds the database from its migrations on the embedded server and reads foreign keys, policies and names.  What
    is not certain is written as `undecided`, with the reason, and `check` exits 4 until somebody decides.  Without an
    option it takes the migrations that lie in the current folder.  With --ci the scenario gets a pipeline, too.
    """
    from tenantproof.api import init
    from tenantproof.cli.session import narrate, pipe_may_close
    from tenantproof.core.ports import SILENT
    from tenantproof.drafting.pipelines import next_step, write_pipeline
    from tenantproof.drafting.summary import explanation, summary

    if ci is not None and output.exists() and not (force or supabase or migrations or live or pg_dump):
        write_pipeline(ci, output)
        click.echo(f"{output} is there already and stays as it is.\nNext: {next_step(ci)}")
        return 0
    draft = init(
        output,
        supabase=supabase,
        migrations=migrations,
        pg_dump=pg_dump,
        live=live,
        platform=platform,
        tenant_table=tenant_table,
        ci=ci,
        force=force,
        say=SILENT if quiet else narrate,
    )
    with pipe_may_close():
        for line in (*(explanation(draft) if explain else ()), *summary(draft, output)):
            click.echo(line)
        if ci is not None:
            click.echo(f"      {next_step(ci)}")
    return 0
