"""What belongs to platforms and tools, and is therefore no drift of the project's."""

from __future__ import annotations

import re

PLATFORM_SCHEMAS = frozenset(
    {
        "_analytics",
        "_realtime",
        "auth",
        "cron",
        "dbdev",
        "extensions",
        "graphql",
        "graphql_public",
        "net",
        "pgbouncer",
        "pgmq",
        "pgsodium",
        "pgsodium_masks",
        "pgtle",
        "realtime",
        "repack",
        "storage",
        "supabase_functions",
        "supabase_migrations",
        "tiger",
        "tiger_data",
        "topology",
        "vault",
    }
)
"""Schemas that Supabase or an extension fills; a project adds policies and triggers there, nothing else."""

_PLATFORM_ROLES = re.compile(
    r"pg_\w+|supabase_\w+|dashboard_user|pgbouncer|pgsodium_\w+|pgtle_admin|tenantproof_admin"
    r"|rds\w*|azure\w*|cloudsql\w*|alloydb\w*|neon_superuser|cli_login_\w+"
)

BOOKKEEPING = frozenset(
    {
        "_prisma_migrations",
        "schema_migrations",
        "schema_migrations_lock",
        "flyway_schema_history",
        "goose_db_version",
        "__drizzle_migrations",
        "alembic_version",
        "ar_internal_metadata",
        "atlas_schema_revisions",
        "databasechangelog",
        "databasechangeloglock",
        "django_migrations",
        "gorp_migrations",
        "knex_migrations",
        "knex_migrations_lock",
        "migrations",
        "pgmigrations",
        "sqitch_changes",
        "typeorm_metadata",
    }
)
"""Tables in which migration tools note what they have applied."""

MIGRATOR = "postgres"
"""Who applies migrations on our server."""


def is_platform_role(name: str) -> bool:
    """Whether a role is the server's, the host's or the platform's own."""
    return _PLATFORM_ROLES.fullmatch(name) is not None
