"""Organizations, their members, their invoices."""

from __future__ import annotations

import uuid

from sqlalchemy import ForeignKey, Numeric, Text, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


def new_id() -> Mapped[uuid.UUID]:
    return mapped_column(primary_key=True, server_default=text("gen_random_uuid()"))


class User(Base):
    __tablename__ = "users"

    id: Mapped[uuid.UUID] = new_id()
    email: Mapped[str] = mapped_column(Text, unique=True)


class Organization(Base):
    __tablename__ = "organizations"

    id: Mapped[uuid.UUID] = new_id()
    name: Mapped[str] = mapped_column(Text)


class Member(Base):
    __tablename__ = "members"

    organization_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    role: Mapped[str] = mapped_column(Text)


class Invoice(Base):
    __tablename__ = "invoices"

    id: Mapped[uuid.UUID] = new_id()
    organization_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("organizations.id"))
    customer: Mapped[str] = mapped_column(Text)
    total: Mapped[float] = mapped_column(Numeric(12, 2))
