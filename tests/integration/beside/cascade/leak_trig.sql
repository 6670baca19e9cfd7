create or replace function app.gone() returns trigger language plpgsql security definer as $$

begin
update app.stats set n = n - 1; return old;
end $$;
