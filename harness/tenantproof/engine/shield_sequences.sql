-- A rollback does not undo nextval and setval, but it does undo ALTER SEQUENCE: RESTART gives the sequence a new file,
-- which goes away with the transaction (PostgreSQL, "ALTER SEQUENCE", Notes).  What could not be shielded is named.
DO $shield$
DECLARE
  found record;
  open text[] := '{}';
BEGIN
  FOR found IN
    SELECT format('%I.%I', schemaname, sequencename) AS name,
           coalesce(last_value + increment_by, start_value) AS next
    FROM pg_catalog.pg_sequences
    WHERE schemaname <> 'information_schema' AND schemaname NOT LIKE 'pg\_%'
    ORDER BY 1
  LOOP
    BEGIN
      EXECUTE format('ALTER SEQUENCE %s RESTART WITH %s', found.name, found.next);
    EXCEPTION WHEN OTHERS THEN
      open := open || found.name;
    END;
  END LOOP;
  PERFORM pg_catalog.set_config('tenantproof.open_sequences', array_to_string(open, ', '), true);
END
$shield$
