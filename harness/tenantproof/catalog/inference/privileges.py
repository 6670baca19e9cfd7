"""What the application's roles may do with a relation at all: privileges first, then whether any policy lets them."""

from __future__ import annotations

from dataclasses import dataclass

from tenantproof.catalog.inference.tokens import tokenize
from tenantproof.core.catalog import Catalog, Policy, Relation
from tenantproof.core.model import Command

WRITES = (Command.INSERT, Command.UPDATE, Command.DELETE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Privileges:
    """The privileges of the roles that personas act as; `held` includes what these roles inherit, and "public"."""

    catalog: Catalog
    held: frozenset[str]

    def granted(self, relation: Relation, command: Command) -> bool:
        """Whether a role holds the privilege on the relation or on a column, and may enter the schema."""
        usage = self.catalog.schema_usage.get(relation.name.schema, frozenset())
        if usage.isdisjoint(self.held):
            return False
        return any(g.grantee in self.held and g.privilege == command.name for g in relation.grants)

    def any_granted(self, relation: Relation) -> bool:
        """Whether a role holds any privilege to read or write rows."""
        return any(self.granted(relation, command) for command in Command)

    def policies(self, relation: Relation, command: Command) -> tuple[Policy, ...]:
        """The permissive policies that may let a role do it."""
        return tuple(p for p in relation.policies if p.permissive and p.applies_to(command, self.held))

    def possible(self, relation: Relation, command: Command) -> bool:
        """Whether privileges and policies leave a way to do it, on some row."""
        if not self.granted(relation, command):
            return False
        if not relation.rls:
            return True
        return any(_lets(policy, command) for policy in self.policies(relation, command))

    def open_to_read(self, relation: Relation) -> bool:
        """Whether whoever signed in (or everybody) may read, whoever they are."""
        if not self.granted(relation, Command.SELECT):
            return False
        if not relation.rls:
            return True
        return any(asks_nobody(policy.using) for policy in self.policies(relation, Command.SELECT))

    def writable(self, relation: Relation) -> bool:
        """Whether some row may be written."""
        return any(self.possible(relation, command) for command in WRITES)


def _lets(policy: Policy, command: Command) -> bool:
    """Whether the policy can be true for anybody."""
    text = policy.check if command is Command.INSERT and policy.check is not None else policy.using
    return text is None or text.strip("() ").lower() != "false"


def asks_nobody(expression: str | None) -> bool:
    """Whether a policy's expression holds whoever asks, as long as they are signed in: it reads the row alone.

    `true`, `active`, `auth.role() = 'authenticated'`, `auth.uid() is not null`.
    """
    if expression is None:
        return True
    if expression.strip("() ").lower() == "false":
        return False
    tokens = tokenize(expression)
    for place, token in enumerate(tokens):
        if token.says("from"):
            return False
        called = place + 1 < len(tokens) and tokens[place + 1].text == "("
        if token.kind == "name" and called and token.parts[-2:] not in (("auth", "uid"), ("auth", "role")):
            plain = len(token.parts) == 1 or token.parts[0] == "pg_catalog" or token.says("any", "in", "and", "or")
            if not plain or token.parts[-1] == "current_setting":
                return False
        if token.parts[-2:] == ("auth", "uid") and not _only_tested_for_null(expression):
            return False
    return True


def _only_tested_for_null(expression: str) -> bool:
    text = " ".join(expression.lower().split())
    rest = text.replace("( select auth.uid() as uid)", "auth.uid()").replace("auth.uid() is not null", "")
    return "auth.uid()" not in rest
