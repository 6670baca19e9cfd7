"""A small application of somebody else: SQLAlchemy models, row level security by hand."""
