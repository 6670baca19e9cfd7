"""Real pools of one server connection before a database: PgBouncer, psycopg_pool, SQLAlchemy's QueuePool."""
