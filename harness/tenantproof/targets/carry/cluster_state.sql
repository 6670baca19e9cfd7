select
  (select md5(string_agg(role::text, ',' order by oid)) from pg_roles role),
  (select md5(string_agg(member::text, ',' order by oid)) from pg_auth_members member),
  (select md5(string_agg(setting::text, ',' order by setdatabase, setrole))
     from pg_db_role_setting setting where setdatabase = 0)
