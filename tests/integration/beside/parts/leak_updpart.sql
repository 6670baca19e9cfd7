create or replace function app.ins() returns trigger language plpgsql security definer as $$

begin
update app.stats set n = n + 1; return null;
end $$;
create trigger ins before update on app.notes_done for each row execute function app.ins();
