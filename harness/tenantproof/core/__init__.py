"""Values and ports of tenantproof: standard library only, no I/O."""
