create role app_user nologin;
create schema app; grant usage on schema app to app_user;
create function app.tid() returns bigint language sql stable as $$ select nullif(current_setting('app.tenant_id', true),'')::bigint $$;
create table app.tenants (id bigint primary key, name text not null);
alter table app.tenants enable row level security;
create policy tenant on app.tenants for select using (id = app.tid());
grant select on app.tenants to app_user;
grant usage on all sequences in schema app to app_user;
create sequence app.gid;
create table app.s0 (id bigint primary key default nextval('app.gid'), tenant_id bigint not null references app.tenants(id), n bigint not null default nextval('app.gid') unique, t text);
alter table app."s0" enable row level security; grant select,insert,update,delete on app."s0" to app_user;
create policy tenant on app."s0" using (tenant_id = app.tid()) with check (tenant_id = app.tid());
create table app.s1 (id bigint primary key default nextval('app.gid'), tenant_id bigint not null references app.tenants(id), n bigint not null default nextval('app.gid') unique, t text);
alter table app."s1" enable row level security; grant select,insert,update,delete on app."s1" to app_user;
create policy tenant on app."s1" using (tenant_id = app.tid()) with check (tenant_id = app.tid());
create table app.s2 (id bigint primary key default nextval('app.gid'), tenant_id bigint not null references app.tenants(id), n bigint not null default nextval('app.gid') unique, t text);
alter table app."s2" enable row level security; grant select,insert,update,delete on app."s2" to app_user;
create policy tenant on app."s2" using (tenant_id = app.tid()) with check (tenant_id = app.tid());
create table app.s3 (id bigint primary key default nextval('app.gid'), tenant_id bigint not null references app.tenants(id), n bigint not null default nextval('app.gid') unique, t text);
alter table app."s3" enable row level security; grant select,insert,update,delete on app."s3" to app_user;
create policy tenant on app."s3" using (tenant_id = app.tid()) with check (tenant_id = app.tid());

create function app.q() returns trigger language plpgsql as $$ begin if (select count(*) from app.s2 where tenant_id=new.tenant_id)>=1 then raise exception 'one only'; end if; new.n := nextval('app.gid'); insert into app.s3(tenant_id,t) values (new.tenant_id,'x'); return new; end $$;
create trigger q before insert on app.s2 for each row execute function app.q();
create policy open on app.s3 for select using (true);

grant usage on all sequences in schema app to app_user;
