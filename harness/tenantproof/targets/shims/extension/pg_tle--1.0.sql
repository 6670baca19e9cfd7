-- Trusted Language Extensions: registration is accepted and forgotten.
create function @extschema@.install_extension(
  name text, version text, description text, ext text, requires text[] default null
) returns boolean language sql as $$ select true $$;
create function @extschema@.uninstall_extension_if_exists(extname text) returns boolean language sql as $$ select true $$;
create function @extschema@.set_default_version(name text, version text) returns boolean language sql as $$ select true $$;
