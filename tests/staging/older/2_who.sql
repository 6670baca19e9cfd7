-- Who is asking, without nullif.
create or replace function auth.uid() returns uuid language sql stable as $$
  select coalesce(current_setting('request.jwt.claim.sub', true),
                  (current_setting('request.jwt.claims', true)::jsonb ->> 'sub'))::uuid
$$;
create or replace function auth.role() returns text language sql stable as $$
  select coalesce(current_setting('request.jwt.claim.role', true),
                  (current_setting('request.jwt.claims', true)::jsonb ->> 'role'))::text
$$;
