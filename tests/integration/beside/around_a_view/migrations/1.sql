-- The table is out of reach but for a view with its owner's rights; its trigger writes to another table.
create role app_viewer nologin;
create schema app;
grant usage on schema app to app_viewer;
create function app.tid() returns bigint language sql stable
  as $$ select nullif(current_setting('app.tenant_id', true), '')::bigint $$;

create table app.tenants (id bigint primary key, name text not null);
alter table app.tenants enable row level security;
create policy tenant on app.tenants for select using (id = app.tid());
grant select on app.tenants to app_viewer;

create table app.boards (id bigint primary key, tenant_id bigint not null references app.tenants, changes int not null);
alter table app.boards enable row level security;
create policy tenant on app.boards for select using (tenant_id = app.tid());
grant select on app.boards to app_viewer;

create table app.notes (id bigint primary key, tenant_id bigint not null references app.tenants, body text);
create view app.my_notes with (security_barrier) as
  select id, tenant_id, body from app.notes where tenant_id = app.tid() with check option;
grant select, update on app.my_notes to app_viewer;

create function app.count_changes() returns trigger language plpgsql security definer as $$
begin
  update app.boards set changes = changes + 1 where tenant_id = new.tenant_id;
  return null;
end $$;
create trigger count_changes after update on app.notes for each row execute function app.count_changes();
