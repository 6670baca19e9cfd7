-- One row per index; the columns are the key's only (not INCLUDE), '' where the key is an expression.
SELECT i.indrelid AS relation,
       c.relname::text AS name,
       ARRAY(SELECT coalesce(a.attname::text, '')
             FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS key(attnum, nth)
             LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = key.attnum AND key.attnum <> 0
             WHERE key.nth <= i.indnkeyatts ORDER BY key.nth) AS columns,
       i.indisunique AS is_unique,
       i.indisprimary AS is_primary,
       coalesce(pg_get_expr(i.indpred, i.indrelid), '') AS predicate,
       coalesce(pg_get_expr(i.indexprs, i.indrelid), '') AS expressions,
       i.indnullsnotdistinct AS nulls_not_distinct,
       pg_get_indexdef(i.indexrelid) AS definition
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_class t ON t.oid = i.indrelid AND t.relkind IN ('r', 'p', 'm')
WHERE i.indrelid >= 16384 AND i.indislive
ORDER BY i.indrelid, c.relname
