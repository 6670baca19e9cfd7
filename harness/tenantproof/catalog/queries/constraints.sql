-- One row per primary key, unique, foreign key, check and exclusion constraint, those of partitions included.
-- A foreign key to a partitioned table has one more row per partition it may point into; those are PostgreSQL's
-- own bookkeeping and are left out (their parent constraint is on the same table).
SELECT k.conrelid AS relation,
       k.conname::text AS name,
       k.contype::text AS kind,
       ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS key(attnum, nth)
             JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = key.attnum
             ORDER BY key.nth) AS columns,
       pg_get_constraintdef(k.oid) AS definition,
       rn.nspname::text AS ref_schema,
       r.relname::text AS ref_name,
       ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS key(attnum, nth)
             JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = key.attnum
             ORDER BY key.nth) AS ref_columns,
       k.confdeltype::text AS on_delete,
       k.confupdtype::text AS on_update,
       k.condeferrable AS is_deferrable
FROM pg_constraint k
LEFT JOIN pg_class r ON r.oid = k.confrelid
LEFT JOIN pg_namespace rn ON rn.oid = r.relnamespace
WHERE k.conrelid >= 16384 AND k.contype IN ('p', 'u', 'f', 'c', 'x')
  AND NOT EXISTS (SELECT FROM pg_constraint up WHERE up.oid = k.conparentid AND up.conrelid = k.conrelid)
ORDER BY k.conrelid, k.contype, k.conname
