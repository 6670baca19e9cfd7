"""Shell scripts that show a finding over HTTP with curl.  No token and no secret is in them: they mint anew."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping

from tenantproof.identity.attacks import Forgery, Material
from tenantproof.identity.forging import recipe
from tenantproof.targets.rest.client import Request

MARK = "#!/bin/sh"
"""How scripts for a shell begin; those for psql do not."""

_HEAD = (
    MARK,
    ': "${API:?the address of the API, e.g. https://PROJECT.supabase.co/rest/v1}"',
    "# APIKEY: the anon or publishable key, where a gateway asks for one",
)

_SIGN = """\
import base64, hashlib, hmac, json, os, time
part = lambda raw: base64.urlsafe_b64encode(raw).decode().rstrip('=')
text = lambda value: part(json.dumps(value, separators=(',', ':')).encode())
now = int(time.time())
claims = {**CLAIMS, 'iat': now, 'exp': now + 300}
SIGNING
"""

_SIGNED_HS256 = """\
body = text({'alg': 'HS256', 'typ': 'JWT'}) + '.' + text(claims)
print(body + '.' + part(hmac.digest(os.environ['JWT_SECRET'].encode(), body.encode(), 'sha256')))"""

_SIGNED_BY_KEY = """\
import jwt
print(jwt.encode(claims, open(os.environ['SIGNING_KEY']).read(), algorithm='ALG', headers={'kid': 'KID'}))"""

_TIMES = ("iat", "exp", "amr")


def of_forgery(forgery: Forgery, material: Material, request: Request) -> str:
    """The script of a forged token: mint it, ask with it."""
    second = ' -H "Authorization: Bearer ${TOKEN:?a valid token of your own}"'
    own = second if forgery.after is not None else ""
    forged = ' -H "Authorization: Bearer $FORGED"'
    headers = own + forged if forgery.after else forged + own
    lines = [
        *_HEAD,
        f"# {forgery.words}",
        *_printed("FORGED", recipe(forgery, material)),
        _curl(request, headers),
        "# the token must be refused (401), or its bearer be nobody: a row in the answer is the LEAK",
        "",
    ]
    return "\n".join(lines)


def of_request(
    persona: str, claims: Mapping[str, object], request: Request, *, algorithm: str, kid: str, shows: str
) -> str:
    """The script of one request of a persona; *claims* are empty for anon, *shows* says what to look for."""
    minting = _printed("TOKEN", _minting(claims, algorithm, kid)) if claims else []
    header = ' -H "Authorization: Bearer $TOKEN"' if claims else ""
    return "\n".join([*_HEAD, f"# {persona}", *minting, _curl(request, header), f"# {shows}", ""])


def minting_lines(variable: str, claims: Mapping[str, object], *, algorithm: str, kid: str) -> list[str]:
    """The lines of a script that mint a persona's token into a variable."""
    return _printed(variable, _minting(claims, algorithm, kid))


def _minting(claims: Mapping[str, object], algorithm: str, kid: str) -> str:
    fixed = {name: value for name, value in claims.items() if name not in _TIMES}
    signing = _SIGNED_HS256 if algorithm == "HS256" else _SIGNED_BY_KEY.replace("ALG", algorithm).replace("KID", kid)
    return _SIGN.replace("SIGNING", signing).replace("CLAIMS", repr(fixed)).rstrip()


def _printed(variable: str, program: str) -> list[str]:
    return [f"{variable}=$(python3 - <<'PY'", program, "PY", ")"]


def _curl(request: Request, headers: str) -> str:
    told = "".join(f" -H {shlex.quote(f'{name}: {value}')}" for name, value in request.headers)
    body = ""
    if request.body is not None:
        text = json.dumps(request.body, ensure_ascii=False)
        body = f" -H 'content-type: application/json' -d {shlex.quote(text)}"
    target = shlex.quote(request.target)
    return f'curl -sS -i -g -X {request.method} "$API"{target} -H "apikey: ${{APIKEY:-}}"{headers}{told}{body}'
