-- pg_graphql's entry point; it answers with an error object, as GraphQL servers do.
create function @extschema@.resolve(
  query text, variables jsonb default '{}', "operationName" text default null, extensions jsonb default null
) returns jsonb language sql stable as $$
  select jsonb_build_object('errors', jsonb_build_array(
    jsonb_build_object('message', 'pg_graphql is not available on the embedded server')))
$$;
