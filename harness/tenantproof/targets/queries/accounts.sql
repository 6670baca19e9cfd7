-- Supabase's table of users, where the platform is Supabase: whether rows can be made there at all, and which columns they
-- would need that refer to rows which come after users.
SELECT c.relkind IN ('r', 'p') AS is_table,
       EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'id' AND NOT a.attisdropped) AS has_id,
       ARRAY(SELECT DISTINCT a.attname || ' refers to ' || k.confrelid::regclass
             FROM pg_constraint k
             JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (k.conkey)
             WHERE k.conrelid = c.oid AND k.contype = 'f'
               AND a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AND a.attname <> 'id'
             ORDER BY 1) AS bound
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'auth' AND c.relname = 'users' AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND %(platform)s = 'supabase'
