"""
The real `supabase` client before an API: what an application's code sends, through our connections.

The client asks for PROJECT/rest/v1/…; a PostgREST without a gateway answers at its root.  A transport of httpx puts the
one in the place of the other, so no proxy is needed.  The package is imported when the first client is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

from tenantproof.core.errors import MissingExtra
from tenantproof.targets.rest.client import Answer, Client

if TYPE_CHECKING:
    import supabase

PREFIX = "/rest/v1"
"""Where the client expects PostgREST, below the project's address."""

_OF_THE_CONNECTION = ("host", "content-length", "connection", "accept-encoding", "user-agent", "transfer-encoding")
_OF_THE_BODY = ("content-encoding", "content-length", "transfer-encoding")


class Relay(httpx.BaseTransport):
    """Carries the requests of a supabase client to an API, and remembers the last answer.

    *prefer* are preferences that each request gets beside the client's own: a header of the client would replace them.
    """

    def __init__(self, client: Client, prefer: Iterable[str] = ()) -> None:
        self._client = client
        self._prefer = tuple(prefer)
        self._below = urlsplit(project_of(client.url)).path + PREFIX
        self.last = Answer(0)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        target = request.url.raw_path.decode().removeprefix(self._below)
        self.last = self._client.forward(
            request.method, self._client.url + target, list(self._headers(request)), request.read() or None
        )
        headers = [pair for pair in self.last.headers.items() if pair[0] not in _OF_THE_BODY]
        return httpx.Response(self.last.status, headers=headers, text=self.last.text, request=request)

    def _headers(self, request: httpx.Request) -> Iterable[tuple[str, str]]:
        own = [*request.headers.get_list("prefer", split_commas=True), *self._prefer]
        for name, value in request.headers.multi_items():
            if name.lower() not in (*_OF_THE_CONNECTION, "prefer"):
                yield name, value
        if own:
            yield "prefer", ", ".join(own)


def project_of(url: str) -> str:
    """The project's address, below which the client looks for PostgREST: that of the API without /rest/v1."""
    return url.removesuffix(PREFIX)


def supabase_client(relay: Relay, url: str, *, key: str, authorization: str | None) -> supabase.Client:
    """A client with the project's *key*, as the user whose Authorization header this is (None: nobody signed in).

    Raises MissingExtra where the package is not installed.
    """
    create, options = _package()
    given: dict[str, Any] = {
        "headers": {} if authorization is None else {"Authorization": authorization},
        "auto_refresh_token": False,
        "persist_session": False,
        "postgrest_client_retry": False,
        "httpx_client": httpx.Client(transport=relay, trust_env=False),
    }
    made: supabase.Client = create(project_of(url), key, options(**given))
    return made


def _package() -> tuple[Callable[..., Any], Callable[..., Any]]:
    try:
        from supabase import ClientOptions, create_client
    except ImportError:
        raise MissingExtra("the supabase client", "supabase") from None
    return create_client, ClientOptions
