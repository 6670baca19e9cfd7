-- What a database holds beside rows: read before and after a run.
SELECT (SELECT coalesce(array_agg(rolname::text ORDER BY 1), '{}') FROM pg_roles) AS roles,
       (SELECT count(*) FROM pg_largeobject_metadata) AS large_objects,
       (SELECT coalesce(array_agg(gid ORDER BY 1), '{}') FROM pg_prepared_xacts WHERE database = current_database())
         AS prepared,
       (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database
                                                                  WHERE datname = current_database())) AS advisory,
       (SELECT md5(coalesce(string_agg(of, ',' ORDER BY of), ''))
        FROM (SELECT 'r' || oid || '/' || relname || '/' || relrowsecurity || '/' || coalesce(relacl::text, '')
              FROM pg_class WHERE relpersistence <> 't' AND relnamespace <> 'pg_toast'::regnamespace
              UNION ALL SELECT 'p' || oid || '/' || xmin FROM pg_policy
              UNION ALL SELECT 't' || oid || '/' || xmin FROM pg_trigger
              UNION ALL SELECT 'f' || p.oid || '/' || p.xmin FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
                        WHERE n.nspname NOT LIKE 'pg\_temp\_%') AS part (of)) AS schema
