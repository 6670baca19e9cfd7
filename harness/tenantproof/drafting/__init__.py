"""Drafts a scenario from a database: where its schema comes from, what it seems to mean, and the file that says so."""

from __future__ import annotations

from tenantproof.drafting.draft import Draft, make_draft

__all__ = ["Draft", "make_draft"]
