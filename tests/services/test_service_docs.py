"""docs/services.md: each channel has its line and its section, and the examples do what the page says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.services.conftest import Ground

from tenantproof.channels.services.catalogue import SERVICE_CHANNELS
from tenantproof.core.finding import Finding
from tenantproof.engine.services.way import in_services

PAGE = (Path(__file__).parents[2] / "docs" / "services.md").read_text(encoding="utf-8")


def examples(channel: str) -> list[str]:
    found = re.search(rf"^## {channel}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None, f"there is no section '{channel}'"
    return re.findall(r"^```sql\n(.*?)^```", found.group(1), re.MULTILINE | re.DOTALL)


def told(request: pytest.FixtureRequest, channel: str, design: str) -> tuple[Finding, ...]:
    """What is told of a design, on the database of the channel's service."""
    ground = request.getfixturevalue(channel.partition("-")[0].lower())
    assert isinstance(ground, Ground)
    with ground.with_design(f"set local search_path = public, extensions;\n{design}") as standing:
        return in_services(standing).findings


@pytest.mark.parametrize("channel", list(SERVICE_CHANNELS))
def test_leaky_examples_leak(request: pytest.FixtureRequest, channel: str) -> None:
    assert {finding.channel for finding in told(request, channel, examples(channel)[0])} == {channel}


@pytest.mark.parametrize("channel", list(SERVICE_CHANNELS))
def test_safe_examples_are_silent(request: pytest.FixtureRequest, channel: str) -> None:
    leaky, safe = examples(channel)
    assert leaky != safe
    assert told(request, channel, safe) == ()


def test_the_table_names_all_channels_with_their_weakness() -> None:
    rows = dict(re.findall(r"^\| \[`([A-Z-]+)`\]\(#[a-z-]+\) \| \w+ \| (\d+) \|", PAGE, re.MULTILINE))
    assert rows == {channel.id: str(channel.cwe) for channel in SERVICE_CHANNELS.values()}
