-- One row per row level security policy; role 0 is PUBLIC.
SELECT p.polrelid AS relation,
       p.polname::text AS name,
       p.polcmd::text AS command,
       p.polpermissive AS permissive,
       ARRAY(SELECT CASE WHEN role.oid = 0 THEN 'public' ELSE pg_get_userbyid(role.oid)::text END
             FROM unnest(p.polroles) AS role(oid) ORDER BY 1) AS roles,
       pg_get_expr(p.polqual, p.polrelid) AS using_expression,
       pg_get_expr(p.polwithcheck, p.polrelid) AS check_expression
FROM pg_policy p
ORDER BY p.polrelid, p.polname
