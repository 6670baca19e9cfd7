-- One row per schema of the user, with who may look up names in it.
SELECT n.nspname::text AS name,
       ARRAY(SELECT DISTINCT CASE WHEN acl.grantee = 0 THEN 'public' ELSE pg_get_userbyid(acl.grantee)::text END
             FROM aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) AS acl
             WHERE acl.privilege_type = 'USAGE') AS usable_by
FROM pg_namespace n
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY n.nspname
