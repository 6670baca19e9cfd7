insert into pg_db_role_setting (setdatabase, setrole, setconfig)
select copy.oid, setting.setrole, setting.setconfig
from pg_db_role_setting setting
join pg_database template on template.oid = setting.setdatabase
cross join pg_database copy
where template.datname = %(template)s and copy.datname = %(copy)s
