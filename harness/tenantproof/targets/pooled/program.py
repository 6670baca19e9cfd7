"""Where the PgBouncer program is, and which release it is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tenantproof.core.errors import TargetError

VARIABLE = "TENANTPROOF_PGBOUNCER"

HOW_TO_GET = f"install it (Debian, Homebrew: pgbouncer), or name the program in {VARIABLE}"

SHARES_PREPARED = (1, 21)
"""From this release on clients of a transaction pool share prepared statements (max_prepared_statements)."""

_SBIN = "/usr/sbin:/usr/local/sbin"
"""Where distributions put it, which is not on everybody's PATH."""

_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Program:
    """A PgBouncer that can be run; `release` is (1, 18)."""

    path: Path
    release: tuple[int, int]

    @property
    def shares_prepared(self) -> bool:
        """Whether clients of one pool execute the same prepared statements of the server."""
        return self.release >= SHARES_PREPARED

    def __str__(self) -> str:
        return f"PgBouncer {'.'.join(map(str, self.release))}"


def find_pgbouncer() -> Program | None:
    """The program that the variable TENANTPROOF_PGBOUNCER names, else the `pgbouncer` of PATH; None without one.

    Raises TargetError where what was named is no PgBouncer.
    """
    named = os.environ.get(VARIABLE)
    found = named or shutil.which("pgbouncer") or shutil.which("pgbouncer", path=_SBIN)
    if not found:
        return None
    path = Path(found).expanduser().absolute()
    source = f"{VARIABLE}={found}" if named else found
    if not (path.is_file() and os.access(path, os.X_OK)):
        raise TargetError(f"{source}: no program that can be run; name the file `pgbouncer` itself")
    return Program(path, _release(path, source))


def _release(path: Path, source: str) -> tuple[int, int]:
    try:
        done = subprocess.run(  # noqa: S603  # the program that the user named
            [str(path), "--version"],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TargetError(f"{source}: cannot be run: {error}") from None
    known = re.search(r"PgBouncer (\d+)\.(\d+)", done.stdout, re.IGNORECASE)
    if known is None:
        raise TargetError(f"{source}: does not call itself PgBouncer when asked for its --version")
    return int(known[1]), int(known[2])
