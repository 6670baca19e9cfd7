-- All tables: whether they are in scope (or hold the users of Supabase Auth), what our login sees and may do there, and
-- about how many rows they have.
SELECT n.nspname::text AS schema, c.relname::text AS name,
       n.nspname = ANY (%(schemas)s) OR n.nspname = 'auth' AND c.relname = 'users' AS in_scope,
       row_security_active(c.oid) AS hidden,
       usable AND has_table_privilege(c.oid, 'SELECT') AS readable,
       usable AND (c.relispartition OR has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE')
                   AND has_table_privilege(c.oid, 'DELETE')) AS writable,
       CASE WHEN c.relkind = 'p' THEN 0
            ELSE c.reltuples END::bigint AS rows -- -1: never analyzed
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace,
LATERAL (SELECT has_schema_privilege(n.oid, 'USAGE')) AS schema (usable)
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend d
                  WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1, 2
