"""Prisma's types and PostgreSQL's: https://www.prisma.io/docs/orm/overview/databases/postgresql#type-mappings."""

from __future__ import annotations

UNSUPPORTED = "Unsupported"

SCALARS = {
    "String": ("text", "varchar", "bpchar", "uuid", "citext", "inet", "cidr", "bit", "varbit", "xml", "name"),
    "Boolean": ("bool",),
    "Int": ("int4", "int2", "oid"),
    "BigInt": ("int8",),
    "Float": ("float8", "float4"),
    "Decimal": ("numeric", "money"),
    "DateTime": ("timestamp", "timestamptz", "date", "time", "timetz"),
    "Json": ("jsonb", "json"),
    "Bytes": ("bytea",),
}
"""Scalar -> the types that hold it; the first is what Prisma makes where no `@db.` says otherwise."""

NATIVE = {
    "Text": "text",
    "VarChar": "varchar",
    "Char": "bpchar",
    "Uuid": "uuid",
    "Citext": "citext",
    "Inet": "inet",
    "Bit": "bit",
    "VarBit": "varbit",
    "Xml": "xml",
    "Boolean": "bool",
    "Integer": "int4",
    "SmallInt": "int2",
    "Oid": "oid",
    "BigInt": "int8",
    "DoublePrecision": "float8",
    "Real": "float4",
    "Decimal": "numeric",
    "Money": "money",
    "Timestamp": "timestamp",
    "Timestamptz": "timestamptz",
    "Date": "date",
    "Time": "time",
    "Timetz": "timetz",
    "Json": "json",
    "JsonB": "jsonb",
    "ByteA": "bytea",
}

ACTIONS = {"Cascade": "c", "Restrict": "r", "NoAction": "a", "SetNull": "n", "SetDefault": "d"}
"""onDelete and onUpdate, as pg_constraint's letters."""
