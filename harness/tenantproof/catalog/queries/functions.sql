-- One row per function or procedure of the user's schemas that no extension owns.
SELECT n.nspname::text AS schema,
       p.proname::text AS name,
       pg_get_function_identity_arguments(p.oid) AS identity,
       coalesce(p.proargnames, '{}') AS argument_names,
       coalesce(p.proargmodes::text[], '{}') AS argument_modes,
       ARRAY(SELECT format_type(argument.oid, NULL)
             FROM unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) WITH ORDINALITY AS argument(oid, nth)
             ORDER BY argument.nth) AS argument_types,
       p.pronargdefaults AS defaults,
       coalesce(pg_get_function_result(p.oid), '') AS returns,
       p.proretset AS returns_set,
       l.lanname::text AS language,
       p.prokind::text AS kind,
       p.provolatile::text AS volatility,
       p.prosecdef AS security_definer,
       p.proleakproof AS leakproof,
       pg_get_userbyid(p.proowner)::text AS owner,
       coalesce(p.proconfig, '{}') AS settings,
       ARRAY(SELECT DISTINCT CASE WHEN acl.grantee = 0 THEN 'public' ELSE pg_get_userbyid(acl.grantee)::text END
             FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS acl
             WHERE acl.privilege_type = 'EXECUTE') AS executable_by,
       coalesce(pg_get_function_sqlbody(p.oid), p.prosrc) AS source
FROM pg_proc p
JOIN pg_namespace n ON n.oid = p.pronamespace
JOIN pg_language l ON l.oid = p.prolang
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend d
                  WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
ORDER BY n.nspname, p.proname, 3
