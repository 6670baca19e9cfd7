SELECT e.extname::text AS name, e.extversion AS version
FROM pg_extension e ORDER BY e.extname
