"""Run a replay script with psql, as a reviewer would."""

from __future__ import annotations

import re
import shutil
import subprocess

from tenantproof.core.errors import TargetError
from tenantproof.core.ports import Handle


def run_script(handle: Handle, script: str) -> str:
    """What psql prints for the script; a script for a shell (curl) is told, not run: it needs an API's address and key.

    Raises TargetError where there is no psql.
    """
    if script.startswith("#!"):
        return f"{script}# to be run by a shell, with the variables that it names"
    program = handle.psql or shutil.which("psql")
    if program is None:
        raise TargetError("psql is needed to replay a finding: install PostgreSQL's client programs")
    done = subprocess.run(  # noqa: S603  (our own script, to the database that we made)
        [program, "--no-psqlrc", "--echo-queries", "--quiet", "--dbname", handle.conninfo],
        input=script,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def shows_leak(output: str) -> bool:
    """Whether a script's output holds its verdict LEAK."""
    return re.search(r"^ *LEAK\b", output, re.MULTILINE) is not None
