"""A fingerprint is the name of a root cause: it must survive all that may differ between two runs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantproof.core.finding import Evidence, Finding, Property, Reach, Severity
from tenantproof.core.model import Command, Place

CLEAN = Finding(
    property=Property.VISIBILITY,
    channel="READ",
    severity=Severity.CRITICAL,
    reach=Reach.API,
    object="public.workflows",
    command=Command.SELECT,
    title="Rows of public.workflows are read.",
    cause="workflows_select",
    explanation="why",
    fix="how",
    cwe=639,
    personas=("acme.viewer",),
    evidence=(),
    replay="begin;",
)
WORDS = st.text(max_size=30)
EVIDENCE = st.builds(
    Evidence, persona=WORDS, statement=WORDS, expected=WORDS, observed=WORDS, rows=st.lists(WORDS).map(tuple)
)
UNIMPORTANT = st.fixed_dictionaries(
    {},
    optional={
        "severity": st.sampled_from(Severity),
        "reach": st.sampled_from(Reach),
        **dict.fromkeys(("title", "explanation", "fix", "replay", "policy_text", "accepted"), WORDS),
        "cwe": st.integers(1, 2000),
        "personas": st.lists(WORDS, max_size=3).map(tuple),
        "evidence": st.lists(EVIDENCE, max_size=2).map(tuple),
        "commands": st.lists(st.sampled_from(Command), max_size=4).map(tuple),
        "policy": st.none() | WORDS,
        "file": st.none() | WORDS,
        "line": st.none() | st.integers(1, 10_000),
        "place": st.none() | st.builds(Place, WORDS, st.integers(1, 99), st.integers(1, 99)),
    },
)
"""Wording, witnesses with their ids, and places: all that a new seed or a moved file changes."""

CORE = {
    "property": st.sampled_from(Property),
    "channel": WORDS,
    "object": WORDS,
    "command": st.sampled_from(Command),
    "cause": WORDS,
}


@given(UNIMPORTANT)
def test_wording_witnesses_and_places_do_not_change_it(changes: dict[str, object]) -> None:
    assert replace(CLEAN, **changes).fingerprint == CLEAN.fingerprint  # type: ignore[arg-type]


@pytest.mark.parametrize("field", sorted(CORE))
@given(data=st.data())
def test_every_part_of_the_root_cause_changes_it(field: str, data: st.DataObject) -> None:
    other = data.draw(CORE[field].filter(lambda value: value != getattr(CLEAN, field)))
    changes: dict[str, object] = {field: other}
    assert replace(CLEAN, **changes).fingerprint != CLEAN.fingerprint  # type: ignore[arg-type]


@given(st.fixed_dictionaries(CORE), UNIMPORTANT)
def test_it_is_short_and_fit_for_a_command_line(core: dict[str, object], rest: dict[str, object]) -> None:
    fingerprint = replace(CLEAN, **core, **rest).fingerprint  # type: ignore[arg-type]
    assert len(fingerprint) == 12
    assert set(fingerprint) <= set("0123456789abcdef")


def test_it_never_changes_between_versions() -> None:
    """People commit fingerprints to `accept` lists and baselines: a new way to compute them is a breaking change."""
    assert CLEAN.fingerprint == "937608c6bc77"


def test_severities_rank_from_info_to_critical() -> None:
    assert sorted(Severity, key=lambda severity: severity.rank) == [
        *(Severity.INFO, Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL)
    ]
