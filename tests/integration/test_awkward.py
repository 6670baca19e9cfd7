"""Databases that make a run difficult: it ends with what is known, or says why not, and never with a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from tenantproof.api import check, exit_code
from tenantproof.core.errors import TargetError
from tenantproof.core.finding import Verdict

AWKWARD = Path(__file__).parent / "awkward"


def scenario(name: str) -> Path:
    return AWKWARD / name / f"{name}.tenancy.yaml"


def test_what_was_read_before_the_session_was_ended_stands() -> None:
    """A policy ends the session of one tenant; what another persona read before is a leak all the same."""
    report = check(scenario("ends_the_session"))

    assert report.trouble
    assert {finding.object for finding in report.findings} == {"app.bb"}
    assert exit_code(report) == 1
    verdicts = [cell.verdict for cell in report.cells]
    assert verdicts.count(Verdict.UNTESTED) > len(verdicts) / 2


def test_a_world_that_is_refused_once_is_tried_again() -> None:
    """Tables share a sequence that a trigger draws from: what could be added once collides later."""
    report = check(scenario("draws_anew"), attempts=100)

    assert report.search is not None
    assert report.search.attempts >= 100
    assert "app.s3" in {finding.object for finding in report.findings}
    assert not any("refused it after a while" in gap.reason for gap in report.gaps)  # another try succeeds
    assert not report.trouble


def test_a_pre_request_function_that_stops_answering_is_told() -> None:
    """It counts calls, and refuses from some number on."""
    with pytest.raises(TargetError, match=r"nobody can become .* again: rate limit exceeded"):
        check(scenario("counts_calls"), attempts=0)
