create or replace rule v_del as on delete to app.v do instead update app.stats set n = n + 1;
