-- One row per role, with the roles it belongs to and its settings in this database.
-- pg_auth_members.inherit_option came with PostgreSQL 16; before, the member's own INHERIT decided.  Reading it
-- through to_jsonb keeps one query for all versions.  Settings for this database come last: they override.
SELECT r.rolname::text AS name,
       r.rolsuper AS superuser,
       r.rolbypassrls AS bypass_rls,
       r.rolinherit AS inherit,
       r.rolcanlogin AS login,
       coalesce((SELECT jsonb_object_agg(membership.parent, membership.inherits)
                 FROM (SELECT up.rolname AS parent,
                              bool_or(coalesce((to_jsonb(m) ->> 'inherit_option')::boolean, r.rolinherit))
                                AS inherits
                       FROM pg_auth_members m JOIN pg_roles up ON up.oid = m.roleid
                       WHERE m.member = r.oid GROUP BY up.rolname) AS membership), '{}') AS member_of,
       ARRAY(SELECT setting
             FROM pg_db_role_setting s CROSS JOIN LATERAL unnest(s.setconfig) AS setting
             WHERE s.setrole = r.oid
               AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
             ORDER BY s.setdatabase) AS settings
FROM pg_roles r
ORDER BY r.rolname
