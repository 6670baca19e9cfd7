create or replace function app.cnt() returns trigger language plpgsql security definer as $$

begin
update app.stats set n = n + 1; return null;
end $$;
