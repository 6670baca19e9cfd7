-- The personas' roles, and whether our login may become them.
SELECT wanted AS name, r.oid IS NOT NULL AS known,
       coalesce(pg_has_role(session_user, r.oid, CASE WHEN current_setting('server_version_num')::int >= 160000
                                                      THEN 'SET' ELSE 'MEMBER' END), false) AS may_become
FROM unnest(%(roles)s::text[]) AS wanted
LEFT JOIN pg_roles r ON r.rolname = wanted
ORDER BY 1
