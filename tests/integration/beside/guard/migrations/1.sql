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
create or replace function app.soft() returns trigger language plpgsql  as $$

begin
return null;
end $$;
create trigger soft before delete on app.notes for each row execute function app.soft();
