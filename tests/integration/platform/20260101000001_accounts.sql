-- Roles, functions, tables and triggers of the platform as migrations use them.
create table public.profiles (
  id uuid primary key references auth.users (id) on delete cascade,
  handle extensions.citext unique,
  plan text not null default 'free',
  secret text default encode(extensions.gen_random_bytes(8), 'hex'),
  fingerprint text generated always as (encode(sha256('x'::bytea), 'hex')) stored,
  token uuid not null default extensions.uuid_generate_v4(),
  other uuid not null default gen_random_uuid(),
  embedding extensions.vector(3),
  updated_at timestamptz not null default now()
);
comment on table public.profiles is 'one row per user';
create function public.handle_new_user() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  insert into public.profiles (id, handle) values (new.id, new.raw_user_meta_data ->> 'handle');
  perform net.http_post(url := 'https://example.invalid/hook', body := jsonb_build_object('id', new.id));
  return new;
end;
$$;
drop trigger if exists on_auth_user_created on auth.users;
create trigger on_auth_user_created after insert on auth.users
  for each row execute procedure public.handle_new_user();
create trigger profiles_updated before update on public.profiles
  for each row execute function extensions.moddatetime(updated_at);
create index on public.profiles using hnsw (embedding extensions.vector_cosine_ops);

alter table public.profiles enable row level security;
alter table profiles force row level security;
create policy "own profile" on public.profiles for select to authenticated using ((select auth.uid()) = id);
create policy "by email" on public.profiles for update to authenticated
  using (auth.email() = auth.jwt() ->> 'email' and auth.role() = 'authenticated'
    and (auth.jwt() ->> 'exp')::bigint > extract(epoch from now()));
create policy "with aal2" on public.profiles as restrictive for delete to authenticated
  using (array[auth.jwt() ->> 'aal'] <@ (
    select case when count(id) > 0 then array['aal2'] else array['aal1', 'aal2'] end
    from auth.mfa_factors where auth.uid() = user_id and status = 'verified'));
create policy "anybody sees free plans" on public.profiles for select to anon using (plan = 'free');
create policy "the server" on public.profiles to service_role, postgres using (true);

create function public.who() returns jsonb language sql stable as $$
  select jsonb_build_object(
    'session', session_user, 'current', current_user,
    'sub', current_setting('request.jwt.claim.sub', true),
    'claims', current_setting('request.jwt.claims', true)::jsonb,
    'headers', current_setting('request.headers', true)::jsonb,
    'method', current_setting('request.method', true), 'path', current_setting('request.path', true))
$$;
revoke execute on function public.who() from public, anon;
grant execute on function public.who() to authenticated, service_role;

create function public.check_request() returns void language plpgsql security definer as $$
begin
  if current_setting('request.headers', true)::json ->> 'x-blocked' is not null then
    raise sqlstate 'PGRST' using message = '{"code":"403","message":"blocked"}', detail = '{"status":403,"headers":{}}';
  end if;
end;
$$;
alter role authenticator set pgrst.db_pre_request = 'public.check_request';
alter role authenticator set pgrst.db_schemas to 'public, storage';
notify pgrst, 'reload schema';
notify pgrst, 'reload config';
select set_config('app.settings.jwt_secret', 'x', false);
alter database postgres set app.settings.jwt_exp to 3600;
alter role authenticated set statement_timeout = '10s';

do $$
begin
  if not exists (select 1 from pg_roles where rolname = 'reporting') then
    create role reporting nologin noinherit;
  end if;
end
$$;
grant reporting to authenticator;
grant anon to reporting;
create user etl_user with login password 'secret' bypassrls;
alter default privileges in schema public grant all on tables to postgres, anon, authenticated, service_role;
alter default privileges for role postgres in schema public grant select on tables to reporting;
alter default privileges for role supabase_admin in schema public revoke all on functions from anon;
alter default privileges revoke execute on functions from public;
grant usage on schema public, extensions, auth to reporting;
grant all on all tables in schema public to supabase_admin, dashboard_user;
grant select on auth.users to reporting;

create function public.custom_access_token_hook(event jsonb) returns jsonb language plpgsql stable as $$
begin
  return jsonb_set(event, '{claims,user_role}', '"member"');
end;
$$;
grant usage on schema public to supabase_auth_admin;
grant execute on function public.custom_access_token_hook to supabase_auth_admin;
revoke execute on function public.custom_access_token_hook from authenticated, anon, public;
grant all on table public.profiles to supabase_auth_admin;
create policy "the auth server" on public.profiles as permissive for select to supabase_auth_admin using (true);
alter function public.custom_access_token_hook(jsonb) owner to supabase_admin;

insert into auth.users (instance_id, id, aud, role, email, encrypted_password, email_confirmed_at, raw_app_meta_data,
  raw_user_meta_data, created_at, updated_at, confirmation_token, email_change, email_change_token_new, recovery_token)
values ('00000000-0000-0000-0000-000000000000', '11111111-1111-4111-8111-111111111111', 'authenticated',
  'authenticated', 'a@example.com', extensions.crypt('password', extensions.gen_salt('bf')), now(),
  '{"provider":"email","providers":["email"]}', '{"handle":"ada"}', now(), now(), '', '', '', '');
insert into auth.identities (id, user_id, provider_id, identity_data, provider, last_sign_in_at, created_at, updated_at)
values (gen_random_uuid(), '11111111-1111-4111-8111-111111111111', '11111111-1111-4111-8111-111111111111',
  '{"sub":"11111111-1111-4111-8111-111111111111","email":"a@example.com"}', 'email', now(), now(), now());
