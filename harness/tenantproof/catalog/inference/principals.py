"""Where the caller's identity comes from, as expressions name it: auth.uid(), claims, settings, headers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from tenantproof.catalog.inference.tokens import Token, closing


class Principal(NamedTuple):
    """Where the caller's identity comes from: `user` (auth.uid()), `claim`, `setting` or `header`, with its name."""

    kind: str
    path: tuple[str, ...] = ()


USER = Principal("user")

_STEPS = frozenset({"->", "->>", "#>", "#>>"})


def settings_in(tokens: Sequence[Token]) -> Iterator[Principal]:
    """Settings and headers that a function reads, whatever it does with them: the session has to set them."""
    for place, token in enumerate(tokens[:-1]):
        if token.kind == "name" and token.parts[-1] == "current_setting" and tokens[place + 1].text == "(":
            end = closing(tokens, place + 1)
            literal = next((t.literal for t in tokens[place + 2 : end] if t.kind == "text"), "")
            for principal in of_setting(literal, steps_from(tokens, end + 1)):
                if principal.kind in ("setting", "header"):
                    yield principal


def steps_from(tokens: Sequence[Token], place: int) -> tuple[str, ...]:
    """The names that JSON operators go down from a place on, through brackets and casts."""
    found: list[str] = []
    while place < len(tokens):
        token = tokens[place]
        if token.kind == "operator" and token.text in _STEPS and place + 1 < len(tokens):
            step = tokens[place + 1]
            if step.kind != "text":
                break
            found += step.literal.strip("{}").split(",") if "#" in token.text else [step.literal]
            place += 1
            while place + 2 < len(tokens) and tokens[place + 1].kind == "cast":
                place += 2
        elif token.kind == "cast" or token.says("as"):
            place += 1
        elif token.kind not in ("close", "text", "mark") or token.text not in "),''":
            break
        place += 1
    return tuple(found)


def of_claim(path: tuple[str, ...]) -> set[Principal]:
    if path == ("sub",):
        return {USER}
    return {Principal("claim", path)} if path else set()


def of_setting(name: str, steps: tuple[str, ...]) -> set[Principal]:
    plain = name.lower()
    if plain in ("request.jwt.claims", "request.jwt.claim", "request.jwt"):
        return of_claim(steps)
    if plain.startswith("request.jwt.claim."):
        return of_claim((plain.removeprefix("request.jwt.claim."),))
    if plain == "request.headers":
        return {Principal("header", steps)} if steps else set()
    return {Principal("setting", (name,))} if "." in name else set()


def claim_named_by(tokens: Sequence[Token], parameters: Mapping[str, int]) -> int | None:
    """The parameter after ->> where a function answers the claim it is asked for."""
    speaks_of_claims = any("jwt" in part for t in tokens for part in (*t.parts, t.text if t.kind == "text" else ""))
    if not speaks_of_claims:
        return None
    for place, token in enumerate(tokens[:-1]):
        if token.text in ("->>", "->"):
            following = tokens[place + 1]
            if following.kind == "parameter":
                return int(following.text[1:]) - 1
            if following.parts and following.parts[-1] in parameters:
                return parameters[following.parts[-1]]
    return None
