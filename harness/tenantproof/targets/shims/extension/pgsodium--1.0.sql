-- pgsodium: the table of keys that old migrations name.
create table @extschema@.key (
  id uuid primary key default gen_random_uuid(),
  status text default 'valid',
  created timestamptz not null default current_timestamp,
  expires timestamptz,
  key_type text,
  key_id bigserial,
  key_context bytea default '\x7067736f6469756d',
  name text unique,
  associated_data text default 'associated',
  comment text
);
create function @extschema@.create_key(
  key_type text default 'aead-det', name text default null, associated_data text default ''
) returns @extschema@.key language sql as $$
  insert into @extschema@.key (key_type, name, associated_data) values (key_type, name, associated_data) returning *
$$;
create function @extschema@.randombytes_buf(size integer) returns bytea language sql volatile as $$
  select substr(string_agg(sha256(uuid_send(gen_random_uuid())), ''::bytea), 1, size)
  from generate_series(0, size / 32)
$$;
