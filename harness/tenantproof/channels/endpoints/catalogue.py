"""The channels of endpoints, for findings and for formats that declare every kind of them."""

from __future__ import annotations

from collections.abc import Mapping

from tenantproof.channels.kinds import Kind, by_id
from tenantproof.core.finding import Severity

_ALL = (
    Kind(
        id="ENDPOINT-READ",
        thing="An endpoint",
        title="{object} answers with content of another tenant.",
        explanation="The answer holds the mark that stands in another tenant's rows only. The application asks the "
        "database with more rights than the user has, and does not ask itself whose the rows are.",
        fix="Take the tenant from the verified token, compare every id of the request with it, or query with the "
        "user's own claims so that the policies decide.",
        cwe=639,
        severity=Severity.CRITICAL,
    ),
    Kind(
        id="ENDPOINT-CACHE",
        thing="An endpoint",
        title="{object} answers one tenant with what a cache kept for another.",
        explanation="Before the other tenant had asked, the answer held nothing of theirs; after it, it did. What is "
        "kept is found by a key that leaves out who asks.",
        fix="Put the tenant, and the user where answers differ by role, into the key of the cache; let shared caches "
        "keep nothing that a token was needed for (Cache-Control: private, Vary: Authorization).",
        cwe=524,
        severity=Severity.CRITICAL,
    ),
    Kind(
        id="ENDPOINT-INFER",
        thing="An endpoint",
        title="{object} tells something about rows of others.",
        explanation="Rows of other tenants changed behind the user's back, or were asked about by their version, and "
        "the answer told it: a count, an ETag, a time, a status.",
        fix="Compute what the answer says (counts, ETags, Last-Modified) from the user's own rows alone, and decide "
        "who may ask before If-None-Match is looked at.",
        cwe=203,
        severity=Severity.MEDIUM,
    ),
    Kind(
        id="ENDPOINT-WRITE",
        thing="An endpoint",
        title="{object} changes rows of another tenant.",
        explanation="After the request, rows were different, gone or there that belong to a tenant which the user is "
        "no member of.",
        fix="Compare every id of the request with the tenant of the verified token before anything is written, or "
        "write with the user's own claims so that the policies decide.",
        cwe=639,
        severity=Severity.CRITICAL,
    ),
)

ENDPOINT_CHANNELS: Mapping[str, Kind] = by_id(_ALL)
