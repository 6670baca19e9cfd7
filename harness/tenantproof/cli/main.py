"""The command line: verbs are imported when they are called, so that `--help` is instant."""

from __future__ import annotations

import importlib
import signal
import sys

import click

from tenantproof import __version__
from tenantproof.core.errors import TenantproofError, did_you_mean

VERBS = {
    "accept": "Take responsibility for a finding, until a date.",
    "baseline": "Keep the findings of today from failing a run; only new ones do.",
    "bisect": "Name the migration that opened each leak.",
    "check": "Prove that tenants are isolated, or show the leak.",
    "clean": "Take away the rows of a canary run that was killed.",
    "demo": "Run the main job on a sample database, then once more with a planted leak.",
    "doctor": "Say what a run against somebody's database would meet.",
    "drift": "Compare the migrations with a live database, or with a Prisma schema.",
    "diff": "Compare two runs: which findings are new, fixed, unchanged?",
    "fuzz": "Search for leaks that have no name, for as long as you like.",
    "init": "Draft a scenario from migrations, a dump or a live database.",
    "replay": "Run a finding again: does it still leak?",
    "report": "Render a run again in another format.",
    "schema": "Print the JSON Schema of the scenario file.",
    "validate": "Check scenario files only; touches no database.",
}
"""Verb -> its one-line help; the module tenantproof.cli.VERB holds the command."""


class Verbs(click.Group):
    """A group that imports a verb's module only when the verb is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return sorted(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"tenantproof.cli.{cmd_name}")
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Verbs"):
            formatter.write_dl(sorted(VERBS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, with the nearest verb for a typo."""
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            ctx.fail(f"no verb '{args[0]}': {did_you_mean(args[0], VERBS)}")
        return super().resolve_command(ctx, args)


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="tenantproof")
def cli() -> None:
    """Prove that one tenant cannot read, infer, write or destroy another's data in PostgreSQL or Supabase."""


def crashed(error: Exception) -> int:
    """Save the traceback of a bug of ours and say where it is."""
    import tempfile
    import traceback

    with tempfile.NamedTemporaryFile("w", prefix="tenantproof-", suffix=".txt", delete=False) as saved:
        traceback.print_exception(error, file=saved)
    click.echo(f"a bug in tenantproof: {type(error).__name__}: {error}", err=True)
    click.echo(f"The traceback is in {saved.name}; please report it.", err=True)
    return 70


def main() -> None:
    """The program.  Errors meant for people end with their exit code; Ctrl-C ends with 130 after cleaning up."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    sys.exit(run(sys.argv[1:]))


def _end(number: int, _frame: object) -> None:
    """A CI that cancels the job gets the same clean end as Ctrl-C."""
    raise KeyboardInterrupt(f"signal {number}")


def run(arguments: list[str]) -> int:
    """Run one command line and return the exit code of UX 2.4."""
    try:
        answer = cli.main(args=arguments, prog_name="tenantproof", standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("interrupted; everything was cleaned up", err=True)
        return 130
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except TenantproofError as error:
        click.echo(str(error), err=True)
        return error.exit_code
    except KeyboardInterrupt:
        click.echo("interrupted; everything was cleaned up", err=True)
        return 130
    except Exception as error:  # noqa: BLE001  (the last line of defence: no traceback in a user's face)
        return crashed(error)
    return answer if isinstance(answer, int) else 0
