create or replace rule also as on update to app.notes do also update app.stats set n = n + 1;
