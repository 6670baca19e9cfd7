-- Extensions that every new project has.
create extension "uuid-ossp" with schema extensions;
create extension pgcrypto with schema extensions;
create extension pg_stat_statements with schema extensions;
create extension supabase_vault;
grant execute on all functions in schema extensions to anon, authenticated, service_role, postgres;
