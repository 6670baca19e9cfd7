"""PostgREST: finding the program, serving a database with it, and asking it (or one that runs elsewhere) by HTTP."""
