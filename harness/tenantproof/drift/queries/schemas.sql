-- One row per schema of the user, with its owner and who may create objects in it.
SELECT n.nspname::text AS name,
       pg_get_userbyid(n.nspowner)::text AS owner,
       ARRAY(SELECT DISTINCT CASE WHEN acl.grantee = 0 THEN 'public' ELSE pg_get_userbyid(acl.grantee)::text END
             FROM aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) AS acl
             WHERE acl.privilege_type = 'CREATE') AS creators
FROM pg_namespace n
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY n.nspname
