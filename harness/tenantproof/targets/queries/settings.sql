-- Settings by which databases say which environment they are: kept with the database or the role, or made up by it.
SELECT split_part(setting, '=', 1) AS name, substr(setting, strpos(setting, '=') + 1) AS value
FROM pg_db_role_setting s
CROSS JOIN unnest(s.setconfig) AS setting
LEFT JOIN pg_database d ON d.oid = s.setdatabase
WHERE coalesce(d.datname, current_database()) = current_database()
  AND (s.setrole = 0 OR pg_get_userbyid(s.setrole) = session_user)
  AND split_part(setting, '=', 1) ~* '(^|[._])(env|environment|stage)$'
UNION
SELECT name, current_setting(name, true)
FROM unnest(ARRAY['app.environment', 'app.env', 'app.settings.environment', 'app.settings.env']) AS name
WHERE current_setting(name, true) <> ''
ORDER BY 1
