-- pgcrypto's surface.  Hashes are the real ones; what cannot be written in SQL in reasonable time (bcrypt, AES, PGP) is
-- replaced by something that round-trips and refuses a wrong key.  It protects nothing: never use it outside tests.
create function gen_random_uuid() returns uuid language sql volatile parallel safe
  as $$ select pg_catalog.gen_random_uuid() $$;

create function gen_random_bytes(count integer) returns bytea language plpgsql volatile strict parallel safe as $$
declare
  bytes bytea := '';
begin
  if count < 1 or count > 1024 then
    raise exception 'Length not in range' using errcode = '39000';
  end if;
  while length(bytes) < count loop
    bytes := bytes || sha256(uuid_send(pg_catalog.gen_random_uuid()) || uuid_send(pg_catalog.gen_random_uuid()));
  end loop;
  return substr(bytes, 1, count);
end
$$;

-- SHA-1 (RFC 3174): PostgreSQL's core has none.
create function _pgcrypto_sha1(message bytea) returns bytea language plpgsql immutable strict parallel safe as $$
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

create function digest(data bytea, type text) returns bytea language plpgsql immutable strict parallel safe as $$
begin
  return case lower(type)
    when 'md5' then decode(md5(data), 'hex')
    when 'sha1' then @extschema@._pgcrypto_sha1(data)
    when 'sha224' then sha224(data)
    when 'sha256' then sha256(data)
    when 'sha384' then sha384(data)
    when 'sha512' then sha512(data)
  end;
end
$$;
create function digest(data text, type text) returns bytea language sql immutable strict parallel safe
  as $$ select @extschema@.digest(convert_to(data, 'UTF8'), type) $$;

create function hmac(data bytea, key bytea, type text) returns bytea language plpgsql immutable strict parallel safe as $$
declare
  block constant integer := case when lower(type) in ('sha384', 'sha512') then 128 else 64 end;
  inner_key bytea := '';
  outer_key bytea;
begin
  if length(key) > block then
    key := @extschema@.digest(key, type);
  end if;
  inner_key := key || decode(repeat('00', block - length(key)), 'hex');
  outer_key := inner_key;
  for i in 0 .. block - 1 loop
    outer_key := set_byte(outer_key, i, get_byte(inner_key, i) # 92);
    inner_key := set_byte(inner_key, i, get_byte(inner_key, i) # 54);
  end loop;
  return @extschema@.digest(outer_key || @extschema@.digest(inner_key || data, type), type);
end
$$;
create function hmac(data text, key text, type text) returns bytea language sql immutable strict parallel safe
  as $$ select @extschema@.hmac(convert_to(data, 'UTF8'), convert_to(key, 'UTF8'), type) $$;

create function gen_salt(type text, rounds integer) returns text language plpgsql volatile strict parallel safe as $$
declare
  letters constant text := translate(encode(sha256(uuid_send(pg_catalog.gen_random_uuid())), 'base64'), '+=', './');
begin
  return case lower(type)
    when 'bf' then '$2a$' || lpad((case rounds when 0 then 6 else rounds end)::text, 2, '0') || '$' || left(letters, 22)
    when 'md5' then '$1$' || left(letters, 8) || '$'
    when 'xdes' then '_J9..' || left(letters, 4)
    when 'des' then left(letters, 2)
    else left(letters, 22)
  end;
end
$$;
create function gen_salt(type text) returns text language sql volatile strict parallel safe
  as $$ select @extschema@.gen_salt(type, 0) $$;

-- Shaped as bcrypt's answer, and crypt(password, crypt(password, salt)) = crypt(password, salt).
create function crypt(password text, salt text) returns text language sql immutable strict parallel safe as $$
  with prefix as (
    select case
      when salt like '$2%' then left(salt, 29)
      when salt like '$1$%' then substring(salt from '^\$1\$[^$]*\$')
      when salt like '\_%' then left(salt, 9)
      else left(salt, 2)
    end as kept
  )
  select kept || left(translate(encode(sha256(convert_to(kept || password, 'UTF8')), 'base64'), '+=', './'), 31)
  from prefix
$$;

-- A stream of hashes laid over the data: reversible, and the same both ways.
create function _pgcrypto_stream(data bytea, key bytea) returns bytea language plpgsql immutable strict parallel safe as $$
declare
  mask bytea;
begin
  for i in 0 .. length(data) - 1 loop
    if i % 32 = 0 then
      mask := sha256(key || int4send(i));
    end if;
    data := set_byte(data, i, get_byte(data, i) # get_byte(mask, i % 32));
  end loop;
  return data;
end
$$;
create function encrypt(data bytea, key bytea, type text) returns bytea language sql immutable strict parallel safe
  as $$ select @extschema@._pgcrypto_stream(data, key) $$;
create function decrypt(data bytea, key bytea, type text) returns bytea language sql immutable strict parallel safe
  as $$ select @extschema@._pgcrypto_stream(data, key) $$;
create function encrypt_iv(data bytea, key bytea, iv bytea, type text) returns bytea
  language sql immutable strict parallel safe as $$ select @extschema@._pgcrypto_stream(data, key || iv) $$;
create function decrypt_iv(data bytea, key bytea, iv bytea, type text) returns bytea
  language sql immutable strict parallel safe as $$ select @extschema@._pgcrypto_stream(data, key || iv) $$;

create function pgp_sym_encrypt_bytea(data bytea, psw text, options text default '') returns bytea
language sql volatile strict parallel safe as $$
  select substr(sha256(convert_to(psw, 'UTF8')), 1, 8) || @extschema@._pgcrypto_stream(data, convert_to(psw, 'UTF8'))
$$;
create function pgp_sym_decrypt_bytea(data bytea, psw text, options text default '') returns bytea
language plpgsql immutable strict parallel safe as $$
begin
  if substr(data, 1, 8) <> substr(sha256(convert_to(psw, 'UTF8')), 1, 8) then
    raise exception 'Wrong key or corrupt data' using errcode = '39000';
  end if;
  return @extschema@._pgcrypto_stream(substr(data, 9), convert_to(psw, 'UTF8'));
end
$$;
create function pgp_sym_encrypt(data text, psw text, options text default '') returns bytea
  language sql volatile strict parallel safe
  as $$ select @extschema@.pgp_sym_encrypt_bytea(convert_to(data, 'UTF8'), psw) $$;
create function pgp_sym_decrypt(data bytea, psw text, options text default '') returns text
  language sql immutable strict parallel safe
  as $$ select convert_from(@extschema@.pgp_sym_decrypt_bytea(data, psw), 'UTF8') $$;

create function _pgcrypto_unsupported(name text) returns bytea language plpgsql immutable parallel safe as $$
begin
  raise exception '% is not available on the embedded server', name using errcode = '0A000';
end
$$;
create function pgp_pub_encrypt(data text, key bytea, options text default '') returns bytea language sql volatile
  as $$ select @extschema@._pgcrypto_unsupported('pgp_pub_encrypt') $$;
create function pgp_pub_decrypt(data bytea, key bytea, psw text default '', options text default '') returns text
  language sql immutable as $$ select convert_from(@extschema@._pgcrypto_unsupported('pgp_pub_decrypt'), 'UTF8') $$;
create function armor(data bytea) returns text language sql immutable strict parallel safe as $$
  select E'-----BEGIN PGP MESSAGE-----\n\n' || encode(data, 'base64') || E'\n-----END PGP MESSAGE-----\n'
$$;
create function dearmor(data text) returns bytea language sql immutable strict parallel safe as $$
  select decode(regexp_replace(data, '-----[^\n]*-----', '', 'g'), 'base64')
$$;
