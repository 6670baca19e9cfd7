"""Durations as people write them."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from tenantproof.cli.durations import in_words, seconds_of
from tenantproof.cli.fuzz import command


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1s", 1), ("90s", 90), ("30m", 1800), ("2h", 7200), ("1h30m", 5400), ("1h0m5s", 3605), ("2M", 120)],
)
def test_durations(text: str, seconds: float) -> None:
    """Hours, minutes and seconds, in this order."""
    assert seconds_of(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "0s", "0h0m", "30", "m", "-5m", "1.5h", "5m1h", "30 m", "1d", "soon", "٣s", "9" * 400 + "h"]
)
def test_what_is_no_duration(text: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(ValueError, match="no duration"):
        seconds_of(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [("30", "did you mean 30s or 30m?"), ("soon", "write 90s, 30m, 2h or 1h30m"), ("-5m", "'-5m' is no duration")],
)
def test_a_wrong_duration_is_a_usage_error(text: str, said: str) -> None:
    """It exits with 2 before anything is started, and says what to write."""
    done = CliRunner().invoke(command, ["app.tenancy.yaml", "--for", text])

    assert done.exit_code == 2
    assert "--for" in done.output
    assert said in " ".join(done.output.split())


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-1, "0s"), (0.4, "0s"), (59.4, "59s"), (59.6, "1m 00s"), (245, "4m 05s"), (5400, "1h 30m"), (90000, "25h 00m")],
)
def test_time_left_in_words(seconds: float, words: str) -> None:
    """Rounded to what one wants to know, and never less than nothing."""
    assert in_words(seconds) == words
