"""Functions of the application's, named `package.module:function` in a scenario."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tenantproof.core.errors import UsageError, did_you_mean
from tenantproof.core.model import Place


def find_function(name: str, scenario: str, place: Place | None) -> Callable[..., Any]:
    """The function, imported from the scenario's folder or the working directory.

    Raises UsageError with the place where it stands: no such module, one that cannot be imported, no such function.
    """
    module_name, _, function_name = name.partition(":")
    where = f"{place}: " if place is not None else ""
    folders = [str(Path(scenario).absolute().parent), os.getcwd()]
    with _on_the_path(folders):
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            missing = f"no module '{error.name}'"
            raise UsageError(f"{where}{name}: {missing} in {' or '.join(dict.fromkeys(folders))}") from None
        except Exception as error:  # the application's own code, run by its import
            said = (str(error).strip().splitlines() or [""])[0]
            raise UsageError(f"{where}{name}: importing it raised {type(error).__name__}: {said}") from error
    found = getattr(module, function_name, None)
    if found is None:
        known = [known for known in vars(module) if not known.startswith("_") and callable(getattr(module, known))]
        raise UsageError(f"{where}no '{function_name}' in {module_name}: {did_you_mean(function_name, known)}")
    if not callable(found):
        raise UsageError(f"{where}{name} is no function but a {type(found).__name__}")
    return found  # type: ignore[no-any-return]  # whatever it returns


@contextmanager
def _on_the_path(folders: list[str]) -> Iterator[None]:
    added = [folder for folder in dict.fromkeys(folders) if folder not in sys.path]
    sys.path[:0] = added
    importlib.invalidate_caches()
    try:
        yield
    finally:
        for folder in added:
            sys.path.remove(folder)
