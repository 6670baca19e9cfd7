"""Options that mean the same on every verb."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from tenantproof.core.seeds import DEFAULT_SEED

Command = TypeVar("Command", bound=Callable[..., object])

SEVERITIES = ("info", "low", "medium", "high", "critical", "never")

ATTEMPTS = 2000
"""tenantproof.api.DEFAULT_ATTEMPTS, which `--help` is too quick to import; a test holds them together."""

EXAMPLES = Path(".tenantproof") / "examples"
"""Where `fuzz` keeps what it found, and `replay` looks first."""

scenario_argument = click.argument("scenario", type=click.Path(path_type=Path))

seed_option = click.option(
    "--seed", type=int, default=DEFAULT_SEED, show_default=True, help="One number gives every random choice."
)

patch_option = click.option(
    "--patch",
    "patches",
    multiple=True,
    type=click.Path(path_type=Path),
    help="SQL to apply after the migrations and before seeding: what if? (repeatable)",
)

attempts_option = click.option(
    "--attempts",
    type=click.IntRange(min=0),
    default=ATTEMPTS,
    show_default=True,
    help="Programs to try in the search for interference after the matrix; 0: the matrix only.",
)

_target = click.option(
    "-t",
    "--target",
    default="embedded",
    show_default=True,
    help="Where the database lives: embedded; or somebody's: env:NAME of a DSN, a DSN, or a NAME of the configuration.",
)

_writes = click.option(
    "--writes",
    type=click.Choice(["never", "rollback", "canary"]),
    help="What may be written in a database that is somebody's (the configuration's word, else never).",
)

_config = click.option(
    "--config",
    type=click.Path(path_type=Path),
    envvar="TENANTPROOF_CONFIG",
    help="The configuration, instead of the nearest tenantproof.toml or pyproject.toml.",
)

_isolated = click.option("--isolated", is_flag=True, help="Read no configuration.")


def target_options(command: Command) -> Command:
    """`--target`, `--writes`, `--config` and `--isolated`."""
    return _target(_writes(config_options(command)))


def config_options(command: Command) -> Command:
    """`--config` and `--isolated`."""
    return _config(_isolated(command))


reach_option = click.option(
    "--reach",
    type=click.Choice(["api", "sql"]),
    default="sql",
    show_default=True,
    help="What the search tries: api only what PostgREST can express, sql everything.",
)

report_option = click.option(
    "-r",
    "--report",
    "reports",
    multiple=True,
    metavar="FORMAT=PATH",
    help="Write a report: html, json, ndjson, junit, sarif, markdown, github or pgtap; - is stdout (repeatable).",
)

json_option = click.option(
    "-r", "--report", "reports", multiple=True, metavar="json=PATH", help="Write the result as JSON; - is stdout."
)

fail_on_option = click.option(
    "--fail-on",
    type=click.Choice(SEVERITIES),
    default="medium",
    show_default=True,
    help="Exit 1 for findings of this severity or worse.",
)

no_accept_option = click.option(
    "--no-accept", is_flag=True, help="Let nothing pass that `accept` in the scenario lets pass: an audit of it."
)

baseline_option = click.option(
    "--baseline",
    type=click.Path(path_type=Path),
    help="File of `tenantproof baseline create`: its findings are shown and do not fail the run.",
)

exit_zero_option = click.option("--exit-zero", is_flag=True, help="Turn exit codes 1 and 4 into 0.")

quiet_option = click.option("-q", "--quiet", is_flag=True, help="No narration on stderr.")

verbose_option = click.option("-v", "--verbose", is_flag=True, help="Show every table, not only the surprising ones.")

color_option = click.option(
    "--color", type=click.Choice(["auto", "always", "never"]), default="auto", show_default=True, help="Use colour."
)

_signing_algorithm = click.option(
    "--signing-algorithm",
    type=click.Choice(["HS256", "ES256", "RS256"]),
    default="HS256",
    show_default=True,
    help="How the personas' tokens are signed; ES256 and RS256 generate a key unless one is given.",
)

_signing_key = click.option(
    "--signing-key", type=click.Path(path_type=Path), help="Key to sign with: PEM, JWK, or a secret's file."
)


def signing_options(command: Command) -> Command:
    """`--signing-algorithm` and `--signing-key`."""
    return _signing_algorithm(_signing_key(command))


_via = click.option(
    "--via",
    multiple=True,
    type=click.Choice(["rest", "pooled", "replica"]),
    help="A further way in, beside plain SQL: rest is PostgREST over HTTP (--api, or one started for the run), pooled"
    " passes a pooled connection from user to user, replica is a hot standby.",
)

_api = click.option(
    "--api", "api_url", metavar="URL", help="Where PostgREST is: its address up to /rest/v1, or env:NAME."
)

_api_key = click.option(
    "--api-key", metavar="env:NAME", help="The variable with the anon or publishable key that its gateway asks for."
)


_sign_in = click.option(
    "--sign-in",
    metavar="URL",
    help="Sign personas in at this Supabase Auth (up to /auth/v1, or env:NAME); TENANTPROOF_PASSWORD is everybody's.",
)


def via_options(command: Command) -> Command:
    """`--via`, `--api`, `--api-key` and `--sign-in`."""
    return _via(_api(_api_key(_sign_in(command))))


endpoint_base_option = click.option(
    "--endpoint-base",
    metavar="URL",
    help="Where the application behind the scenario's endpoints is, or env:NAME: what {base} stands for.",
)


def examples_option(words: str, default: Path | None = None) -> Callable[[Command], Command]:
    """`--examples`, whose default and use differ from verb to verb."""
    return click.option(
        "--examples",
        type=click.Path(path_type=Path, file_okay=False),
        default=default,
        show_default=default is not None,
        help=words,
    )
