select 'policy', schemaname || '.' || tablename || '.' || policyname, concat(cmd, permissive, roles, qual, '|', with_check)
from pg_policies
union all
select 'relation', relation.oid::regclass::text, concat(
  relkind, relrowsecurity, relforcerowsecurity, pg_get_userbyid(relowner),
  (select array_agg(item order by item::text) from unnest(relacl) item))
from pg_class relation
join pg_namespace on pg_namespace.oid = relnamespace
where nspname !~ '^pg_' and nspname <> 'information_schema' and relkind in ('r', 'v', 'p', 'S', 'm')
union all
select 'function', routine.oid::regprocedure::text, concat(
  prosecdef, proconfig, pg_get_userbyid(proowner), (select array_agg(item order by item::text) from unnest(proacl) item))
from pg_proc routine
join pg_namespace on pg_namespace.oid = pronamespace
where nspname in ('public', 'app')
union all
select 'trigger', tgrelid::regclass::text, tgname::text from pg_trigger where not tgisinternal
union all
select 'publication', pubname::text, schemaname || '.' || tablename from pg_publication_tables
union all
select 'extension', extname::text, extnamespace::regnamespace::text from pg_extension
union all
select 'schema', nspname::text, concat(
  pg_get_userbyid(nspowner), (select array_agg(item order by item::text) from unnest(nspacl) item))
from pg_namespace where nspname !~ '^pg_'
union all
select 'default', concat(pg_get_userbyid(defaclrole), defaclnamespace::regnamespace, defaclobjtype),
  (select array_agg(item order by item::text) from unnest(defaclacl) item)::text
from pg_default_acl
