-- One row per publication; tables of whole schemas and of FOR ALL TABLES are listed one by one.
SELECT p.pubname::text AS name,
       p.puballtables AS all_tables,
       coalesce(listed.schemas, '{}') AS schemas,
       coalesce(listed.tables, '{}') AS tables
FROM pg_publication p
LEFT JOIN (
       SELECT t.pubname,
              array_agg(t.schemaname::text ORDER BY t.schemaname, t.tablename) AS schemas,
              array_agg(t.tablename::text ORDER BY t.schemaname, t.tablename) AS tables
       FROM pg_publication_tables t GROUP BY t.pubname
     ) listed ON listed.pubname = p.pubname
ORDER BY p.pubname
