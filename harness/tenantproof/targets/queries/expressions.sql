-- Expressions in the schemas in scope that run when rows are read or written, with the functions that they call:
-- pg_depend knows them, whatever the text looks like (PostgreSQL, "Dependency Tracking").
WITH used AS (
  SELECT DISTINCT classid, objid, refobjid AS function
  FROM pg_depend
  WHERE refclassid = 'pg_proc'::regclass
), found AS (
  SELECT 'policy' AS kind, p.polrelid AS relation, p.polname::text AS name, u.function, p.polcmd IN ('*', 'r') AS on_read
  FROM used u JOIN pg_policy p ON u.classid = 'pg_policy'::regclass AND p.oid = u.objid
  UNION ALL
  SELECT 'constraint', k.conrelid, k.conname::text, u.function, false
  FROM used u JOIN pg_constraint k ON u.classid = 'pg_constraint'::regclass AND k.oid = u.objid WHERE k.conrelid <> 0
  UNION ALL
  SELECT 'default', d.adrelid, a.attname::text, u.function, false
  FROM used u JOIN pg_attrdef d ON u.classid = 'pg_attrdef'::regclass AND d.oid = u.objid
  JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
  UNION ALL
  SELECT 'index', i.indrelid, i.indexrelid::regclass::text, u.function, false
  FROM used u JOIN pg_index i ON u.classid = 'pg_class'::regclass AND i.indexrelid = u.objid
  UNION ALL
  SELECT CASE r.rulename WHEN '_RETURN' THEN 'view' ELSE 'rule' END, r.ev_class, r.rulename::text, u.function,
         r.rulename = '_RETURN'
  FROM used u JOIN pg_rewrite r ON u.classid = 'pg_rewrite'::regclass AND r.oid = u.objid
  UNION ALL
  SELECT 'trigger', t.tgrelid, t.tgname::text, u.function, false
  FROM used u JOIN pg_trigger t ON u.classid = 'pg_trigger'::regclass AND t.oid = u.objid
  WHERE u.function <> t.tgfoid
)
SELECT f.kind, n.nspname || '.' || c.relname AS "table", f.name, f.on_read,
       fn.nspname::text AS function_schema, p.proname::text AS function_name
FROM found f
JOIN pg_class c ON c.oid = f.relation
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_proc p ON p.oid = f.function
JOIN pg_namespace fn ON fn.oid = p.pronamespace
WHERE n.nspname = ANY (%(schemas)s)
UNION ALL
SELECT 'domain', format_type(k.contypid, NULL), k.conname::text, false, fn.nspname::text, p.proname::text
FROM used u
JOIN pg_constraint k ON u.classid = 'pg_constraint'::regclass AND k.oid = u.objid AND k.contypid <> 0
JOIN pg_proc p ON p.oid = u.function
JOIN pg_namespace fn ON fn.oid = p.pronamespace
UNION ALL
SELECT 'event trigger', 'the database', e.evtname::text, false, fn.nspname::text, p.proname::text
FROM pg_event_trigger e
JOIN pg_proc p ON p.oid = e.evtfoid
JOIN pg_namespace fn ON fn.oid = p.pronamespace
WHERE e.evtenabled <> 'D'
ORDER BY 1, 2, 3
