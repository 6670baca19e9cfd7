"""How objects are spelled in a difference: short, and as PostgreSQL would take them."""

from __future__ import annotations

from collections.abc import Iterable

from tenantproof.core.catalog import Column, Function, Policy

ABSENT = "nothing"


def policy_words(policy: Policy) -> str:
    """A policy without its name and table."""
    kind = "" if policy.permissive else "restrictive, "
    command = policy.command.value if policy.command else "all"
    text = f"{kind}for {command} to {', '.join(policy.roles)}"
    text += f" using ({bare(policy.using)})" if policy.using is not None else ""
    return text + (f" with check ({bare(policy.check)})" if policy.check is not None else "")


def bare(expression: str | None) -> str:
    """An expression on one line, without the parentheses that PostgreSQL puts around the whole of it."""
    text = " ".join((expression or "").split())
    while text.startswith("(") and text.endswith(")") and _is_one(text):
        text = text[1:-1]
    return text


def _is_one(text: str) -> bool:
    """Whether the first parenthesis closes at the very end.  Quoted text does not count."""
    depth, quoted = 0, False
    for index, character in enumerate(text):
        if character == "'":
            quoted = not quoted
        elif not quoted:
            depth += {"(": 1, ")": -1}.get(character, 0)
            if depth == 0:
                return index == len(text) - 1
    return False


def privilege_words(held: Iterable[tuple[str, str | None]]) -> str:
    """Privileges, those on columns with the columns in parentheses."""
    by_privilege: dict[str, list[str]] = {}
    for privilege, column in sorted(held, key=lambda item: (item[0], item[1] or "")):
        by_privilege.setdefault(privilege, []).extend([column] if column is not None else [])
    return ", ".join(f"{name} ({', '.join(columns)})" if columns else name for name, columns in by_privilege.items())


def column_words(column: Column) -> str:
    """A column as CREATE TABLE would have it."""
    text = column.type + (" not null" if column.not_null else "")
    if column.generated:
        return f"{text} generated always as ({bare(column.default)})"
    if column.identity:
        return f"{text} generated {'always' if column.identity == 'a' else 'by default'} as identity"
    return text + (f" default {bare(column.default)}" if column.default is not None else "")


def signature(function: Function) -> str:
    """ "name(types)", as in DROP FUNCTION."""
    types = ", ".join(argument.type for argument in function.arguments if argument.mode in "ibv")
    return f"{function.name}({types})"


def listed(names: Iterable[str]) -> str:
    """Names in order, or "nobody"."""
    return ", ".join(sorted(names)) or "nobody"
