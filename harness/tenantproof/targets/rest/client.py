"""
Asking a REST API by HTTP: one pool of connections for all personas, their tokens a header each.

No redirects, no proxies of the environment: a token must reach the server that was named and no other.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from urllib.parse import quote, urlsplit

import httpx

from tenantproof.core.errors import TargetError, UsageError

PATIENCE_SECONDS = 60.0
"""How long a server that says 429 is waited for, all its answers together."""

TIMEOUT_SECONDS = 30.0

_AT_MOST = 15.0
_DEFAULT_WAIT = 1.0
_KEPT = "*(),.:!->\"'~"


class ServerGone(TargetError):
    """The API stopped answering in the middle of a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request: `query` are (name, value) pairs, `body` what is sent as JSON; no token is in it."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    body: object = None

    @property
    def target(self) -> str:
        """Path and query as they stand in the request line."""
        pairs = "&".join(f"{quote(name, safe=_KEPT)}={quote(value, safe=_KEPT)}" for name, value in self.query)
        return quote(self.path, safe="/") + (f"?{pairs}" if pairs else "")

    @property
    def line(self) -> str:
        """The request in one line, for people."""
        told = [f"{name}: {value}" for name, value in self.headers]
        body = f" {json.dumps(self.body, ensure_ascii=False)}" if self.body is not None else ""
        return f"{self.method} {self.target}{body}" + (f" ({'; '.join(told)})" if told else "")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str = ""

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def content(self) -> object:
        """The body read as JSON; None where it is empty or no JSON."""
        try:
            return json.loads(self.text) if self.text else None
        except ValueError:
            return None

    @property
    def rows(self) -> list[dict[str, object]]:
        """The rows of a JSON answer; none where it is of another form."""
        content = self.content
        return [row for row in content if isinstance(row, dict)] if isinstance(content, list) else []

    @property
    def total(self) -> int | None:
        """What the header Content-Range says of how many rows there are."""
        _, _, total = self.headers.get("content-range", "").rpartition("/")
        return int(total) if total.isdigit() else None

    @property
    def is_json(self) -> bool:
        return "json" in self.headers.get("content-type", "")


class Client:
    """Requests to one API.  `key` is the API key that a gateway wants beside the token."""

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        transport: httpx.BaseTransport | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = checked(url)
        self.requests = 0
        self.key = key
        self._wait = wait
        self._patience = PATIENCE_SECONDS
        self.http = httpx.Client(
            transport=transport,
            timeout=TIMEOUT_SECONDS,
            trust_env=False,
            headers={"user-agent": "tenantproof"},
            # What a gateway gives one persona must not come back with the next one's request.
            cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def ask(self, request: Request, token: str | None = None) -> Answer:
        """The answer to one request with a token (None: the API key alone).  Raises ServerGone."""
        return self.send(request, () if token is None else (f"Bearer {token}",))

    def send(self, request: Request, authorizations: Iterable[str]) -> Answer:
        """As `ask`, with these Authorization headers, of which there may be several."""
        headers = [*self._own_headers(), *(("authorization", value) for value in authorizations), *request.headers]
        if request.body is not None:
            headers.append(("content-type", "application/json"))
        while True:
            answer = self._once(request, headers)
            if answer.status != httpx.codes.TOO_MANY_REQUESTS or not self._may_wait(answer):
                return answer

    def anonymous(self) -> tuple[str, ...]:
        """The Authorization headers of a client that nobody signed in to: a legacy API key is a token itself."""
        return (f"Bearer {self.key}",) if self.key is not None and self.key.count(".") == 2 else ()

    def _own_headers(self) -> list[tuple[str, str]]:
        return [("apikey", self.key)] if self.key is not None else []

    def forward(self, method: str, address: str, headers: list[tuple[str, str]], content: bytes | None) -> Answer:
        """The answer to a request that another client made, at an address below the API's.  Raises ServerGone."""
        while True:
            answer = self._sent(method, address, headers, content)
            if answer.status != httpx.codes.TOO_MANY_REQUESTS or not self._may_wait(answer):
                return answer

    def _once(self, request: Request, headers: list[tuple[str, str]]) -> Answer:
        body = None if request.body is None else json.dumps(request.body).encode()
        return self._sent(request.method, self.url + request.target, headers, body)

    def _sent(self, method: str, address: str, headers: list[tuple[str, str]], content: bytes | None) -> Answer:
        self.requests += 1
        try:
            told = [(name.encode(), value.encode()) for name, value in headers]  # names of schemas: any alphabet
            reply = self.http.request(method, address, headers=told, content=content)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ServerGone(f"the API at {described(self.url)} does not answer: {_reason(error)}") from None
        return Answer(reply.status_code, {k.lower(): v for k, v in reply.headers.items()}, reply.text)

    def _may_wait(self, answer: Answer) -> bool:
        """Wait as long as the server asks for, until the patience for all its refusals is used up."""
        asked = answer.headers.get("retry-after", "")
        seconds = min(float(asked) if asked.isdigit() else _DEFAULT_WAIT, _AT_MOST)
        if seconds > self._patience:
            return False
        self._patience -= max(seconds, 0.1)
        self._wait(seconds)
        return True


def checked(url: str, option: str = "--api", service: str = "rest") -> str:
    """The address without a slash at its end.  Raises UsageError for what is no http(s) address."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"{option}: expected an address such as https://PROJECT.supabase.co/{service}/v1")
    if parts.username or parts.password or parts.query:
        raise UsageError(f"{option}: an address without user, password and query; the key goes into --api-key env:NAME")
    return url.rstrip("/")


def described(url: str) -> str:
    """Host and path: what may be shown."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.hostname}{port}{parts.path.rstrip('/')}"


def is_local(url: str) -> bool:
    """Whether the address is this machine's own."""
    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1", "host.docker.internal") or host.startswith("127.")


def _reason(error: Exception) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "it took too long"
    if isinstance(error, httpx.ConnectError):
        return "nobody listens there, or the connection was refused"
    if isinstance(error, httpx.InvalidURL):
        return "the address cannot be used"
    return "the connection broke"
