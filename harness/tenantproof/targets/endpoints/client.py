"""
Asking an application by HTTP, whatever it answers.

One pool of connections for all personas, and no memory: cookies are never kept, so nothing of one persona gets into a
request of another.  Redirects are followed on the same origin alone, answers are read up to a size and a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from http.cookiejar import CookieJar, DefaultCookiePolicy
from urllib.parse import urljoin, urlsplit

import httpx

from tenantproof.core.errors import TargetError, UsageError

MOST_BYTES = 8_000_000
TIMEOUT_SECONDS = 10.0
MOST_REDIRECTS = 5
PATIENCE_SECONDS = 60.0
"""How long an application that says 429 is waited for, all its answers together."""

_DEFAULT_WAIT = 1.0
_SEE_OTHER = (301, 302, 303)
_REDIRECTS = (*_SEE_OTHER, 307, 308)


class AppGone(TargetError):
    """The application does not answer, or stopped answering in the middle of a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One HTTP request; `secret` headers hold the persona's token and are never shown."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    secret: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None

    def __repr__(self) -> str:
        return self.line

    @property
    def line(self) -> str:
        """The request in one line, for people: without the token."""
        parts = urlsplit(self.url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        body = f" {self.body.decode(errors='replace')}" if self.body is not None else ""
        told = f" ({'; '.join(f'{name}: {value}' for name, value in self.headers)})" if self.headers else ""
        return f"{self.method} {target}{body}{told}"

    def having(self, *headers: tuple[str, str]) -> Ask:
        """The same with other values for these headers."""
        named = {name.lower() for name, _ in headers}
        kept = (pair for pair in self.headers if pair[0].lower() not in named)
        return replace(self, headers=(*kept, *headers))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back: `status` 0 and `trouble` in words where nothing did; `cut` where the body is longer than read."""

    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    cut: bool = False
    trouble: str = ""

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def header(self, name: str) -> str:
        """The value of a header, '' where there is none."""
        return ", ".join(value for key, value in self.headers if key == name)

    @property
    def in_words(self) -> str:
        """One line for a person."""
        kind = self.header("content-type").partition(";")[0]
        return self.trouble or f"{self.status}{f' {kind}' if kind else ''}"


class Client:
    """Requests to one application.  Raises AppGone where nobody answers at all."""

    def __init__(
        self,
        base: str,
        *,
        timeout: float = TIMEOUT_SECONDS,
        transport: httpx.BaseTransport | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self.base = checked_base(base)
        self.requests = 0
        self._timeout = timeout
        self._wait = wait
        self._patience = PATIENCE_SECONDS
        self._http = httpx.Client(
            transport=transport,
            timeout=timeout,
            trust_env=False,
            cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
            headers={"user-agent": "tenantproof", "accept": "*/*"},
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def ask(self, asked: Ask) -> Reply:
        """The answer at the end of all redirects on the same origin."""
        for _ in range(MOST_REDIRECTS + 1):
            reply = self._patiently(asked)
            place = reply.header("location")
            if reply.status not in _REDIRECTS or not place:
                return reply
            there = urljoin(asked.url, place)
            if _origin(there) != _origin(asked.url):
                return replace(reply, trouble=f"{reply.status}, a redirect to another origin, which is not followed")
            asked = _redirected(asked, reply.status, there)
        return Reply(trouble="it redirects without end")

    def _patiently(self, asked: Ask) -> Reply:
        while True:
            reply = self._once(asked)
            if reply.status != httpx.codes.TOO_MANY_REQUESTS or not self._may_wait(reply):
                return reply

    def _once(self, asked: Ask) -> Reply:
        self.requests += 1
        deadline = time.monotonic() + self._timeout
        try:
            with self._http.stream(
                asked.method, asked.url, headers=[*asked.headers, *asked.secret], content=asked.body
            ) as reply:
                body, cut = _bounded(reply.iter_bytes(), deadline)
                headers = tuple((name.lower(), value) for name, value in reply.headers.items())
                return Reply(status=reply.status_code, headers=headers, body=body, cut=cut)
        except httpx.ConnectError:
            raise AppGone(f"the application at {described(self.base)} does not answer: nobody listens there") from None
        except (httpx.TimeoutException, TimeoutError):
            return Reply(trouble=f"it took longer than {self._timeout:g} s")
        except httpx.DecodingError:
            return Reply(trouble="its content encoding is broken")
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, ValueError):
            return Reply(trouble="it broke the connection, or what it said is no HTTP")

    def _may_wait(self, reply: Reply) -> bool:
        """Wait as long as the application asks for, unless the patience for all its refusals is too short for it."""
        asked = reply.header("retry-after")
        seconds = float(asked) if asked.isdigit() else _DEFAULT_WAIT
        if seconds > self._patience:
            return False
        self._patience -= max(seconds, 0.1)
        self._wait(seconds)
        return True


def _bounded(chunks: Iterable[bytes], deadline: float) -> tuple[bytes, bool]:
    """The body as far as it is read, and whether it goes on.  Raises TimeoutError for one that drips."""
    read = bytearray()
    for chunk in chunks:
        read += chunk
        if len(read) > MOST_BYTES:
            return bytes(read[:MOST_BYTES]), True
        if time.monotonic() > deadline:
            raise TimeoutError
    return bytes(read), False


def _redirected(asked: Ask, status: int, url: str) -> Ask:
    if status in _SEE_OTHER and asked.method not in ("GET", "HEAD"):
        return replace(asked, method="GET", url=url, body=None)
    return replace(asked, url=url)


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    try:
        return parts.scheme, parts.hostname or "", parts.port
    except ValueError:
        return parts.scheme, "", None


def checked_base(url: str) -> str:
    """The address without a slash at its end.  Raises UsageError for what is no http(s) address."""
    try:
        parts = urlsplit(url)
        wrong = parts.scheme not in ("http", "https") or not parts.hostname or (parts.port or 1) < 1
    except ValueError:
        wrong = True
    if wrong:
        raise UsageError("the endpoints' base: expected an address such as https://app.example.com")
    if parts.username or parts.password or parts.query:
        raise UsageError("the endpoints' base: an address without user, password and query")
    return url.rstrip("/")


def described(url: str) -> str:
    """Host, port and path: what may be shown."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.hostname}{port}{parts.path.rstrip('/')}"
