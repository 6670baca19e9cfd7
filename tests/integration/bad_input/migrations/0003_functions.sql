-- Functions that hang, recurse, raise, flood, or reach outside.  All may be called by everybody.
create function public.hangs() returns int language plpgsql as $$
begin loop end loop; end $$;
create function public.hangs_on_others(p_team_id uuid) returns int language plpgsql as $$
begin
  if p_team_id not in (select public.my_teams()) then loop end loop; end if;
  return 1;
end $$;
create function public.recurses(n int) returns int language plpgsql as $$
begin return public.recurses(n + 1); end $$;
create function public.raises(p_message text default null) returns void language plpgsql as $$
begin raise exception using message = coalesce(p_message, 'raised'), errcode = 'P0001'; end $$;
create function public.raises_oddly() returns void language plpgsql as $$
begin raise exception 'odd' using errcode = '0A000', detail = E'two\nlines', column = 'c', constraint = 'k'; end $$;
create function public.warns() returns void language plpgsql as $$
begin raise warning 'careful'; raise notice '%', clock_timestamp(); end $$;
create function public.floods() returns setof int language sql as $$ select generate_series(1, 100000) $$;
create function public.floods_in_one() returns text language sql as $$ select repeat('x', 100000) $$;
create function public.draws_lots() returns double precision language sql volatile as $$ select random() $$;
create procedure public.commits() language plpgsql as $$ begin delete from public.drafts; commit; end $$;

create function public.calls_dblink() returns void language plpgsql as $$
begin perform dblink_exec('dbname=postgres', 'create table public.outside ()'); end $$;
create function public.calls_dblink_by_text() returns void language plpgsql as $$
begin execute 'select dblink_exec(''dbname=postgres'', ''create table public.outside ()'')'; end $$;
create function public.calls_another() returns void language plpgsql as $$
begin perform public.calls_dblink(); end $$;
create function public."Calls In ""Quotes"""() returns void language plpgsql as $$ begin perform pg_sleep(9); end $$;
create function public.calls_in_quotes() returns void language plpgsql as $$
begin perform public."Calls In ""Quotes"""(); end $$;
create function public.sleeps() returns void language sql as $$ select pg_sleep(9) $$;
create function public.sets_a_sequence() returns bigint language sql as $$
  select setval('public.computed_id_seq', 1000000) $$;
create function public.takes_a_number() returns bigint language sql as $$ select nextval('public.computed_id_seq') $$;
create function public.notifies() returns void language plpgsql as $$ begin perform pg_notify('c', 'x'); end $$;
create function public.notifies_by_text() returns void language plpgsql as $$ begin execute 'notify c, ''x'''; end $$;
create function public.makes_a_large_object() returns oid language sql as $$ select lo_create(0) $$;
create function public.sends() returns void language plpgsql as $$
begin perform net.http_post(url := 'http://127.0.0.1:1', body := '{}'); end $$;
create function public.locks() returns void language sql as $$ select pg_advisory_lock(1) $$;
create function public.changes_the_session() returns void language plpgsql as $$
begin
  set statement_timeout = 0;
  perform set_config('role', 'anon', false);
  perform set_config('request.jwt.claims', '{}', false);
end $$;
create function public.forgets() returns void language plpgsql as $$ begin execute 'deallocate all'; end $$;
create function public.forgets_in_riddles() returns void language plpgsql as $$
begin execute 'deal' || 'locate all'; end $$;
create function public.makes_a_table() returns void language plpgsql as $$
begin create temporary table if not exists scratch (x int) on commit drop; insert into scratch values (1); end $$;
create function public.opens_a_cursor() returns refcursor language plpgsql as $$
declare c refcursor; begin open c for select 1; return c; end $$;
-- Arguments of every mode.
create function public.takes_many(variadic p_numbers int[]) returns int language sql as $$ select cardinality(p_numbers) $$;
create function public.takes_one_and_many(p_team_id uuid, variadic p_words text[] default '{}') returns int
language sql as $$ select cardinality(p_words) $$;
create function public.takes_anything_and_many(text, variadic "any") returns text language internal as 'text_format';
create function public.gives(p_in int, out p_out int, inout p_both text) language sql as $$ select p_in, p_both $$;
create function public.gives_a_table(p_in int default 1) returns table (a int, "b c" text) language sql as $$ select 1, 'x' $$;
create function public.unnamed(int, text) returns text language sql as $$ select $2 $$;
create function public.unnamed_first(int, p_text text) returns text language sql as $$ select $2 $$;
create function public.unnamed_last(p_number int, text) returns text language sql as $$ select $2 $$;
create function public.unnamed_default(int default 1, text default 'x') returns text language sql as $$ select $2 $$;
create function public.defaulted(a int, b int default 2, "C d" text default 'x') returns int language sql as $$ select a + b $$;
create function public.overloaded(a int) returns int language sql as $$ select 1 $$;
create function public.overloaded(a text) returns int language sql as $$ select 2 $$;
create function public.overloaded(a int, b int default 1) returns int language sql as $$ select 3 $$;
create function public."Odd ""Name"" {}"("an Arg" int, "größe" text) returns int language sql as $$ select 1 $$;
create function public.anything(anyelement, anyarray) returns anyelement language sql as $$ select $1 $$;
create function public.anything_named(p_any anyelement) returns text language sql as $$ select p_any::text $$;
create function public.a_record() returns record language sql as $$ select 1, 'x' $$;
create function public.records() returns setof record language sql as $$ select 1, 'x' $$;
create function public.takes_a_record(record) returns text language plpgsql as $$ begin return $1::text; end $$;
create function public.takes_a_row(p_row public.drafts) returns text language sql stable as $$ select (p_row).slug $$;
create function public.takes_rows(p_rows public.drafts[]) returns int language sql as $$ select cardinality(p_rows) $$;
create function public.takes_a_pair(p_pair public."Pair of") returns text language sql as $$ select p_pair::text $$;
create function public.takes_moods(p_moods public.mood[], p_mood public.mood default 'sad') returns text
language sql as $$ select p_moods::text $$;
create function public.takes_domains(p_text public.short_text, p_share public.percent) returns text
language sql as $$ select p_text $$;
create function public.takes_a_route(p_path path, p_box box default null) returns text language sql as $$ select p_path::text $$;
create function public.takes_oddities(p_range int4range, p_xml xml, p_bits bit(8), p_money money, p_mac macaddr,
                                      p_point point, p_search tsquery, p_class regclass, p_char "char", p_code char(3))
returns text language sql as $$ select p_range::text $$;
create function public.returns_a_row() returns public.drafts language sql as $$ select null::public.drafts $$;
create function public.returns_nothing() returns void language sql as $$ $$;
