"""
Where prepared clusters live.

A normal user's are in the user cache; root's in the system's cache, because the server then runs as another OS user,
who cannot enter a home of mode 0700.  TENANTPROOF_CACHE (or an argument) names another folder.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tenantproof.core.errors import TargetError
from tenantproof.targets.programs import reachable

FOLDERS = ("golden", "clusters", "build", "locks", "extensions")


def cache_root(given: Path | None) -> Path:
    """The cache folder, made if need be.  Raises TargetError where it cannot be used."""
    import platformdirs

    if given is None and (named := os.environ.get("TENANTPROOF_CACHE")):
        given = Path(named)
    is_root = os.geteuid() == 0
    default = platformdirs.site_cache_dir if is_root else platformdirs.user_cache_dir
    root = (given or Path(default("tenantproof"))).expanduser().absolute()
    try:
        for name in FOLDERS:
            make_folder(root / name)
    except OSError as error:
        raise TargetError(f"the cache folder {root} cannot be made ({error.strerror}); {CHOOSE}") from error
    _check(root, is_root)
    return root


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, that every OS user may enter whatever our umask; leaves others' alone."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
        path.chmod(0o755)


CHOOSE = "name another folder with the environment variable TENANTPROOF_CACHE"


def _check(root: Path, is_root: bool) -> None:
    if not os.access(root, os.W_OK | os.X_OK):
        raise TargetError(f"the cache folder {root} is not ours to write; {CHOOSE}")
    if is_root and not reachable(root / "clusters"):
        raise TargetError(
            f"the cache folder {root} cannot be entered by the unprivileged user that PostgreSQL runs as "
            f"when we are root; {CHOOSE} that everybody may enter (chmod o+x on it and the folders above)"
        )


def copy_tree(source: Path, target: Path) -> None:
    """Copy a folder with owners and modes; shares blocks where the file system can."""
    if sys.platform == "linux":
        command = ["cp", "-a", "--reflink=auto", str(source), str(target)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # our own folders
        if done.returncode != 0:
            raise TargetError(f"a cluster cannot be copied in the cache: {done.stderr.strip().splitlines()[-1]}")
        return
    shutil.copytree(source, target, symlinks=True)
    owner = source.stat()
    for path in _everything(target):
        os.chown(path, owner.st_uid, owner.st_gid)


def remove_tree(path: Path) -> None:
    """Remove a folder, also while the last processes of a killed server still write into it."""
    for _ in range(50):
        try:
            shutil.rmtree(path)
        except FileNotFoundError:
            if not path.exists():
                return
        except OSError:
            time.sleep(0.02)
        else:
            return
    shutil.rmtree(path)


def _everything(root: Path) -> Iterator[str]:
    for folder, _, files in os.walk(root):
        yield folder
        yield from (os.path.join(folder, name) for name in files)
