create rule alsod as on delete to app.notes do also delete from app.stats;
