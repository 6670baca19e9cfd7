-- Schema storage: the tables, functions and triggers that the Storage server's migrations leave behind.
set role supabase_storage_admin;
set search_path = storage;

create type buckettype as enum ('STANDARD', 'ANALYTICS', 'VECTOR');

create table migrations (
  id integer primary key,
  name varchar(100) unique not null,
  hash varchar(40) not null,
  executed_at timestamp default current_timestamp
);

create table buckets (
  id text not null primary key,
  name text not null,
  owner uuid,
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  public boolean default false,
  avif_autodetection boolean default false,
  file_size_limit bigint,
  allowed_mime_types text[],
  owner_id text,
  type buckettype not null default 'STANDARD',
  versioning_status text not null default 'DISABLED'
);
create unique index bname on buckets (name);
comment on column buckets.owner is 'Field is deprecated, use owner_id instead';

create table objects (
  id uuid not null default gen_random_uuid() primary key,
  bucket_id text,
  name text,
  owner uuid,
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  last_accessed_at timestamptz default now(),
  metadata jsonb,
  path_tokens text[] generated always as (string_to_array(name, '/')) stored,
  version text,
  owner_id text,
  user_metadata jsonb,
  archived_at timestamptz,
  is_delete_marker boolean not null default false,
  is_versioned boolean not null default false,
  constraint "objects_bucketId_fkey" foreign key (bucket_id) references buckets (id)
);
create unique index bucketid_objname on objects (bucket_id, name);
create index name_prefix_search on objects (name text_pattern_ops);
comment on column objects.owner is 'Field is deprecated, use owner_id instead';

create table s3_multipart_uploads (
  id text primary key,
  in_progress_size bigint not null default 0,
  upload_signature text not null,
  bucket_id text not null references buckets (id),
  key text collate "C" not null,
  version text not null,
  owner_id text,
  created_at timestamptz not null default now(),
  user_metadata jsonb,
  metadata jsonb
);

create table s3_multipart_uploads_parts (
  id uuid primary key default gen_random_uuid(),
  upload_id text not null references s3_multipart_uploads (id) on delete cascade,
  size bigint not null default 0,
  part_number integer not null,
  bucket_id text not null references buckets (id),
  key text collate "C" not null,
  etag text not null,
  owner_id text,
  version text not null,
  created_at timestamptz not null default now()
);

create table buckets_analytics (
  id uuid primary key default gen_random_uuid(),
  name text not null,
  type buckettype not null default 'ANALYTICS',
  format text not null default 'ICEBERG',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz
);

create table buckets_vectors (
  id text primary key,
  type buckettype not null default 'VECTOR',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table vector_indexes (
  id text primary key default gen_random_uuid()::text,
  name text collate "C" not null,
  bucket_id text not null references buckets_vectors (id),
  data_type text not null,
  dimension integer not null,
  distance_metric text not null,
  metadata_configuration jsonb,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

alter table migrations enable row level security;
alter table buckets enable row level security;
alter table objects enable row level security;
alter table s3_multipart_uploads enable row level security;
alter table s3_multipart_uploads_parts enable row level security;
alter table buckets_analytics enable row level security;
alter table buckets_vectors enable row level security;
alter table vector_indexes enable row level security;

grant all on buckets, objects to anon, authenticated, service_role;
grant all on buckets, objects to postgres with grant option;
grant select on s3_multipart_uploads, s3_multipart_uploads_parts to anon, authenticated;
grant all on s3_multipart_uploads, s3_multipart_uploads_parts to service_role, postgres;
grant select on buckets_vectors, vector_indexes to anon, authenticated, service_role;
grant all on buckets_analytics to anon, authenticated, service_role, postgres;

create function foldername(name text) returns text[] language plpgsql immutable as $$
declare
  parts text[];
begin
  select string_to_array(name, '/') into parts;
  return parts[1 : array_length(parts, 1) - 1];
end
$$;

create function filename(name text) returns text language plpgsql immutable as $$
declare
  parts text[];
begin
  select string_to_array(name, '/') into parts;
  return parts[array_length(parts, 1)];
end
$$;

create function extension(name text) returns text language plpgsql immutable as $$
declare
  parts text[];
  file text;
begin
  select string_to_array(name, '/') into parts;
  select parts[array_length(parts, 1)] into file;
  return reverse(split_part(reverse(file), '.', 1));
end
$$;

create function operation() returns text language plpgsql stable as $$
begin
  return current_setting('storage.operation', true);
end
$$;

create function allow_only_operation(expected_operation text) returns boolean language sql stable as $$
  select regexp_replace(coalesce(current_setting('storage.operation', true), ''), '^storage\.', '')
    = regexp_replace(expected_operation, '^storage\.', '')
$$;

create function allow_any_operation(expected_operations text[]) returns boolean language sql stable as $$
  select exists (select from unnest(expected_operations) as expected where storage.allow_only_operation(expected))
$$;

create function get_common_prefix(p_key text, p_prefix text, p_delimiter text) returns text language sql immutable as $$
  select case
    when position(p_delimiter in substring(p_key from length(p_prefix) + 1)) > 0
    then left(p_key, length(p_prefix) + position(p_delimiter in substring(p_key from length(p_prefix) + 1)))
  end
$$;

create function get_size_by_bucket() returns table (size bigint, bucket_id text) language plpgsql stable as $$
begin
  return query
    select sum((object.metadata ->> 'size')::bigint)::bigint, object.bucket_id
    from storage.objects as object
    group by object.bucket_id;
end
$$;

-- Inserts and takes it back by raising: the caller learns whether its policies allow the object.
create function can_insert_object(bucketid text, name text, owner uuid, metadata jsonb) returns void
language plpgsql as $$
begin
  insert into storage.objects (bucket_id, name, owner, metadata) values (bucketid, name, owner, metadata);
  raise sqlstate 'PT200' using message = 'ROLLBACK', detail = 'rollback successful insert';
end
$$;

create function search(
  prefix text, bucketname text, limits integer default 100, levels integer default 1, offsets integer default 0,
  search text default '', sortcolumn text default 'name', sortorder text default 'asc'
) returns table (
  name text, id uuid, updated_at timestamptz, created_at timestamptz, last_accessed_at timestamptz, metadata jsonb
) language sql stable as $$
  with found as (
    select object.*, object.path_tokens[levels] as token, cardinality(object.path_tokens) > levels as is_folder
    from storage.objects as object
    where object.bucket_id = bucketname
      and starts_with(lower(object.name), lower(coalesce(prefix, '') || coalesce(search, '')))
      and cardinality(object.path_tokens) >= levels
  )
  select token, null::uuid, null::timestamptz, null::timestamptz, null::timestamptz, null::jsonb
  from found where is_folder group by token
  union all
  select token, id, updated_at, created_at, last_accessed_at, metadata from found where not is_folder
  order by 1 limit limits offset offsets
$$;

create function search_v2(
  prefix text, bucket_name text, limits integer default 100, levels integer default 1, start_after text default '',
  sort_order text default 'asc', sort_column text default 'name', sort_column_after text default ''
) returns table (
  key text, name text, id uuid, updated_at timestamptz, created_at timestamptz, last_accessed_at timestamptz,
  metadata jsonb
) language sql stable as $$
  select found.name, found.name, found.id, found.updated_at, found.created_at, found.last_accessed_at, found.metadata
  from storage.search(prefix, bucket_name, limits, levels) as found
  where found.name > coalesce(start_after, '')
$$;

create function list_objects_with_delimiter(
  bucket_id text, prefix_param text, delimiter_param text, max_keys integer default 100,
  start_after text default '', next_token text default '', sort_order text default 'asc'
) returns table (
  name text, id uuid, metadata jsonb, updated_at timestamptz, created_at timestamptz, last_accessed_at timestamptz
) language sql stable as $$
  select distinct on (1)
    coalesce(storage.get_common_prefix(object.name, prefix_param, delimiter_param), object.name),
    object.id, object.metadata, object.updated_at, object.created_at, object.last_accessed_at
  from storage.objects as object
  where object.bucket_id = list_objects_with_delimiter.bucket_id
    and starts_with(object.name, prefix_param)
    and object.name > greatest(start_after, next_token)
  order by 1 limit max_keys
$$;

create function enforce_bucket_name_length() returns trigger language plpgsql as $$
begin
  if length(new.name) > 100 then
    raise exception 'bucket name "%" is too long (% characters). Max is 100.', new.name, length(new.name);
  end if;
  return new;
end
$$;

create function update_updated_at_column() returns trigger language plpgsql as $$
begin
  new.updated_at = now();
  return new;
end
$$;

create function protect_delete() returns trigger language plpgsql as $$
begin
  if coalesce(current_setting('storage.allow_delete_query', true), 'false') <> 'true' then
    raise exception 'Direct deletion from storage tables is not allowed. Use the Storage API instead.'
      using hint = 'This prevents accidental data loss from orphaned objects.', errcode = '42501';
  end if;
  return null;
end
$$;

create trigger enforce_bucket_name_length_trigger before insert or update of name on buckets
  for each row execute function enforce_bucket_name_length();
create trigger update_objects_updated_at before update on objects
  for each row execute function update_updated_at_column();
create trigger protect_buckets_delete before delete on buckets for each statement execute function protect_delete();
create trigger protect_objects_delete before delete on objects for each statement execute function protect_delete();

reset search_path;
reset role;
