"""Where the plugin keeps its things in pytest's stash.  Imports nothing but pytest: the plugin loads this always."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tenantproof.testing.results import Results

RESULTS: pytest.StashKey[Results] = pytest.StashKey()
COLLECTED: pytest.StashKey[set[Path]] = pytest.StashKey()
