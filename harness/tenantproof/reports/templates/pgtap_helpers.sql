-- What the tests below use.  All of it is temporary and gone with the rollback.

-- The session becomes a person.  A superuser logs in as the API does; anybody else can only take the role.
create function pg_temp.tenantproof_become(persona text) returns void language plpgsql as $tenantproof$
declare
  actor record;
  setting record;
begin
  select * into strict actor from tenantproof_people where name = persona;
  if actor.login is not null and (select rolsuper from pg_catalog.pg_roles where rolname = session_user) then
    perform pg_catalog.set_config('session_authorization', actor.login, true);
  end if;
  perform pg_catalog.set_config('role', actor.role, true);
  for setting in select * from pg_catalog.jsonb_to_recordset(actor.settings) as s (name text, value text) loop
    perform pg_catalog.set_config(setting.name, setting.value, true);
  end loop;
  if actor.pre_request is not null then
    execute actor.pre_request;
  end if;
end $tenantproof$;

-- What a person's query shows, as text; nothing where it is refused.  The person is gone with the block's savepoint.
create function pg_temp.tenantproof_sees(persona text, query text) returns text language plpgsql as $tenantproof$
declare
  seen text;
begin
  begin
    perform pg_temp.tenantproof_become(persona);
    execute pg_catalog.format('select pg_catalog.string_agg(seen::text, %L) from (%s) as seen', ' ', query) into seen;
    raise exception using errcode = 'TP001', message = coalesce(seen, '');
  exception when others then
    seen := case sqlstate when 'TP001' then sqlerrm when '42501' then '' else sqlstate || ': ' || sqlerrm end;
  end;
  return seen;
end $tenantproof$;

-- What a person's statement does to rows, as the observer sees it; undone before this returns.
create function pg_temp.tenantproof_does(
  persona text, stage text, object text, act text, look text, planted boolean
) returns text language plpgsql as $tenantproof$
declare
  watch text := (select w.query from tenantproof_watches as w where w.object = tenantproof_does.object);
  seen text;
  refusal text := '';
begin
  begin
    if stage <> '' then
      execute stage;
    end if;
    execute 'create temporary table tenantproof_before on commit drop as ' || watch;
    begin
      perform pg_temp.tenantproof_become(persona);
      execute act;
    exception when others then
      -- PostgreSQL asks the policies before any constraint: what a constraint refuses, they have let pass.
      if planted and sqlstate like '23%' then
        refusal := 'only a constraint refused it: ' || sqlerrm;
      end if;
    end;
    set local session authorization default;
    execute 'create temporary table tenantproof_after on commit drop as ' || watch;
    execute pg_catalog.format('select pg_catalog.string_agg(seen::text, %L) from (%s) as seen', ' ', look) into seen;
    raise exception using errcode = 'TP001', message = coalesce(seen, refusal);
  exception when others then
    seen := case sqlstate when 'TP001' then sqlerrm else sqlstate || ': ' || sqlerrm end;
  end;
  return seen;
end $tenantproof$;
