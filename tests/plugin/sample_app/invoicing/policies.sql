create role app login;
grant usage on schema public to app;
grant select on users, organizations, members to app;
grant select, insert, update, delete on invoices to app;

create function mine() returns setof uuid language sql stable security definer set search_path = '' as
$$ select organization_id from public.members where user_id = nullif(current_setting('app.user_id', true), '')::uuid $$;

alter table users enable row level security;
alter table organizations enable row level security;
alter table members enable row level security;
alter table invoices enable row level security;

create policy users_self on users for select to app
  using (id = nullif(current_setting('app.user_id', true), '')::uuid);
create policy organizations_mine on organizations for select to app using (id in (select mine()));
create policy members_mine on members for select to app using (organization_id in (select mine()));
create policy invoices_mine on invoices for all to app using (organization_id in (select mine()));
