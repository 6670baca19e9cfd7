"""A Prisma schema against the migrated database."""
