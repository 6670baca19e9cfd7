"""The channels of the path over HTTP, for findings and for formats that declare every kind of them."""

from __future__ import annotations

from collections.abc import Mapping

from tenantproof.channels.kinds import Kind, by_id
from tenantproof.core.finding import Severity

_ALL = (
    Kind(
        id="JWT-NONE",
        title="The API accepts tokens that nobody signed.",
        explanation="A token says in its own header how it is signed. A verifier that believes it, or that takes a "
        "missing signature for a good one, lets everybody be anybody.",
        fix="Verify with one fixed algorithm and key, whatever the header says, and refuse tokens without a signature.",
        cwe=347,
        severity=Severity.CRITICAL,
    ),
    Kind(
        id="JWT-SIGNATURE",
        title="The API accepts tokens whose signature is wrong.",
        explanation="Whoever does not compare the signature with the key reads claims that anybody can write.",
        fix="Verify the signature before anything of the token is believed, with this project's key only.",
        cwe=347,
        severity=Severity.CRITICAL,
    ),
    Kind(
        id="JWT-CONFUSION",
        title="The API takes its public key for a shared secret.",
        explanation="With an asymmetric key the verifier holds the public half. If it lets the token choose HS256, the "
        "public half becomes the secret, and everybody has it.",
        fix="Bind each key to its algorithm (alg in the JWK, a fixed list in the verifier).",
        cwe=347,
        severity=Severity.CRITICAL,
    ),
    Kind(
        id="JWT-HEADER",
        title="A token's header chooses the key that it is verified with.",
        explanation="kid, jwk, jku and x5u are the attacker's words. A verifier that opens the file, asks the database "
        "for the row, fetches the address or takes the key that they name, verifies with the attacker's key.",
        fix="Look keys up in a fixed set by an exact kid; ignore jwk, jku, x5c and x5u.",
        cwe=347,
        severity=Severity.CRITICAL,
    ),
    Kind(
        id="JWT-SECRET",
        title="The API's secret can be guessed or is published.",
        explanation="Examples and local defaults have secrets that anybody can read. Whoever knows the secret signs "
        "tokens for every user and every role.",
        fix="Set a random secret of 32 bytes or more, or move to an asymmetric key, and revoke the old one.",
        cwe=798,
        severity=Severity.CRITICAL,
    ),
    Kind(
        id="JWT-TIME",
        title="The API accepts tokens outside of their time.",
        explanation="An expired token is one that was taken away: a session that ended, a user who left.",
        fix="Verify exp, nbf and iat, with at most a minute of leeway.",
        cwe=613,
        severity=Severity.MEDIUM,
    ),
    Kind(
        id="JWT-AUDIENCE",
        title="The API accepts tokens that are meant for another service.",
        explanation="Where several services verify with one key, a token for one of them opens the others unless each "
        "asks for its own audience.",
        fix="Set jwt-aud (PostgREST), or compare aud.",
        cwe=863,
        severity=Severity.LOW,
    ),
    Kind(
        id="JWT-ISSUER",
        title="The API does not ask who issued a token.",
        explanation="PostgREST verifies the key alone. Where two projects share a key, the users of one are users of "
        "the other.",
        fix="Give each project its own key, or compare iss in a db-pre-request function.",
        cwe=863,
        severity=Severity.LOW,
    ),
    Kind(
        id="JWT-ROLE",
        title="A token's role claim reaches a role that no user is meant to have.",
        explanation="PostgREST becomes whatever role the claim names, if the role that it logs in as is a member of "
        "it. Whoever can influence the claim (a token hook, a leaked secret) then picks the strongest.",
        fix="Make the login role a member of the API's roles and of no other.",
        cwe=269,
        severity=Severity.CRITICAL,
    ),
    Kind(
        id="JWT-DOUBLE",
        title="Two Authorization headers are verified and believed differently.",
        explanation="A gateway verifies one of the two headers and the server behind it believes the other.",
        fix="Refuse requests with more than one Authorization header.",
        cwe=436,
        severity=Severity.CRITICAL,
    ),
    Kind(
        id="API-MORE",
        title="Over HTTP more of {object} is reached than by SQL.",
        explanation="The same attempt was made with the same claims by SQL and by HTTP, and HTTP went further: the API "
        "logs in as another role, runs another function before each request, or serves another schema.",
        fix="Compare the login role, its memberships and settings (pgrst.*), and the db-pre-request function with what "
        "the scenario says.",
        cwe=863,
        severity=Severity.CRITICAL,
    ),
    Kind(
        id="API-EMBED",
        title="Rows of {object} are shown in another shape than the table's own.",
        explanation="Embedded in another table, counted, as CSV, by Range or returned by a write, rows come that the "
        "table itself does not show to the same person: PostgREST asks the same policies for all of them, so something "
        "between it and the client answers one shape otherwise, a cache that forgets the token say.",
        fix="Let caches and gateways vary by Authorization, or not keep answers to signed-in users at all.",
        cwe=639,
        severity=Severity.CRITICAL,
    ),
    Kind(
        id="API-BULK",
        title="Rows for others get into {object} together with a row of one's own.",
        explanation="One by one the same rows are refused. A check that remembers its first answer for the rest of the "
        "statement, in a setting or by a trigger, lets the other rows of one request pass.",
        fix="Ask for every row anew: no set_config in functions that policies call, FOR EACH ROW triggers.",
        cwe=639,
        severity=Severity.CRITICAL,
    ),
    Kind(
        id="API-RPC",
        title="The function {object} answers with content of another tenant.",
        explanation="The answer to a call over HTTP holds the mark that stands in another tenant's rows only, and that "
        "no table shows to the same person.",
        fix="Let the function ask for the caller's tenant, or make it SECURITY INVOKER.",
        cwe=639,
        severity=Severity.CRITICAL,
    ),
    Kind(
        id="API-COUNT",
        title="Estimated counts tell how many rows of {object} others have.",
        explanation="Prefer: count=planned and count=estimated answer from the planner's statistics, which know every "
        "tenant's rows: a value that only others have is counted although no row is shown. It is PostgREST's nature.",
        fix="Let a gateway take count=planned and count=estimated out of the Prefer header.",
        cwe=203,
        severity=Severity.LOW,
    ),
    Kind(
        id="API-PLAN",
        title="The API shows query plans, which count rows of others.",
        explanation="The plan media type with analyze tells how many rows a policy removed.",
        fix="Turn db-plan-enabled off (pgrst.db_plan_enabled on authenticator).",
        cwe=203,
        severity=Severity.MEDIUM,
    ),
    Kind(
        id="API-ROOT",
        title="The API's description names what a role may not use.",
        explanation="The OpenAPI root lists tables and functions for which the role has no privilege.",
        fix="Set openapi-mode to follow-privileges or disabled.",
        cwe=200,
        severity=Severity.LOW,
    ),
)

REST_CHANNELS: Mapping[str, Kind] = by_id(_ALL)
