-- Vault: secrets are kept as they are; who may read them is the platform's.
create table @extschema@.secrets (
  id uuid primary key default gen_random_uuid(),
  name text,
  description text not null default '',
  secret text not null,
  key_id uuid,
  nonce bytea,
  created_at timestamptz not null default current_timestamp,
  updated_at timestamptz not null default current_timestamp
);
create unique index secrets_name_idx on @extschema@.secrets (name) where name is not null;
create view @extschema@.decrypted_secrets as
  select id, name, description, secret, secret as decrypted_secret, key_id, nonce, created_at, updated_at
  from @extschema@.secrets;
create function @extschema@.create_secret(
  new_secret text, new_name text default null, new_description text default '', new_key_id uuid default null
) returns uuid language sql security definer set search_path = '' as $$
  insert into @extschema@.secrets (secret, name, description)
  values (new_secret, new_name, coalesce(new_description, '')) returning id
$$;
create function @extschema@.update_secret(
  secret_id uuid, new_secret text default null, new_name text default null, new_description text default null,
  new_key_id uuid default null
) returns void language sql security definer set search_path = '' as $$
  update @extschema@.secrets set
    secret = coalesce(new_secret, secret), name = coalesce(new_name, name),
    description = coalesce(new_description, description), updated_at = now()
  where id = secret_id
$$;
revoke all on function @extschema@.create_secret, @extschema@.update_secret from public;
do $$
begin
  if to_regrole('service_role') is not null then
    grant usage on schema @extschema@ to postgres with grant option;
    grant usage on schema @extschema@ to service_role;
    grant select, delete, truncate, references on @extschema@.secrets, @extschema@.decrypted_secrets
      to postgres with grant option;
    grant select, delete on @extschema@.secrets, @extschema@.decrypted_secrets to service_role;
    grant execute on function @extschema@.create_secret, @extschema@.update_secret to postgres with grant option;
    grant execute on function @extschema@.create_secret, @extschema@.update_secret to service_role;
  end if;
end
$$;
