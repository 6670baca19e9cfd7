-- What a migration may try as a signed-in user.
grant select on public.profiles to authenticated;
set local role authenticated;
select set_config('request.jwt.claims', '{"sub":"11111111-1111-4111-8111-111111111111","role":"authenticated"}', true);
select public.who(), auth.uid(), auth.jwt() -> 'sub', (select count(*) from public.profiles);
reset role;
