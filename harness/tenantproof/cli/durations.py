"""Durations as people write them: 90s, 30m, 2h, 1h30m."""

from __future__ import annotations

import re

import click

_FORM = re.compile(r"(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,6})s)?")


class Duration(click.ParamType):
    """A duration on the command line; its value is a number of seconds greater than 0."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The seconds.  A wrong duration ends with exit code 2 and what to write instead."""
        if isinstance(value, float):
            return value
        text = str(value).strip()
        try:
            return seconds_of(text)
        except ValueError:
            unit = f"; did you mean {text}s or {text}m?" if re.fullmatch("[1-9][0-9]{0,5}", text) else ""
            self.fail(f"'{text}' is no duration: write 90s, 30m, 2h or 1h30m{unit}", param, ctx)


def seconds_of(text: str) -> float:
    """The seconds of a duration: hours, minutes and seconds in this order, at least one of them.

    Raises ValueError where it is none, or no time at all.
    """
    parts = _FORM.fullmatch(text.lower())
    if parts is None:
        raise ValueError(text)
    hours, minutes, seconds = (int(part or 0) for part in parts.groups())
    total = 3600 * hours + 60 * minutes + seconds
    if not total:
        raise ValueError(text)
    return float(total)


def in_words(seconds: float) -> str:
    """The other way round, rounded: 12s, 4m 05s, 1h 30m."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02}s"
    return f"{whole // 3600}h {whole % 3600 // 60:02}m"
