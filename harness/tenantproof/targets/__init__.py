"""Where the database lives."""
