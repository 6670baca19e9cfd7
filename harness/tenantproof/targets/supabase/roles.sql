-- Roles of a Supabase project, with attributes, memberships and settings.  supabase_admin is the bootstrap superuser.
-- Left out: `session_preload_libraries` of authenticator; the libraries are absent and it could then not log in.
create role anon nologin;
create role authenticated nologin;
create role service_role nologin bypassrls;
create role authenticator login noinherit;
create role postgres login createrole createdb replication bypassrls;
create role supabase_auth_admin login noinherit;
create role supabase_storage_admin login noinherit createrole;
create role supabase_realtime_admin login noinherit;
create role supabase_functions_admin login noinherit createrole;
create role supabase_replication_admin login replication;
create role supabase_read_only_user login bypassrls;
create role supabase_etl_admin login replication;
create role dashboard_user nologin createrole createdb replication;
create role pgbouncer login;
create role pgtle_admin nologin;

grant anon, authenticated, service_role to authenticator;
grant anon, authenticated, service_role, authenticator to postgres with admin option;
grant pg_monitor, pg_read_all_data, pg_signal_backend, pgtle_admin to postgres;
grant pg_create_subscription to postgres; -- from PostgreSQL 16 on
grant pg_read_all_data to supabase_read_only_user, supabase_etl_admin;
grant authenticator to supabase_storage_admin;
-- The platform emulates what follows in a C extension (policies and triggers on tables of these owners).
grant supabase_auth_admin, supabase_storage_admin, supabase_realtime_admin to postgres;

alter role anon set statement_timeout = '3s';
alter role authenticated set statement_timeout = '8s';
alter role authenticator set statement_timeout = '8s';
alter role authenticator set lock_timeout = '8s';
-- Hosted Supabase lets postgres do this by supautils.
grant set on parameter session_replication_role to postgres;
alter role postgres set search_path = "$user", public, extensions;
alter role supabase_admin set search_path = "$user", public, auth, extensions;
alter role supabase_auth_admin set search_path = auth;
alter role supabase_auth_admin set idle_in_transaction_session_timeout = '60s';
alter role supabase_storage_admin set search_path = storage;
alter role supabase_realtime_admin set search_path = realtime;

alter database postgres owner to postgres;
grant create, connect, temporary on database postgres to postgres, dashboard_user;
update pg_database set datistemplate = false where datname = 'template0';
drop database template0;
