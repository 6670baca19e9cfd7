-- One row per user trigger; tgtype's bits are those of pg_trigger.h.
SELECT t.tgrelid AS relation,
       t.tgname::text AS name,
       CASE WHEN t.tgtype & 64 <> 0 THEN 'INSTEAD OF' WHEN t.tgtype & 2 <> 0 THEN 'BEFORE' ELSE 'AFTER' END
         AS timing,
       array_remove(ARRAY[CASE WHEN t.tgtype & 4 <> 0 THEN 'INSERT' END,
                          CASE WHEN t.tgtype & 16 <> 0 THEN 'UPDATE' END,
                          CASE WHEN t.tgtype & 8 <> 0 THEN 'DELETE' END,
                          CASE WHEN t.tgtype & 32 <> 0 THEN 'TRUNCATE' END], NULL) AS events,
       t.tgtype & 1 <> 0 AS per_row,
       n.nspname::text AS function_schema,
       p.proname::text AS function_name,
       t.tgenabled IN ('O', 'A') AS enabled,
       pg_get_triggerdef(t.oid) AS definition
FROM pg_trigger t
JOIN pg_proc p ON p.oid = t.tgfoid
JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE t.tgrelid >= 16384 AND NOT t.tgisinternal
ORDER BY t.tgrelid, t.tgname
