-- All functions that somebody wrote, with the extension that they came with: what triggers and expressions call in turn.
SELECT n.nspname::text AS schema, p.proname::text AS name, l.lanname::text AS language,
       coalesce(pg_get_function_sqlbody(p.oid), p.prosrc) AS source, coalesce(e.extname::text, '') AS extension
FROM pg_proc p
JOIN pg_namespace n ON n.oid = p.pronamespace
JOIN pg_language l ON l.oid = p.prolang
LEFT JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
LEFT JOIN pg_extension e ON e.oid = d.refobjid
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND (e.oid IS NULL OR p.prorettype = 'trigger'::regtype OR e.extname IN ('dblink', 'http', 'pg_net', 'pg_background'))
ORDER BY 1, 2
