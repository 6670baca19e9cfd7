"""
`expect:` flattened to `core.model.Expectation`.

`all` stands for the four commands, `write` for insert, update and delete, `read` for select; a scope directly under a
table means `all`.  Which entry wins where several speak of one cell is the oracle's business, by `breadth`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tenantproof.core.model import Command, Expectation, QName, Scope, ScopeKind, Tenancy
from tenantproof.scenario import models
from tenantproof.scenario.ledger import Ledger
from tenantproof.scenario.positions import Dictionary, Path, dotted, shown
from tenantproof.scenario.suggestions import suggest

OneScope = models.ScopeName | models.Where
Scopes = OneScope | list[OneScope]
Cells = Scopes | dict[str, Scopes]

WRITES = (Command.INSERT, Command.UPDATE, Command.DELETE)
WORDS: dict[str, tuple[int, tuple[Command, ...]]] = {
    **{command.value: (0, (command,)) for command in Command},
    "read": (1, (Command.SELECT,)),
    "write": (1, WRITES),
    "all": (2, tuple(Command)),
}
"""Word -> its breadth and the commands it stands for."""

EVERYBODY = "*"
BUILT_IN = ("anon", "outsider", EVERYBODY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flattener:
    """What an expectation may refer to."""

    ledger: Ledger
    roles: tuple[str, ...]
    tables: Mapping[QName, Tenancy]

    def flatten(self, table: QName | None, path: Path, entry: Scopes | models.Commands) -> Iterator[Expectation]:
        """Every expectation of one table of the file (None: of `*`)."""
        if not isinstance(entry, models.Commands):
            yield from self._cells(table, path, "all", entry)
            return
        self._not_empty(path)
        for word in WORDS:
            if (cells := getattr(entry, word)) is not None:
                yield from self._cells(table, (*path, word), word, cells)

    def _cells(self, table: QName | None, path: Path, word: str, cells: Cells) -> Iterator[Expectation]:
        breadth, commands = WORDS[word]
        for role, where, scopes in self._roles(path, cells):
            union = self._union(table, where, scopes)
            place = self.ledger.document.place(where)
            for command in commands:
                yield Expectation(table=table, command=command, breadth=breadth, role=role, scopes=union, place=place)

    def _roles(self, path: Path, cells: Cells) -> Iterator[tuple[str | None, Path, Scopes]]:
        if not isinstance(cells, dict):
            yield None, path, cells
            return
        self._not_empty(path)
        for role, scopes in cells.items():
            if self._knows(role, (*path, role)):
                yield role, (*path, role), scopes

    def _knows(self, role: str, path: Path) -> bool:
        if role in self.roles or role in BUILT_IN:
            return True
        if role == "dual":
            hint = "the persona dual has the roles it has in its two tenants: speak of these"
        else:
            hint = suggest(role, (*self.roles, *BUILT_IN))
        self.ledger.at_key(path, "unknown-role", f"unknown role {shown(role)} in {dotted(path[:-1])}", hint)
        return False

    def _union(self, table: QName | None, path: Path, scopes: Scopes) -> tuple[Scope, ...]:
        several = scopes if isinstance(scopes, list) else [scopes]
        if len(several) > 1 and "none" in several:
            message = f"{dotted(path)}: 'none' in a union with other scopes says nothing"
            self.ledger.at_value(path, "none-in-union", message, "remove 'none', or the others")
        union = tuple(dict.fromkeys(_scope(scope) for scope in several))
        for scope in union:
            self._possible(table, path, scope)
        return union

    def _possible(self, table: QName | None, path: Path, scope: Scope) -> None:
        """A declared table must have what the scope speaks of."""
        tenancy = self.tables.get(table) if table else None
        if tenancy is None or not tenancy.decided:
            return
        line = tenancy.place.line if tenancy.place else 0
        if scope.kind is ScopeKind.OWN and tenancy.owner is None:
            message = f"{dotted(path)} says 'own', but tables (line {line}) gives {table} no owner"
            self.ledger.at_value(path, "no-owner", message, "declare `owner: column` there, or use another scope")
        if scope.kind is ScopeKind.TENANT and (tenancy.shared or tenancy.private) and tenancy.tenant is None:
            word = "shared" if tenancy.shared else "private"
            message = f"{dotted(path)} says 'tenant', but tables (line {line}) declares {table} {word}"
            self.ledger.at_value(path, "no-tenant", message, "declare `tenant: column` there, or use all or none")

    def _not_empty(self, path: Path) -> None:
        node = self.ledger.document.node(path)
        if isinstance(node, Dictionary) and not node.values:
            self.ledger.at_value(path, "empty", f"{dotted(path)} says nothing", "write a scope, or remove the key")


def _scope(scope: OneScope) -> Scope:
    if isinstance(scope, models.Where):
        return Scope(ScopeKind.WHERE, scope.where)
    return Scope(ScopeKind(scope))
