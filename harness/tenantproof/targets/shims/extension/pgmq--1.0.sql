-- pgmq: a queue is the table q_NAME, its archive the table a_NAME, as in the original.
create type @extschema@.message_record as (
  msg_id bigint, read_ct integer, enqueued_at timestamptz, vt timestamptz, message jsonb, headers jsonb
);
create type @extschema@.queue_record as (
  queue_name varchar, is_partitioned boolean, is_unlogged boolean, created_at timestamptz
);
create table @extschema@.meta (
  queue_name varchar unique not null,
  is_partitioned boolean not null,
  is_unlogged boolean not null,
  created_at timestamptz not null default now()
);
create function @extschema@.create(queue_name text) returns void language plpgsql as $$
begin
  execute format('create table if not exists @extschema@.%I (
    msg_id bigint primary key generated always as identity, read_ct integer not null default 0,
    enqueued_at timestamptz not null default now(), vt timestamptz not null, message jsonb, headers jsonb
  )', 'q_' || lower(queue_name));
  execute format('create table if not exists @extschema@.%I (
    msg_id bigint primary key, read_ct integer not null default 0, enqueued_at timestamptz not null default now(),
    archived_at timestamptz not null default now(), vt timestamptz not null, message jsonb, headers jsonb
  )', 'a_' || lower(queue_name));
  insert into @extschema@.meta values (queue_name, false, false) on conflict do nothing;
end
$$;
create function @extschema@.create_non_partitioned(queue_name text) returns void language sql
  as $$ select @extschema@.create(queue_name) $$;
create function @extschema@.create_unlogged(queue_name text) returns void language sql
  as $$ select @extschema@.create(queue_name) $$;
create function @extschema@.drop_queue(queue_name text) returns boolean language plpgsql as $$
begin
  execute format('drop table if exists @extschema@.%I, @extschema@.%I', 'q_' || lower(queue_name),
    'a_' || lower(queue_name));
  delete from @extschema@.meta where meta.queue_name = drop_queue.queue_name;
  return found;
end
$$;
create function @extschema@.list_queues() returns setof @extschema@.queue_record language sql
  as $$ select queue_name, is_partitioned, is_unlogged, created_at from @extschema@.meta $$;
create function @extschema@.send(queue_name text, msg jsonb, delay integer default 0) returns setof bigint
language plpgsql as $$
begin
  return query execute format(
    'insert into @extschema@.%I (vt, message) values (clock_timestamp() + %L, $1) returning msg_id',
    'q_' || lower(queue_name), make_interval(secs => delay)
  ) using msg;
end
$$;
create function @extschema@.send_batch(queue_name text, msgs jsonb[], delay integer default 0) returns setof bigint
  language sql as $$ select @extschema@.send(queue_name, msg, delay) from unnest(msgs) as msg $$;
create function @extschema@.read(queue_name text, vt integer, qty integer, conditional jsonb default '{}')
returns setof @extschema@.message_record language plpgsql as $$
begin
  return query execute format(
    'update @extschema@.%1$I q set vt = clock_timestamp() + %2$L, read_ct = read_ct + 1
     where msg_id in (select msg_id from @extschema@.%1$I where vt <= clock_timestamp() and message @> $2
                      order by msg_id limit $1 for update skip locked)
     returning msg_id, read_ct, enqueued_at, q.vt, message, headers',
    'q_' || lower(queue_name), make_interval(secs => vt)
  ) using qty, conditional;
end
$$;
create function @extschema@.pop(queue_name text) returns setof @extschema@.message_record language plpgsql as $$
begin
  return query execute format(
    'delete from @extschema@.%1$I where msg_id = (select msg_id from @extschema@.%1$I where vt <= now()
       order by msg_id limit 1 for update skip locked)
     returning msg_id, read_ct, enqueued_at, vt, message, headers', 'q_' || lower(queue_name)
  );
end
$$;
create function @extschema@.delete(queue_name text, msg_id bigint) returns boolean language plpgsql as $$
declare
  deleted bigint;
begin
  execute format('delete from @extschema@.%I where msg_id = $1 returning msg_id', 'q_' || lower(queue_name))
    into deleted using msg_id;
  return deleted is not null;
end
$$;
create function @extschema@.archive(queue_name text, msg_id bigint) returns boolean language plpgsql as $$
declare
  archived bigint;
begin
  execute format(
    'with gone as (delete from @extschema@.%I where msg_id = $1 returning *)
     insert into @extschema@.%I (msg_id, read_ct, enqueued_at, vt, message, headers)
     select msg_id, read_ct, enqueued_at, vt, message, headers from gone returning msg_id',
    'q_' || lower(queue_name), 'a_' || lower(queue_name)
  ) into archived using msg_id;
  return archived is not null;
end
$$;
create function @extschema@.purge_queue(queue_name text) returns bigint language plpgsql as $$
declare
  purged bigint;
begin
  execute format('with gone as (delete from @extschema@.%I returning 1) select count(*) from gone',
    'q_' || lower(queue_name)) into purged;
  return purged;
end
$$;
