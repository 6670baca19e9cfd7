-- What lives as long as the server connection: kind, name, and a query that reads it where there is one.
select 'temp', c.relname::text, pg_catalog.format('select t::text from pg_temp.%I as t limit 200', c.relname)
  from pg_catalog.pg_class as c
 where c.relnamespace = pg_catalog.pg_my_temp_schema() and c.relkind in ('r', 'v', 'p')
union all
select 'cursor', k.name, pg_catalog.format('fetch 200 from %I', k.name)
  from pg_catalog.pg_cursors as k
 where k.is_holdable
union all
select 'prepared', p.name,
       case when pg_catalog.cardinality(p.parameter_types) = 0 then pg_catalog.format('execute %I', p.name) end
  from pg_catalog.pg_prepared_statements as p
 where p.from_sql
union all
select 'lock', pg_catalog.concat_ws('/', l.classid::text, l.objid::text, l.objsubid::text), null
  from pg_catalog.pg_locks as l
 where l.locktype = 'advisory' and l.pid = pg_catalog.pg_backend_pid() and l.granted
union all
select 'listen', n.channel, null
  from pg_catalog.pg_listening_channels() as n (channel)
 order by 1, 2
