-- Storage, realtime, publications, cron, queues, vault, webhooks.
insert into storage.buckets (id, name, public, file_size_limit, allowed_mime_types)
values ('avatars', 'avatars', true, 1048576, array['image/*']), ('files', 'files', false, null, null)
on conflict (id) do update set public = excluded.public;
create policy "read avatars" on storage.objects for select using (bucket_id = 'avatars');
create policy "write own files" on storage.objects for insert to authenticated
  with check (bucket_id = 'files' and (storage.foldername(name))[1] = auth.uid()::text
    and storage.extension(name) in ('png', 'pdf') and length(storage.filename(name)) < 100);
create policy "delete own files" on storage.objects for delete to authenticated
  using (owner = auth.uid() or owner_id = (select auth.uid()::text));
create policy "see buckets" on storage.buckets for select to authenticated using (true);
alter table storage.objects enable row level security;
create function public.handle_upload() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  perform pgmq.send('uploads', jsonb_build_object('name', new.name));
  return new;
end;
$$;
create trigger on_upload after insert on storage.objects for each row execute function public.handle_upload();

create table public.messages (
  id bigint generated always as identity primary key, room uuid not null, body text not null,
  author uuid default auth.uid() references auth.users on delete set null
);
alter table public.messages enable row level security;
alter table public.messages replica identity full;
alter publication supabase_realtime add table public.messages;
begin;
  drop publication if exists supabase_realtime;
  create publication supabase_realtime;
commit;
alter publication supabase_realtime add table public.messages, public.profiles;
create policy "members hear" on realtime.messages for select to authenticated
  using (realtime.topic() = 'room:' || auth.uid()::text and extension in ('broadcast', 'presence'));
create function public.tell() returns trigger language plpgsql security definer as $$
begin
  perform realtime.broadcast_changes('room:' || new.room::text, tg_op, tg_op, tg_table_name, tg_table_schema, new, old);
  perform realtime.send(jsonb_build_object('id', new.id), 'new', 'room', true);
  return null;
end;
$$;
create trigger messages_tell after insert or update on public.messages for each row execute function public.tell();
create trigger "messages_webhook" after insert on public.messages for each row
  execute function supabase_functions.http_request('https://example.invalid', 'POST', '{}', '{}', '1000');

select cron.schedule('clean', '0 3 * * *', $$delete from public.messages where false$$);
select cron.schedule('0 4 * * *', 'select 1');
select cron.unschedule('clean');
select cron.unschedule(jobid) from cron.job where jobname = 'none';
select cron.schedule('call', '*/5 * * * *', $$
  select net.http_post(url := (select decrypted_secret from vault.decrypted_secrets where name = 'url') || '/f',
    headers := '{"Content-Type": "application/json"}'::jsonb, body := '{}'::jsonb, timeout_milliseconds := 1000) as id
$$);
select pgmq.create('uploads');
select pgmq.send('uploads', '{"a": 1}'::jsonb);
select * from pgmq.read('uploads', 30, 1);
select pgmq.pop('uploads');
select vault.create_secret('https://example.invalid', 'url', 'where to');
select extensions.digest('a', 'sha256'), extensions.hmac('a', 'b', 'sha256'), extensions.unaccent('é');
select extensions.sign('{"sub":"x"}'::json, 'secret');
select graphql.resolve('{ a }'), graphql_public.graphql(query => '{ a }');
comment on schema public is '@graphql({"inflect_names": true})';
grant usage on schema pgmq to service_role;
grant all on all tables in schema pgmq to service_role;
insert into supabase_migrations.schema_migrations (version, name) values ('1', 'x') on conflict do nothing;
create view public.people with (security_invoker = on) as
  select p.id, u.email from public.profiles p join auth.users u using (id);
create event trigger on_ddl on ddl_command_end execute function extensions.pgrst_ddl_watch();
set session_replication_role = replica;
insert into storage.objects (bucket_id, name, owner, owner_id, metadata)
values ('files', '11111111-1111-4111-8111-111111111111/a.pdf', null, null, '{}');
set session_replication_role = default;
