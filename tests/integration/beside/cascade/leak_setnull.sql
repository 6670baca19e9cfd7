alter table app.files drop constraint files_tenant_id_note_id_fkey; alter table app.files add foreign key (tenant_id, note_id) references app.notes (tenant_id, id) on delete set null (note_id);
create or replace function app.upd() returns trigger language plpgsql security definer as $$

begin
if new.note_id is null then delete from app.chunks where tenant_id <> old.tenant_id; end if; return new;
end $$;
create trigger upd after update on app.files for each row execute function app.upd();
