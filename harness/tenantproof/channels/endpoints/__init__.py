"""What an application's endpoints can do wrong although the database is right."""
