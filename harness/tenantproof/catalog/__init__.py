"""pg_catalog to Catalog in one introspection pass, and what the structure alone says about whose rows are whose."""

from __future__ import annotations

from tenantproof.catalog.inference import infer_tenancy
from tenantproof.catalog.introspection import introspect

__all__ = ["infer_tenancy", "introspect"]
