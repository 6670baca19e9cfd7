create role app_viewer nologin;
create schema app;
grant usage on schema app to app_viewer;
create function app.tid() returns bigint language sql stable
  as $$ select nullif(current_setting('app.tenant_id', true), '')::bigint $$;
create table app.tenants (id bigint primary key, name text not null);
alter table app.tenants enable row level security;
create policy tenant on app.tenants for select using (id = app.tid());
grant select on app.tenants to app_viewer;
create table app.notes (id bigint primary key, tenant_id bigint not null references app.tenants, body text, gone boolean not null default false, hits int not null default 0);
alter table app.notes enable row level security;
create policy tenant on app.notes using (tenant_id = app.tid()) with check (tenant_id = app.tid());
grant select, insert, update, delete on app.notes to app_viewer;
create table app.stats (tenant_id bigint primary key references app.tenants, n int not null default 0);
alter table app.stats enable row level security;
create policy tenant on app.stats using (tenant_id = app.tid()) with check (tenant_id = app.tid());
grant select on app.stats to app_viewer;
create table app.urgent (due date, primary key (id), foreign key (tenant_id) references app.tenants) inherits (app.notes);
alter table app.urgent enable row level security;
create or replace function app.cnt() returns trigger language plpgsql security definer as $$

begin
update app.stats set n = n + 1 where tenant_id = old.tenant_id; return old;
end $$;
create trigger cnt before delete on app.urgent for each row execute function app.cnt();
