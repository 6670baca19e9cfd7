-- Triggers that would fire when rows of the tables in scope (or users of Supabase Auth) are written.
SELECT n.nspname || '.' || c.relname AS "table", t.tgname::text AS name,
       fn.nspname::text AS function_schema, p.proname::text AS function_name
FROM pg_trigger t
JOIN pg_class c ON c.oid = t.tgrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_proc p ON p.oid = t.tgfoid
JOIN pg_namespace fn ON fn.oid = p.pronamespace
WHERE NOT t.tgisinternal AND t.tgenabled IN ('O', 'A', 'R') AND fn.nspname <> 'pg_catalog'
  AND (n.nspname = ANY (%(schemas)s) OR n.nspname = 'auth' AND c.relname = 'users')
ORDER BY 1, 2
