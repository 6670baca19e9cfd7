create rule w as on update to app.notes where new.gone do instead update app.stats set n = n + 1;
