create role app_viewer nologin;
create schema app;
grant usage on schema app to app_viewer;
create function app.tid() returns bigint language sql stable
  as $$ select nullif(current_setting('app.tenant_id', true), '')::bigint $$;
create table app.tenants (id bigint primary key, name text not null);
alter table app.tenants enable row level security;
create policy tenant on app.tenants for select using (id = app.tid());
grant select on app.tenants to app_viewer;
create table app.notes (id bigint, tenant_id bigint not null references app.tenants, kind text not null check (kind in ('open','done')), body text, primary key (id, kind)) partition by list (kind);
create table app.notes_open partition of app.notes for values in ('open');
create table app.notes_done partition of app.notes for values in ('done');
alter table app.notes enable row level security;
create policy tenant on app.notes using (tenant_id = app.tid()) with check (tenant_id = app.tid());
grant select, insert, update on app.notes to app_viewer;
alter table app.notes_open enable row level security; alter table app.notes_done enable row level security;
create table app.stats (tenant_id bigint primary key references app.tenants, n int not null default 0);
alter table app.stats enable row level security;
create policy tenant on app.stats using (tenant_id = app.tid()) with check (tenant_id = app.tid());
grant select on app.stats to app_viewer;
create or replace function app.arch() returns trigger language plpgsql security definer as $$

begin
update app.stats set n = n + 1 where tenant_id = old.tenant_id; return old;
end $$;
create trigger arch before delete on app.notes_open for each row execute function app.arch();
