"""pg_catalog to Catalog: one introspection pass."""
