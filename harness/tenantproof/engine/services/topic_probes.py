"""
The two questions that the Realtime server asks of the database about a private channel.

To join: it puts a row for each extension into realtime.messages, becomes the user with realtime.topic set, and looks
which of the rows it sees.  To send: it inserts a row as the user.  Source: Realtime's
lib/realtime/tenants/authorization.ex.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from psycopg import sql

from tenantproof.core.model import Command
from tenantproof.core.ports import Identity
from tenantproof.engine.services.probes import Look, Probe
from tenantproof.engine.services.sessions import realtime_identity

EXTENSIONS = ("broadcast", "presence")

_PROBE_ROW = "7e4a0000-0000-4000-8000-00000000000{}"

Asking = Callable[..., Probe]


def joining(
    identity: Identity,
    topic: str,
    extension: str,
    trick: str,
    *,
    kind: str = "",
    against: str = "",
    base: bool = False,
    stage: tuple[str, ...] = (),
) -> Probe:
    """Whether somebody may receive one extension's messages of a topic."""
    row = _PROBE_ROW.format(EXTENSIONS.index(extension) + 1)
    planted = sql.SQL("INSERT INTO realtime.messages (id, topic, extension) VALUES ({}, {}, {})").format(
        *map(sql.Literal, (row, topic, extension))
    )
    seen = sql.SQL("SELECT id, topic, extension FROM realtime.messages WHERE id = {}").format(sql.Literal(row))
    return Probe(
        channel="REALTIME-READ",
        object=kind,
        command=Command.SELECT,
        operation="join",
        trick=trick,
        identity=realtime_identity(identity, topic),
        act=seen.as_string(None),
        setup=(stage, (planted.as_string(None),)),
        base=base,
        row=_row(topic, extension),
        against=against,
    )


def sending(
    identity: Identity,
    topic: str,
    extension: str,
    trick: str,
    *,
    kind: str = "",
    against: str = "",
    base: bool = False,
    stage: tuple[str, ...] = (),
) -> Probe:
    """Whether somebody may send one extension's messages into a topic."""
    named = (sql.Literal(topic), sql.Literal(extension))
    insert = sql.SQL("INSERT INTO realtime.messages (topic, extension) VALUES ({}, {})").format(*named)
    there = sql.SQL("SELECT topic, extension FROM realtime.messages WHERE topic = {} AND extension = {}").format(*named)
    emptied = sql.SQL("DELETE FROM realtime.messages WHERE topic = {}").format(sql.Literal(topic))
    return Probe(
        channel="REALTIME-WRITE",
        object=kind,
        command=Command.INSERT,
        operation="send",
        trick=trick,
        identity=realtime_identity(identity, topic),
        act=insert.as_string(None),
        setup=(stage, (emptied.as_string(None),)),
        looks=(Look(query=there.as_string(None)),),
        base=base,
        row=_row(topic, extension),
        against=against,
    )


def _row(topic: str, extension: str) -> str:
    return json.dumps({"topic": topic, "extension": extension, "private": True})
