-- pgtap: migrations install it for tests that run elsewhere; calling it is refused.
create function _pgtap_unsupported() returns text language plpgsql as $$
begin
  raise exception 'pgtap is not available on the embedded server' using errcode = '0A000',
    hint = 'run the tests with `supabase test db` or pg_prove';
end
$$;
create function plan(integer) returns text language sql as $$ select @extschema@._pgtap_unsupported() $$;
create function no_plan() returns setof text language sql as $$ select @extschema@._pgtap_unsupported() $$;
create function finish(exception_on_failure boolean default null) returns setof text language sql
  as $$ select @extschema@._pgtap_unsupported() $$;
create function ok(boolean, text default null) returns text language sql
  as $$ select @extschema@._pgtap_unsupported() $$;
create function "is"(anyelement, anyelement, text default null) returns text language sql
  as $$ select @extschema@._pgtap_unsupported() $$;
create function isnt(anyelement, anyelement, text default null) returns text language sql
  as $$ select @extschema@._pgtap_unsupported() $$;
create function pass(text default null) returns text language sql as $$ select @extschema@._pgtap_unsupported() $$;
create function fail(text default null) returns text language sql as $$ select @extschema@._pgtap_unsupported() $$;
create function lives_ok(text, text default null) returns text language sql
  as $$ select @extschema@._pgtap_unsupported() $$;
create function throws_ok(text, text default null, text default null, text default null) returns text language sql
  as $$ select @extschema@._pgtap_unsupported() $$;
create function results_eq(text, text, text default null) returns text language sql
  as $$ select @extschema@._pgtap_unsupported() $$;
create function is_empty(text, text default null) returns text language sql
  as $$ select @extschema@._pgtap_unsupported() $$;
