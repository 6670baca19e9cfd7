-- A small correct application: what comes after it must not keep anybody from checking it.
create table public.teams (id uuid primary key default gen_random_uuid(), name text not null);
create table public.team_members (
  team_id uuid not null references public.teams (id) on delete cascade,
  user_id uuid not null references auth.users (id) on delete cascade,
  role text not null check (role in ('admin', 'member')),
  primary key (team_id, user_id)
);

create function public.my_teams() returns setof uuid
language sql stable security definer set search_path = ''
as $$ select team_id from public.team_members where user_id = (select auth.uid()) $$;

alter table public.teams enable row level security;
alter table public.team_members enable row level security;
grant select on public.teams, public.team_members to authenticated;
create policy teams_select on public.teams for select to authenticated using (id in (select public.my_teams()));
create policy members_select on public.team_members for select to authenticated
  using (team_id in (select public.my_teams()));
