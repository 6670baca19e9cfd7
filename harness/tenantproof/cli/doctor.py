"""`tenantproof doctor`: what a run against somebody's database would meet, without touching it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tenantproof.cli.options import config_options, scenario_argument

if TYPE_CHECKING:
    from tenantproof.targets.diagnosis import Diagnosis


@click.command("doctor")
@scenario_argument
@click.option(
    "-t", "--target", required=True, help="The database: env:NAME of a DSN, a DSN, or a NAME of the configuration."
)
@config_options
def command(scenario: Path, target: str, config: Path | None, isolated: bool) -> int:
    """Say what a run of SCENARIO against a database that is somebody's would meet.

    Who the login is there and what it may, who else is connected, which triggers reach beyond the database, and for
    each mode of --writes whether it would be allowed, with what to do where not.  Reads only.  Exit codes: 0 the mode
    that the configuration says (else never) is allowed, 2 wrong scenario or command line, 3 it is refused, or nobody
    answers.
    """
    from tenantproof.api import doctor
    from tenantproof.cli.configured import configured

    found = doctor(scenario, target, config=configured(target, config, isolated=isolated))
    for line in _told(found):
        click.echo(line)
    return 3 if found.refused[found.writes] else 0


def _told(found: Diagnosis) -> Iterator[str]:
    facts = found.facts
    yield f"{found.place}: PostgreSQL {facts.version}, a round trip takes {found.round_trip * 1000:.1f} ms"
    powers = {"superuser": facts.superuser, "BYPASSRLS": facts.bypass_rls, "may silence triggers": facts.may_silence}
    yield f"login       {facts.login}: {', '.join(f'{name} {_yes(has)}' for name, has in powers.items())}"
    roles = ", ".join(f"{name} {'is not there' if may is None else _yes(may)}" for name, may in facts.roles.items())
    yield f"may become  {roles}"
    yield f"server      {'a replica' if facts.in_recovery else 'a primary'}, wal_level {facts.wal_level}"
    yield f"others      {facts.neighbours} connected: sequences {'held' if not facts.neighbours else 'left alone'}"
    yield f"in scope    {len(facts.tables)} tables, about {facts.rows:,} rows"
    for name, listed in (
        ("extensions", facts.extensions),
        ("event trig.", facts.event_triggers),
        ("published", facts.publications),
        ("calls out", [str(one) for one in facts.calls_out]),
    ):
        yield f"{name:<12}{', '.join(listed) or 'none'}"
    for mode, refused in found.refused.items():
        yield f"--writes {mode}: {'refused' if refused else 'allowed'}"
        for one in refused:
            yield f"  - {one.why}"
            yield f"    to do: {one.instead}"


def _yes(answer: bool) -> str:
    return "yes" if answer else "no"
