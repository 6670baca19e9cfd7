-- One row per table, partitioned table, view, materialized view and foreign table of the user's schemas.
-- Schemas whose name begins with pg_ are the system's: PostgreSQL refuses to create others of that name.
-- What belongs to an extension is its business, except in schemas that were asked for by name.
SELECT c.oid,
       n.nspname::text AS schema,
       c.relname::text AS name,
       c.relkind::text AS kind,
       pg_get_userbyid(c.relowner)::text AS owner,
       c.relrowsecurity AS rls,
       c.relforcerowsecurity AS force_rls,
       c.reloptions AS options,
       c.relreplident::text AS replica_identity,
       CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) ELSE '' END AS definition,
       coalesce(inherited.inhparent, 0) AS parent,
       CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) ELSE '' END AS partition_key,
       coalesce(pg_get_expr(c.relpartbound, c.oid), '') AS partition_bound,
       coalesce(rule.bases, '{}') AS bases,
       pg_relation_is_updatable(c.oid, true) AS updatable,
       -- DELETE is 8 of tgtype and '4' of ev_type; foreign keys that point here have triggers for it, too.
       c.relkind <> 'r' OR c.relhassubclass
         OR EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgtype & 8 <> 0)
         OR EXISTS (SELECT FROM pg_rewrite r WHERE r.ev_class = c.oid AND r.ev_type = '4') AS fires_on_delete,
       ARRAY(SELECT ARRAY[r.ev_type::text, pg_get_ruledef(r.oid)]
             FROM pg_rewrite r
             WHERE r.ev_class = c.oid AND r.ev_type <> '1'
             ORDER BY r.rulename) AS rules,
       coalesce(described.description, '') AS comment
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_inherits inherited ON inherited.inhrelid = c.oid AND inherited.inhseqno = 1
LEFT JOIN pg_description described
       ON described.objoid = c.oid AND described.classoid = 'pg_class'::regclass AND described.objsubid = 0
LEFT JOIN LATERAL (
       SELECT array_agg(DISTINCT d.refobjid) AS bases
       FROM pg_rewrite r
       JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
       WHERE r.ev_class = c.oid AND r.ev_type = '1'
         AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> c.oid
     ) rule ON c.relkind IN ('v', 'm')
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND (n.nspname = ANY (%(kept)s) OR NOT EXISTS (
        SELECT FROM pg_depend d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'))
ORDER BY n.nspname, c.relname
