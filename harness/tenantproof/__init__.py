"""tenantproof proves that one tenant cannot reach another's data, and shows the leak when it can."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenantproof.core.version import VERSION

if TYPE_CHECKING:
    from tenantproof.api import check, exit_code, fuzz
    from tenantproof.core.finding import Finding, Severity
    from tenantproof.core.report import Report

__version__ = VERSION
__all__ = ["Finding", "Report", "Severity", "__version__", "check", "exit_code", "fuzz"]

_HOMES = {
    "check": "tenantproof.api",
    "exit_code": "tenantproof.api",
    "fuzz": "tenantproof.api",
    "Finding": "tenantproof.core.finding",
    "Severity": "tenantproof.core.finding",
    "Report": "tenantproof.core.report",
}


def __getattr__(name: str) -> object:
    """Public names are imported when they are used (PEP 562): `import tenantproof` and `--help` stay instant."""
    if name not in _HOMES:
        raise AttributeError(f"module 'tenantproof' has no attribute '{name}'")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
