delete from pg_default_acl
returning oid, defaclrole, defaclnamespace, defaclobjtype, defaclacl::text,
  pg_get_userbyid(defaclrole)::text,
  coalesce((select nspname::text from pg_namespace where pg_namespace.oid = defaclnamespace), '')
