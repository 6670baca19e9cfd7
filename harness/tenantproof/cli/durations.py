"""Durations as people write them: 90s, 30m, 2h, 1h30m."""

from __future__ import annotations

import re

import click

_FORM = re.compile(r"(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,6})s)?")

_NONE = "no duration"


def duration(ctx: click.Context, param: click.Parameter, value: str) -> float:
    """The seconds of an option's value.  A wrong one ends with exit code 2 and what to write instead."""
    text = value.strip()
    try:
        return seconds_of(text)
    except ValueError:
        unit = f"; did you mean {text}s or {text}m?" if re.fullmatch("[1-9][0-9]{0,5}", text) else ""
        said = f"'{value}' is no duration: write 90s, 30m, 2h or 1h30m{unit}"
        raise click.BadParameter(said, ctx=ctx, param=param) from None


def seconds_of(text: str) -> float:
    """The seconds of a duration: hours, minutes and seconds in this order, at least one of them.

    Raises ValueError where it is none, or no time at all.
    """
    parts = _FORM.fullmatch(text.lower())
    if parts is None:
        raise ValueError(_NONE)
    hours, minutes, seconds = (int(part or 0) for part in parts.groups())
    total = 3600 * hours + 60 * minutes + seconds
    if not total:
        raise ValueError(_NONE)
    return float(total)


def in_words(seconds: float) -> str:
    """The other way round, rounded: 12s, 4m 05s, 1h 30m."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02}s"
    return f"{whole // 3600}h {whole % 3600 // 60:02}m"
