"""How much the suite tries: enough for a change; all, marked `thorough` too, with TENANTPROOF_THOROUGH=1."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

settings.register_profile("suite", max_examples=40, deadline=None, derandomize=True)  # red only for a change
settings.register_profile("thorough", max_examples=200, deadline=None)

THOROUGH = bool(os.environ.get("TENANTPROOF_THOROUGH"))
settings.load_profile("thorough" if THOROUGH else "suite")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes long and stands beside a quicker test of the same; pytest says how many those are."""
    left_out = [] if THOROUGH else [item for item in items if item.get_closest_marker("thorough")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
