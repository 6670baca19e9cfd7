"""Two databases, or a Prisma schema and a database, compared by what they mean, not by how they are written."""
