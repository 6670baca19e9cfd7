"""The check of a database that is not ours and is not written to: what users see of the rows that are there."""
