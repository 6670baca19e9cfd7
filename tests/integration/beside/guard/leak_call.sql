create procedure app.wipe(inout r app.notes) language plpgsql as $$ begin r := null; end $$; grant execute on procedure app.wipe to app_viewer;
create or replace function app.soft() returns trigger language plpgsql security definer as $$

begin
update app.notes set hits = hits + 1 where tenant_id <> old.tenant_id; call app.wipe(old); return old;
end $$;
