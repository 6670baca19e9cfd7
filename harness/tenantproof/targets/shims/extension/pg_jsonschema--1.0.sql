-- pg_jsonschema: checks the keywords that tables use in practice (type, required, properties, items, enum); others pass.
create function jsonb_matches_schema(schema json, instance jsonb) returns boolean language plpgsql immutable strict as $$
declare
  rules constant jsonb := schema::jsonb;
  kind constant text := jsonb_typeof(instance);
  name text;
begin
  if jsonb_typeof(rules -> 'type') = 'string' and rules ->> 'type' <> kind
     and not (rules ->> 'type' = 'integer' and kind = 'number' and instance::numeric % 1 = 0) then
    return false;
  end if;
  if rules ? 'enum' and not rules -> 'enum' @> jsonb_build_array(instance) then
    return false;
  end if;
  if kind = 'object' then
    if exists (select from jsonb_array_elements_text(coalesce(rules -> 'required', '[]')) as key where not instance ? key) then
      return false;
    end if;
    for name in select jsonb_object_keys(coalesce(rules -> 'properties', '{}')) loop
      if instance ? name and not @extschema@.jsonb_matches_schema((rules -> 'properties' -> name)::json, instance -> name) then
        return false;
      end if;
    end loop;
  elsif kind = 'array' and jsonb_typeof(rules -> 'items') = 'object' then
    return not exists (
      select from jsonb_array_elements(instance) as item
      where not @extschema@.jsonb_matches_schema((rules -> 'items')::json, item)
    );
  end if;
  return true;
end
$$;
create function json_matches_schema(schema json, instance json) returns boolean language sql immutable strict
  as $$ select @extschema@.jsonb_matches_schema(schema, instance::jsonb) $$;
create function jsonschema_is_valid(schema json) returns boolean language sql immutable strict as $$ select true $$;
