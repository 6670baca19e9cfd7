"""
Every text in an answer, however it is wrapped: headers, JSON (nested in texts, too), CSV, HTML, base64, hexadecimal
digits, gzip, and zip archives such as spreadsheets.  Bounded, whatever is sent.
"""

from __future__ import annotations

import base64
import binascii
import html
import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from urllib.parse import unquote_plus

from tenantproof.targets.endpoints.client import MOST_BYTES, Reply

_DEEPEST = 4
"""Layers that are taken off: text in JSON in base64 in JSON."""

_MOST_UNITS = 200_000
_MOST_TOKENS = 200
_MOST_MEMBERS = 50

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{24,}={0,2}")
_HEX = re.compile(r"[0-9a-fA-F]{32,}")
_CHARSET = re.compile(r"charset=[\"']?([\w.:-]+)", re.IGNORECASE)


def texts(reply: Reply) -> Iterator[str]:
    """The texts of an answer: each header's value, each text of JSON, each line of anything else."""
    yield from (value for _, value in reply.headers)
    charset = _CHARSET.search(reply.header("content-type"))
    yield from _limited(_of_bytes(reply.body, charset[1] if charset else "utf-8", _DEEPEST))


def json_of(reply: Reply) -> object:
    """The body read as JSON; None where it is none."""
    return _parsed(_decoded(reply.body, "utf-8"))


def _limited(found: Iterator[str]) -> Iterator[str]:
    yield from (text for text, _ in zip(found, range(_MOST_UNITS), strict=False))


def _of_bytes(raw: bytes, charset: str, depth: int) -> Iterator[str]:
    if depth == 0 or not raw:
        return
    if raw.startswith(b"\x1f\x8b"):
        yield from _of_bytes(_gunzipped(raw), charset, depth - 1)
    elif raw.startswith(b"PK\x03\x04"):
        for member in _members(raw):
            yield from _of_bytes(member, charset, depth - 1)
    else:
        yield from _of_text(_decoded(raw, charset), depth)
        if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
            yield from _of_text(raw.decode("utf-16", errors="replace"), depth)


def _of_text(text: str, depth: int) -> Iterator[str]:
    if depth == 0:
        return
    content = _parsed(text)
    if content is None:
        yield from _of_lines(text, depth)
        return
    for part in _strings(content):
        yield part
        if part[:1] in ("{", "[", '"') and _parsed(part) is not None:
            yield from _of_text(part, depth - 1)
        else:
            yield from _of_tokens(part, depth)


def _of_lines(text: str, depth: int) -> Iterator[str]:
    for line in text.splitlines():
        yield line
        if line[:1] in ("{", "["):  # NDJSON
            content = _parsed(line)
            yield from _strings(content) if content is not None else ()
        elif line.startswith("data:"):  # server-sent events
            yield from _of_text(line.removeprefix("data:").strip(), depth - 1)
    if "&" in text:
        yield from html.unescape(text).splitlines()
    if "%" in text:
        yield from unquote_plus(text).splitlines()
    yield from _of_tokens(text, depth)


def _of_tokens(text: str, depth: int) -> Iterator[str]:
    """What long words without spaces hold when they are base64 or hexadecimal digits."""
    for token, _ in zip(_HEX.finditer(text), range(_MOST_TOKENS), strict=False):
        word = token[0]
        yield from _of_bytes(bytes.fromhex(word[: len(word) // 2 * 2]), "utf-8", depth - 1)
    for token, _ in zip(_BASE64.finditer(text), range(_MOST_TOKENS), strict=False):
        raw = _from_base64(token[0])
        if _looks_like_something(raw):
            yield from _of_bytes(raw, "utf-8", depth - 1)


def _from_base64(word: str) -> bytes:
    plain = word.rstrip("=").replace("-", "+").replace("_", "/")
    plain = plain[: len(plain) - (len(plain) % 4 == 1)]
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4))
    except (binascii.Error, ValueError):
        return b""


def _looks_like_something(raw: bytes) -> bool:
    """Text or an archive: random bytes are neither."""
    if raw.startswith((b"\x1f\x8b", b"PK\x03\x04")):
        return True
    head = raw[:200]
    return sum(32 <= byte < 127 or byte in (9, 10, 13) for byte in head) > 0.9 * len(head) > 0


def _strings(content: object) -> Iterator[str]:
    waiting = [content]
    while waiting:
        part = waiting.pop()
        if isinstance(part, str):
            yield part
        elif isinstance(part, list):
            waiting.extend(reversed(part))
        elif isinstance(part, dict):
            waiting.extend(reversed(list(part.values())))
            waiting.extend(part)


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _decoded(raw: bytes, charset: str) -> str:
    for name in (charset, "utf-8"):
        try:
            return raw.decode(name)
        except (LookupError, UnicodeError):
            continue
    return raw.decode("latin-1")


def _gunzipped(raw: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=31).decompress(raw, MOST_BYTES)
    except zlib.error:
        return b""


def _members(raw: bytes) -> Iterator[bytes]:
    """The files of an archive, each as far as it is read."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            for info in archive.infolist()[:_MOST_MEMBERS]:
                with archive.open(info) as member:
                    yield member.read(MOST_BYTES // 4)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, zlib.error):
        return
