select pg_get_userbyid(datdba) from pg_database where datname = %(template)s
