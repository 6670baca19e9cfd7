"""The exhaustive matrix: every relation x persona x command.  Importing it fills the catalogue."""

from tenantproof.channels.matrix import delete, insert, membership, read, update, upsert

__all__ = ["delete", "insert", "membership", "read", "update", "upsert"]
