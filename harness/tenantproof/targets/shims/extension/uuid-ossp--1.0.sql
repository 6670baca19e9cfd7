-- Names and results of uuid-ossp; version 1 carries a random node, as uuid_generate_v1mc does.
create function uuid_nil() returns uuid language sql immutable strict parallel safe
  as $$ select '00000000-0000-0000-0000-000000000000'::uuid $$;
create function uuid_ns_dns() returns uuid language sql immutable strict parallel safe
  as $$ select '6ba7b810-9dad-11d1-80b4-00c04fd430c8'::uuid $$;
create function uuid_ns_url() returns uuid language sql immutable strict parallel safe
  as $$ select '6ba7b811-9dad-11d1-80b4-00c04fd430c8'::uuid $$;
create function uuid_ns_oid() returns uuid language sql immutable strict parallel safe
  as $$ select '6ba7b812-9dad-11d1-80b4-00c04fd430c8'::uuid $$;
create function uuid_ns_x500() returns uuid language sql immutable strict parallel safe
  as $$ select '6ba7b814-9dad-11d1-80b4-00c04fd430c8'::uuid $$;

create function uuid_generate_v4() returns uuid language sql volatile strict parallel safe
  as $$ select pg_catalog.gen_random_uuid() $$;

-- 100 ns since 15 October 1582, low bits first; then a random clock sequence and node.
create function uuid_generate_v1() returns uuid language sql volatile strict parallel safe as $$
  with stamp as (
    select lpad(to_hex((extract(epoch from clock_timestamp()) * 10000000)::bigint + 122192928000000000), 15, '0') as t,
           replace(pg_catalog.gen_random_uuid()::text, '-', '') as r
  )
  select (substr(t, 8, 8) || substr(t, 4, 4) || '1' || substr(t, 1, 3) || substr(r, 17, 16))::uuid from stamp
$$;
create function uuid_generate_v1mc() returns uuid language sql volatile strict parallel safe
  as $$ select @extschema@.uuid_generate_v1() $$;

create function uuid_generate_v3(namespace uuid, name text) returns uuid language sql immutable strict parallel safe as $$
  with digest as (select md5(uuid_send(namespace) || convert_to(name, 'UTF8')) as h)
  select (substr(h, 1, 12) || '3' || substr(h, 14, 3)
    || to_hex(('x' || substr(h, 17, 1))::bit(4)::integer & 3 | 8) || substr(h, 18))::uuid
  from digest
$$;

-- SHA-1 (RFC 3174): PostgreSQL's core has none.
create function _uuid_sha1(message bytea) returns bytea language plpgsql immutable strict parallel safe as $$
declare
  h bigint[] := array[1732584193, 4023233417, 2562383102, 271733878, 3285377520];
  w bigint[];
  bits constant bigint := length(message) * 8::bigint;
  mask constant bigint := 4294967295;
  a bigint; b bigint; c bigint; d bigint; e bigint; f bigint; k bigint; t bigint;
begin
  message := message || '\x80'::bytea || decode(repeat('00', (119 - length(message) % 64) % 64), 'hex') || int8send(bits);
  for block in 0 .. length(message) / 64 - 1 loop
    for i in 0 .. 15 loop
      w[i] := ('x' || encode(substr(message, block * 64 + i * 4 + 1, 4), 'hex'))::bit(32)::bigint & mask;
    end loop;
    for i in 16 .. 79 loop
      t := w[i - 3] # w[i - 8] # w[i - 14] # w[i - 16];
      w[i] := ((t << 1) | (t >> 31)) & mask;
    end loop;
    a := h[1]; b := h[2]; c := h[3]; d := h[4]; e := h[5];
    for i in 0 .. 79 loop
      if i < 20 then
        f := (b & c) | ((~b & mask) & d); k := 1518500249;
      elsif i < 40 then
        f := b # c # d; k := 1859775393;
      elsif i < 60 then
        f := (b & c) | (b & d) | (c & d); k := 2400959708;
      else
        f := b # c # d; k := 3395469782;
      end if;
      t := ((((a << 5) | (a >> 27)) & mask) + f + e + k + w[i]) & mask;
      e := d; d := c; c := ((b << 30) | (b >> 2)) & mask; b := a; a := t;
    end loop;
    h := array[(h[1] + a) & mask, (h[2] + b) & mask, (h[3] + c) & mask, (h[4] + d) & mask, (h[5] + e) & mask];
  end loop;
  return (select decode(string_agg(lpad(to_hex(part), 8, '0'), '' order by place), 'hex')
          from unnest(h) with ordinality as parts (part, place));
end
$$;

create function uuid_generate_v5(namespace uuid, name text) returns uuid language sql immutable strict parallel safe as $$
  with digest as (
    select encode(@extschema@._uuid_sha1(uuid_send(namespace) || convert_to(name, 'UTF8')), 'hex') as h
  )
  select (substr(h, 1, 12) || '5' || substr(h, 14, 3)
    || to_hex(('x' || substr(h, 17, 1))::bit(4)::integer & 3 | 8) || substr(h, 18, 15))::uuid
  from digest
$$;
