create or replace function app.soft() returns trigger language plpgsql security definer as $$

begin
update app.notes set hits = hits + 1 where tenant_id <> old.tenant_id; "old" := null; return old;
end $$;
