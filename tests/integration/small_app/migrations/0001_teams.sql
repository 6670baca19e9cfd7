create table public.teams (id uuid primary key default gen_random_uuid(), name text not null);
create table public.team_members (
  team_id uuid not null references public.teams (id) on delete cascade,
  user_id uuid not null references auth.users (id) on delete cascade,
  role text not null check (role in ('admin', 'member')),
  primary key (team_id, user_id)
);
create table public.notes (
  id uuid primary key default gen_random_uuid(),
  team_id uuid not null references public.teams (id) on delete cascade,
  author_id uuid not null references auth.users (id) on delete cascade,
  body text not null default ''
);

create function public.my_teams() returns setof uuid
language sql stable security definer set search_path = ''
as $$ select team_id from public.team_members where user_id = (select auth.uid()) $$;
revoke execute on function public.my_teams() from public, anon;
grant execute on function public.my_teams() to authenticated;

alter table public.teams enable row level security;
alter table public.team_members enable row level security;
alter table public.notes enable row level security;
grant select on public.teams, public.team_members to authenticated;
grant select, insert, update, delete on public.notes to authenticated;

create policy teams_select on public.teams for select to authenticated using (id in (select public.my_teams()));
create policy members_select on public.team_members for select to authenticated
  using (team_id in (select public.my_teams()));
create policy notes_select on public.notes for select to authenticated using (team_id in (select public.my_teams()));
create policy notes_insert on public.notes for insert to authenticated
  with check (team_id in (select public.my_teams()) and author_id = (select auth.uid()));
create policy notes_update on public.notes for update to authenticated
  using (team_id in (select public.my_teams()) and author_id = (select auth.uid()))
  with check (team_id in (select public.my_teams()) and author_id = (select auth.uid()));
create policy notes_delete on public.notes for delete to authenticated
  using (team_id in (select public.my_teams()) and author_id = (select auth.uid()));
