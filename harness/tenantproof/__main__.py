"""`python -m tenantproof`."""

from __future__ import annotations

from tenantproof.cli.main import main

main()
