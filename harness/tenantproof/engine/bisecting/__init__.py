"""`bisect`: which migration opened each leak."""
