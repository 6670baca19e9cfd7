-- The trigger forgets whose board it is.
create or replace function app.count_changes() returns trigger language plpgsql security definer as $$
begin
  update app.boards set changes = changes + 1;
  return null;
end $$;
