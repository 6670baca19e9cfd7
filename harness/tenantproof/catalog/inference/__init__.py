"""
Whose rows are whose, without being told.

`infer_tenancy` completes a scenario: it believes the structure alone.  `propose` drafts one where there is none: it
reads names and policies as well, says why, and leaves undecided what is not certain.
"""

from __future__ import annotations

from tenantproof.catalog.inference.propose import propose
from tenantproof.catalog.inference.undeclared import infer_tenancy

__all__ = ["infer_tenancy", "propose"]
