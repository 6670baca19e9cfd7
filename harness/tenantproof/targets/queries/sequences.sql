-- Where each sequence stands, as far as our login may know; NULL: never used, or not to be known.
SELECT schemaname || '.' || sequencename AS name, last_value AS value
FROM pg_sequences
WHERE schemaname !~ '^pg_' AND schemaname <> 'information_schema'
ORDER BY 1
