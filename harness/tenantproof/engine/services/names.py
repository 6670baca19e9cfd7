"""Names that look like something they are not: of files, and of tenants."""

from __future__ import annotations

from collections.abc import Iterator

ACUTE, ZERO_WIDTH, SOFT_HYPHEN = "\u0301", "\u200b", "\u00ad"
_FULL_WIDTH = 0xFEE0
_LONG = 700

WILDCARDS = {"LIKE's % as the folder": "%", "the regular expression .* as the folder": ".*"}
"""Folders that are everybody's where the folder is taken for a pattern."""


def odd_names(name: str, theirs: str, mine: str) -> Iterator[tuple[str, str]]:
    """(words, name): variants of a file's name in the victim's folder; *theirs* and *mine* stand for the folders.

    *mine* is empty for somebody who has none.
    """
    seen = {name}
    for words, variant in _variants(name, theirs, mine):
        if variant not in seen and "\x00" not in variant:
            seen.add(variant)
            yield words, variant


def _variants(name: str, theirs: str, mine: str) -> Iterator[tuple[str, str]]:
    head, _, rest = name.partition(theirs)
    tail = rest.lstrip("/")
    if mine:
        yield "the own folder inside the other's", f"{head}{theirs}/{mine}/{tail}"
        yield "the own folder at the end", f"{head}{theirs}{rest}/{mine}/f.txt"
        yield "the own folder's name in the file's", f"{head}{theirs}{rest}-{mine}.txt"
        yield "both folders in one, the other's first", f"{head}{theirs},{mine}/{tail}"
        yield "both folders in one, the own first", f"{head}{mine},{theirs}/{tail}"
        yield "out of the own folder by ..", f"{head}{mine}/../{theirs}{rest}"
        yield "out of the own folder by an encoded ..", f"{head}{mine}/%2e%2e/{theirs}{rest}"
        yield "out of the own folder by an encoded slash", f"{head}{mine}%2F..%2F{theirs}{rest}"
        yield "into the own folder by ..", f"{head}{theirs}/../{mine}/{tail}"
    yield "a leading slash", f"/{name}"
    yield "two leading slashes", f"//{name}"
    yield "a leading ./", f"./{name}"
    yield "a doubled slash", f"{head}{theirs}//{tail}"
    yield "a . segment", f"{head}{theirs}/./{tail}"
    yield "an empty file name", f"{head}{theirs}/"
    yield "an encoded slash", f"{head}{theirs}%2F{tail}"
    yield "a backslash", f"{head}{theirs}\\{tail}"
    yield "a trailing blank", f"{head}{theirs} {rest}"
    yield "a leading blank", f"{head} {theirs}{rest}"
    yield "a trailing dot", f"{head}{theirs}.{rest}"
    yield "a tab", f"{head}{theirs}\t{rest}"
    yield "upper case", f"{head}{theirs.upper()}{rest}"
    yield "lower case", f"{head}{theirs.lower()}{rest}"
    yield "a longer folder", f"{head}{theirs}-evil{rest}"
    yield "a shorter folder", f"{head}{theirs[: max(len(theirs) // 2, 1)]}{rest}"
    yield "full-width letters", f"{head}{full_width(theirs)}{rest}"
    yield "a combining accent", f"{head}{theirs}{ACUTE}{rest}"
    yield "a letter of no width", f"{head}{theirs}{ZERO_WIDTH}{rest}"
    yield "a very long name", f"{head}{theirs}/{'x' * _LONG}"
    for words, wildcard in WILDCARDS.items():
        yield words, f"{head}{wildcard}{rest}"
    yield "LIKE's _ in the folder", f"{head}_{theirs[1:]}{rest}"


def resembling(theirs: str) -> Iterator[tuple[str, str]]:
    """(words, value): what a tenant could be called so that it is taken for the one called *theirs*."""
    seen = {theirs}
    for words, value in _resembling(theirs):
        if value not in seen:
            seen.add(value)
            yield words, value


def _resembling(theirs: str) -> Iterator[tuple[str, str]]:
    if len(theirs) > 1:
        yield "a prefix of the other's name", theirs[:-1]
        yield "the end of the other's name", theirs[1:]
        yield "LIKE's _ for a letter", f"_{theirs[1:]}"
        yield "a dot for a letter", f".{theirs[1:]}"
    yield "another case", theirs.upper() if theirs.upper() != theirs else theirs.lower()
    yield "LIKE's %", "%"
    yield "the regular expression .*", ".*"
    yield "an alternative of a regular expression", f"x|{theirs}"
    yield "a trailing blank", f"{theirs} "
    yield "a leading blank", f" {theirs}"
    yield "a trailing slash", f"{theirs}/"
    yield "a trailing dot", f"{theirs}."
    yield "full-width letters", full_width(theirs)
    yield "a combining accent", theirs + ACUTE
    yield "a soft hyphen", theirs + SOFT_HYPHEN
    yield "nothing", ""


def full_width(text: str) -> str:
    """The text in letters that NFKC folds to the plain ones."""
    return "".join(
        chr(ord(letter) + _FULL_WIDTH) if "!" <= letter <= "~" and letter not in "/-" else letter for letter in text
    )
