-- One row: who we are there, and what the server says of itself.
SELECT session_user::text AS login,
       r.rolsuper AS superuser,
       r.rolbypassrls AS bypass_rls,
       r.rolreplication AND NOT (r.rolsuper OR r.rolbypassrls OR r.rolcreaterole) AS only_replicates,
       pg_is_in_recovery() AS in_recovery,
       current_setting('default_transaction_read_only') = 'on' AS read_only,
       current_database()::text AS database,
       coalesce(shobj_description(d.oid, 'pg_database'), '') AS comment,
       current_setting('server_version') AS version,
       current_setting('wal_level') AS wal_level,
       (SELECT count(*)
        FROM pg_stat_activity a
        WHERE a.datid = d.oid AND a.pid <> pg_backend_pid()
          AND coalesce(a.backend_type, 'client backend') = 'client backend')::int AS neighbours
FROM pg_roles r, pg_database d
WHERE r.rolname = session_user AND d.datname = current_database()
