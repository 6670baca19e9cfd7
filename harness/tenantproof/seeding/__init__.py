"""Rows with known tenant and owner, for any schema."""
