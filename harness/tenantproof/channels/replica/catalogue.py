"""The channels of replicas, for findings and for formats that declare every kind of them."""

from __future__ import annotations

from collections.abc import Mapping

from tenantproof.channels.kinds import Kind, by_id
from tenantproof.core.finding import Severity

_ALL = (
    Kind(
        id="REPLICA-READ",
        title="A replica shows other rows of {object} than its primary.",
        explanation="The same person read the same relation with the same claims on both. Something that policies ask "
        "is different on a standby: a function that asks pg_is_in_recovery(), an unlogged table, which is empty there, "
        "a setting of the server.",
        fix="Let policies ask nothing that is not replicated: no unlogged tables, no state of the server.",
        cwe=863,
        severity=Severity.CRITICAL,
    ),
    Kind(
        id="REPLICA-BLOCKED",
        title="Reading {object} works on the primary and fails on a replica.",
        explanation="A policy or a view calls something that writes (an audit log, nextval, a row lock), and a standby "
        "refuses every write. Whoever reads from replicas gets an error in place of rows.",
        fix="Let policies and views only read: log elsewhere, and mark the function STABLE.",
        cwe=703,
        severity=Severity.MEDIUM,
    ),
    Kind(
        id="REPLICA-WRITE",
        title="A replica accepts a write to {object}.",
        explanation="A standby is read only; what accepts writes is no standby, and its rows go their own way.",
        fix="Look whether the replica was promoted.",
        cwe=284,
        severity=Severity.HIGH,
    ),
)

REPLICA_CHANNELS: Mapping[str, Kind] = by_id(_ALL)
