-- Sessions of a run that have not ended yet, and what they do.
SELECT count(*) FROM pg_stat_activity WHERE application_name = %(name)s AND pid <> pg_backend_pid()
