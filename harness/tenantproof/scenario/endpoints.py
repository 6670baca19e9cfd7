"""`endpoints:` and `endpoints_app:` to values."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tenantproof.core.model import Carrier, Endpoint, EndpointsApp, QName
from tenantproof.scenario import models, tables, templates
from tenantproof.scenario.ledger import Ledger
from tenantproof.scenario.positions import Path, dotted, shown

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""What RFC 9110 lets a header (and RFC 6265 a cookie) be called."""

Written = tuple[Path, str]


def endpoints(ledger: Ledger, namer: tables.Namer, file: models.File) -> tuple[Endpoint, ...]:
    """The endpoints; what is wrong with them goes into the ledger."""
    entries = file.endpoints or []
    ledger.unique(((("endpoints", i, "name"), entry.name) for i, entry in enumerate(entries)), "the endpoint")
    return tuple(_endpoint(ledger, namer, ("endpoints", i), entry) for i, entry in enumerate(entries))


def _endpoint(ledger: Ledger, namer: tables.Namer, path: Path, entry: models.Endpoint) -> Endpoint:
    headers = tables.texts(ledger, (*path, "headers"), entry.headers)
    for name in headers:
        _check_name(ledger, (*path, "headers", name), name, "header")
    if entry.body is not None and entry.method in ("GET", "HEAD"):
        message = f"a {entry.method} request has no body"
        ledger.at_key((*path, "body"), "contradiction", message, "take it out, or write another method")
    written: list[Written] = [((*path, "url"), entry.url)]
    written += [((*path, "headers", name), text) for name, text in headers.items()]
    written += list(templates.strings(entry.body, (*path, "body")))
    carrier, carrier_name = _carrier(ledger, (*path, "auth"), entry.auth)
    return Endpoint(
        name=entry.name,
        method=entry.method,
        url=entry.url,
        headers=headers,
        body=entry.body,
        row_columns=_row_columns(ledger, namer, written),
        carrier=carrier,
        carrier_name=carrier_name,
        public=entry.expect == "public",
        cache=entry.cache,
        safe=entry.safe,
        place=ledger.document.key_place(path),
    )


def _carrier(ledger: Ledger, path: Path, auth: str | models.Carried) -> tuple[Carrier, str]:
    if isinstance(auth, str):
        return Carrier(auth), ""
    if (auth.header is None) == (auth.cookie is None):
        ledger.at_key(path, "contradiction", "expected one of header and cookie", "{cookie: session}, for example")
    name = auth.header or auth.cookie or ""
    kind = Carrier.HEADER if auth.header is not None else Carrier.COOKIE
    if name:
        _check_name(ledger, (*path, kind.value), name, kind.value)
    return kind, name


def _check_name(ledger: Ledger, path: Path, name: str, what: str) -> None:
    if not _NAME.fullmatch(name):
        ledger.at_value(path, "bad-name", f"{shown(name)} cannot be the name of a {what}", "letters, digits and -")


def _row_columns(ledger: Ledger, namer: tables.Namer, written: list[Written]) -> dict[str, tuple[QName, str]]:
    """What {row.TABLE.COLUMN} means; complains of placeholders that do not exist."""
    found: dict[str, tuple[QName, str]] = {}
    ledger.templates(_without_rows(written), templates.ENDPOINT)
    for path, text in written:
        for placeholder in templates.placeholders(text):
            parts = placeholder.split(".")
            if parts[0] != "row":
                continue
            if len(parts) not in (3, 4):
                message = f"unknown placeholder {shown('{' + placeholder + '}')} in {dotted(path)}"
                ledger.at_value(path, "unknown-placeholder", message, "expected {row.TABLE.COLUMN}")
                continue
            name = namer.in_scope(path, ".".join(parts[1:-1]))
            if name is not None:
                found[placeholder] = (name, parts[-1])
    return found


def _without_rows(written: list[Written]) -> Iterator[Written]:
    for path, text in written:
        others = [name for name in templates.placeholders(text) if name.split(".")[0] != "row"]
        yield path, "".join(f"{{{name}}}" for name in others)


def app(ledger: Ledger, file: models.File) -> EndpointsApp | None:
    """The application behind the endpoints."""
    entry = file.endpoints_app
    if entry is None:
        return None
    path: Path = ("endpoints_app",)
    if (entry.base is None) == (entry.command is None):
        message = "expected one of base (it runs already) and command (it is started for the run)"
        ledger.at_key(path, "contradiction", message, "write one of the two")
    env = tables.texts(ledger, (*path, "env"), entry.env)
    _check_base(ledger, (*path, "base"), entry.base)
    for key in ("command", "ready"):
        ledger.templates([((*path, key), getattr(entry, key) or "")], templates.APP)
    ledger.templates([((*path, "env", name), text) for name, text in env.items()], templates.APP_ENVIRONMENT)
    if entry.command is not None:
        _check_command(ledger, path, entry.command, env)
    elif env or entry.ready or entry.login:
        ledger.at_key(path, "contradiction", "env, ready and login are for a command", "take them out, or add one")
    return EndpointsApp(
        base=entry.base,
        command=entry.command,
        ready=entry.ready,
        env=env,
        login=entry.login,
        place=ledger.document.key_place(path),
    )


def _check_base(ledger: Ledger, path: Path, base: str | None) -> None:
    if base is not None and not base.startswith(("http://", "https://", "env:")):
        ledger.at_value(path, "bad-url", "endpoints_app.base: expected a URL", "http://…, https://… or env:NAME")


def _check_command(ledger: Ledger, path: Path, command: str, env: dict[str, str]) -> None:
    asked = [name for text in env.values() for name in templates.placeholders(text)]
    if not any(name.startswith("database.") for name in asked):
        hint = 'tell it, by the variable that it reads: env: {DATABASE_URL: "{database.url}"}'
        message = "nothing tells the application which database to use: it would write into another one"
        ledger.at_key(path, "missing-key", message, hint)
    if not any(name in ("port", "base") for text in (command, *env.values()) for name in templates.placeholders(text)):
        hint = "write {port} into the command, or a variable of env"
        ledger.at_key(path, "missing-key", "nothing tells the application which port to listen on", hint)
