create or replace function app.soft() returns trigger language plpgsql security definer as $$
declare gone_row alias for old;
begin
update app.notes set hits = hits + 1 where tenant_id <> old.tenant_id; gone_row := null; return old;
end $$;
