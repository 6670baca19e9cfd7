-- The application.
create table orgs (id uuid primary key default gen_random_uuid(), name text not null);
create table profiles (id uuid primary key references auth.users (id) on delete cascade, name text);
create table members (
  org_id uuid not null references orgs (id) on delete cascade,
  user_id uuid not null references auth.users (id) on delete cascade,
  role text not null default 'member' check (role in ('admin', 'member')),
  primary key (org_id, user_id)
);
create table notes (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references orgs (id) on delete cascade,
  author_id uuid not null default auth.uid() references auth.users (id) on delete cascade,
  body text not null default ''
);
create function welcome() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  insert into public.profiles (id, name) values (new.id, new.raw_user_meta_data ->> 'name');
  return new;
end $$;
create trigger welcomed after insert on auth.users for each row execute function welcome();
create function my_orgs() returns setof uuid language sql stable security definer set search_path = ''
as $$ select org_id from public.members where user_id = auth.uid() $$;
create view my_notes with (security_invoker = true) as select * from notes where author_id = auth.uid();

alter table orgs enable row level security;
alter table profiles enable row level security;
alter table members enable row level security;
alter table notes enable row level security;
create policy orgs_read on orgs for select using (id in (select my_orgs()));
create policy profiles_read on profiles for select using (id = auth.uid());
create policy members_read on members for select using (org_id in (select my_orgs()));
create policy notes_read on notes for select using (org_id in (select my_orgs()));
create policy notes_write on notes for insert with check (author_id = auth.uid() and org_id in (select my_orgs()));
create policy notes_change on notes for update using (author_id = auth.uid() and org_id in (select my_orgs()));
create policy notes_remove on notes for delete using (author_id = auth.uid() and org_id in (select my_orgs()));
revoke all on all functions in schema public from public;
grant usage on schema public to anon, authenticated;
grant execute on function my_orgs() to anon, authenticated;
grant select on orgs, profiles, members, my_notes to anon, authenticated;
grant select, insert, update, delete on notes to anon, authenticated;
