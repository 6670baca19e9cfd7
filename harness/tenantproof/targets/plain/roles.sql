-- What the official Docker image gives: a superuser `postgres` that owns the database `postgres`.
create role postgres superuser createdb createrole replication bypassrls login;
alter database postgres owner to postgres;
update pg_database set datistemplate = false where datname = 'template0';
drop database template0;
