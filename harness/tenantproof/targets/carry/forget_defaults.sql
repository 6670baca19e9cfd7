with shared as (
  delete from pg_shdepend
  where classid = 'pg_default_acl'::regclass and objid = any(%s)
    and dbid = (select oid from pg_database where datname = current_database())
)
delete from pg_depend where classid = 'pg_default_acl'::regclass and objid = any(%s)
