insert into pg_default_acl (oid, defaclrole, defaclnamespace, defaclobjtype, defaclacl)
values (%s, %s, %s, %s, %s::aclitem[])
