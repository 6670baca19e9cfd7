"""Functions that are never called, and why: what a rollback does not undo must not happen."""

from __future__ import annotations

import re

from tenantproof.core.catalog import Catalog, Function

_OUTWARD = {
    r"\bdblink\w*\s*\(|postgres_fdw": "opens another connection (dblink), which a rollback does not undo",
    r"\bnet\s*\.\s*http_|\bextensions\s*\.\s*http|\bhttp(_get|_post|_put|_delete|_head)?\s*\(": "sends HTTP requests",
    r"\blo_(import|export|unlink|create|creat|put)\s*\(": "handles large objects and files",
    r"\bpg_(read|write)_\w*file|\bpg_ls_\w+\s*\(|\bCOPY\b[^;]*\b(PROGRAM|FROM\s+'|TO\s+')": "reads or writes files",
    r"\bpg_(terminate|cancel)_backend|\bpg_reload_conf|\bpg_rotate_logfile": "interferes with the server",
    r"\bpg_(try_)?advisory_lock(_shared)?\s*\(": "takes session locks, which a rollback does not release",
    r"\bpg_sleep\w*\s*\(": "sleeps",
    r"\bsetval\s*\(": "sets a sequence, which a rollback does not undo",
    r"\b(DEALLOCATE|DISCARD)\b": "forgets what the session has prepared, which a rollback does not undo",
    r"\bSESSION\s+AUTHORIZATION\b|\bsession_authorization\b|\bRESET\s+ALL\b": "changes who the session is: ours "
    "begins as a superuser, which no user's does",
    r"\bcron\s*\.\s*(un)?schedule": "schedules jobs",
    r"\bpgmq\s*\.|\bvault\s*\.\s*create_secret": "uses a queue or a vault",
}
_COMPILED = tuple((re.compile(pattern, re.IGNORECASE), reason) for pattern, reason in _OUTWARD.items())
_COMMENT = re.compile(r"('(?:[^']|'')*')|--[^\n]*|/\*.*?\*/", re.DOTALL)
"""A string, which is kept (dynamic SQL stands in it), or a comment."""
_CALL = re.compile(r'(?:"((?:[^"]|"")+)"|(\w+))\s*\(')


def reason_not_to_call(function: Function, catalog: Catalog) -> str | None:
    """Why the function is skipped, or None.  Functions that it calls count too, by name."""
    if function.kind == "p":
        return "a procedure: it may commit, and is called only where the scenario allows it"
    if function.language in ("c", "internal"):
        return f"written in {function.language}: what it does cannot be read"
    seen: set[str] = set()
    todo = [function]
    while todo:
        current = todo.pop()
        text = _COMMENT.sub(lambda match: match[1] or " ", current.source)
        for pattern, reason in _COMPILED:
            if pattern.search(text):
                inner = "" if current is function else f" (in {current.name})"
                return f"{reason}{inner}"
        seen.add(current.name.name)
        called = {quoted.replace('""', '"') or plain.lower() for quoted, plain in _CALL.findall(text)} - seen
        todo.extend(other for other in catalog.functions if other.name.name in called)
        seen |= called
    return None
