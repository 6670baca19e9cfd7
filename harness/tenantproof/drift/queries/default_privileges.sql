-- One row per privilege that objects made later will carry; schema '' stands for all schemas.  An entry for all schemas
-- that grants nothing is told by a NULL grantee: it takes away what PostgreSQL grants by itself (EXECUTE to PUBLIC).
SELECT pg_get_userbyid(d.defaclrole)::text AS role,
       coalesce(n.nspname::text, '') AS schema,
       d.defaclobjtype::text AS kind,
       CASE WHEN acl.grantee IS NULL THEN NULL
            WHEN acl.grantee = 0 THEN 'public'
            ELSE pg_get_userbyid(acl.grantee)::text END AS grantee,
       acl.privilege_type AS privilege
FROM pg_default_acl d
LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace
LEFT JOIN LATERAL aclexplode(d.defaclacl) AS acl ON true
ORDER BY 1, 2, 3, 4, 5
