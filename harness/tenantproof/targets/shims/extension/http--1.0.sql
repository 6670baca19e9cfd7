-- http's types and functions; calling one is refused, for nothing here speaks to the network.
create type http_header as (field varchar, value varchar);
create type http_request as (method varchar, uri varchar, headers http_header[], content_type varchar, content varchar);
create type http_response as (status integer, content_type varchar, headers http_header[], content varchar);
create function http_header(field varchar, value varchar) returns http_header language sql
  as $$ select row(field, value)::@extschema@.http_header $$;
create function http(request http_request) returns http_response language plpgsql as $$
begin
  raise exception 'http is not available on the embedded server' using errcode = '0A000';
end
$$;
create function http_get(uri varchar) returns http_response language sql
  as $$ select @extschema@.http(row('GET', uri, null, null, null)::@extschema@.http_request) $$;
create function http_get(uri varchar, data jsonb) returns http_response language sql
  as $$ select @extschema@.http(row('GET', uri, null, null, null)::@extschema@.http_request) $$;
create function http_post(uri varchar, content varchar, content_type varchar) returns http_response language sql
  as $$ select @extschema@.http(row('POST', uri, null, content_type, content)::@extschema@.http_request) $$;
create function http_post(uri varchar, data jsonb) returns http_response language sql
  as $$ select @extschema@.http(row('POST', uri, null, null, data::text)::@extschema@.http_request) $$;
create function http_put(uri varchar, content varchar, content_type varchar) returns http_response language sql
  as $$ select @extschema@.http(row('PUT', uri, null, content_type, content)::@extschema@.http_request) $$;
create function http_patch(uri varchar, content varchar, content_type varchar) returns http_response language sql
  as $$ select @extschema@.http(row('PATCH', uri, null, content_type, content)::@extschema@.http_request) $$;
create function http_delete(uri varchar) returns http_response language sql
  as $$ select @extschema@.http(row('DELETE', uri, null, null, null)::@extschema@.http_request) $$;
create function http_head(uri varchar) returns http_response language sql
  as $$ select @extschema@.http(row('HEAD', uri, null, null, null)::@extschema@.http_request) $$;
create function http_set_curlopt(curlopt varchar, value varchar) returns boolean language sql as $$ select true $$;
create function http_reset_curlopt() returns boolean language sql as $$ select true $$;
create function urlencode(string varchar) returns text language sql immutable strict as $$
  select string_agg(case
    when letter ~ '[A-Za-z0-9_.~-]' then letter
    else regexp_replace(upper(encode(convert_to(letter, 'UTF8'), 'hex')), '(..)', '%\1', 'g')
  end, '' order by place)
  from regexp_split_to_table(string, '') with ordinality as parts (letter, place)
$$;
