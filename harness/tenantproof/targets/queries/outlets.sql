-- What makes things leave a database besides triggers on rows.
SELECT 'event trigger' AS kind, evtname::text AS name FROM pg_event_trigger WHERE evtenabled <> 'D'
UNION ALL
SELECT 'publication', pubname::text FROM pg_publication
UNION ALL
SELECT 'foreign table', c.relname::text FROM pg_foreign_table f JOIN pg_class c ON c.oid = f.ftrelid
UNION ALL
SELECT 'extension', extname::text FROM pg_extension
ORDER BY 1, 2
