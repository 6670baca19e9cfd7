"""What kinds of finding there are, for formats that declare all of them whether or not one was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

import tenantproof.channels.matrix  # noqa: F401  (importing it fills the catalogue)
from tenantproof.channels.pooled.catalogue import POOLED_CHANNELS, PooledChannel
from tenantproof.channels.registry import CHANNELS, Channel
from tenantproof.channels.rest.catalogue import REST_CHANNELS, RestChannel
from tenantproof.channels.services.catalogue import SERVICE_CHANNELS, ServiceChannel
from tenantproof.core.finding import Finding, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One kind of finding.  `severity` is the worst that it usually is."""

    id: str
    title: str
    explanation: str
    fix: str
    cwes: tuple[int, ...]
    severity: Severity


_BEYOND_THE_MATRIX = (
    Rule(
        id="OVER-BLOCKED",
        title="People cannot reach rows that the scenario promises them.",
        explanation="The scenario declares more than the database allows, so nothing here proves that the right people "
        "are let in and the wrong ones kept out.",
        fix="Widen the policy or grant, or correct the expect line.",
        cwes=(863,),
        severity=Severity.MEDIUM,
    ),
    Rule(
        id="INTERFERENCE",
        title="What a person perceives depends on rows of others.",
        explanation="The same statements were run twice, and between the two only rows changed that this person is not "
        "entitled to: the answers differ.",
        fix="Let the function, view, trigger or constraint that answers ask for the caller's tenant.",
        cwes=(200, 203),
        severity=Severity.CRITICAL,
    ),
    Rule(
        id="SIDE-EFFECT",
        title="A person's statements change rows of others by a detour.",
        explanation="A cascade, a trigger or a function with the rights of its owner reaches rows that the policies "
        "would not have let this person change.",
        fix="Put the tenant into the foreign key, or compare it in the trigger or function.",
        cwes=(639,),
        severity=Severity.CRITICAL,
    ),
    Rule(
        id="SEQ-GAP",
        title="Serial numbers tell how many rows others have.",
        explanation="One sequence numbers the rows of all tenants, so its gaps tell how much the others write.",
        fix="Use random keys, or accept the finding if the volume is no secret.",
        cwes=(203,),
        severity=Severity.LOW,
    ),
    Rule(
        id="MEMBER-LIFE",
        title="Rights outlive a membership or a role.",
        explanation="Rights were right before a membership changed, and are wrong after it: something that policies "
        "read was not changed with it.",
        fix="Look the membership up where it is kept, or let everything that grants access go with it.",
        cwes=(863,),
        severity=Severity.CRITICAL,
    ),
)
"""What the engine reports under its own ids; a test holds that none is missing."""


@cache
def rules() -> Mapping[str, Rule]:
    """Every rule by its id, those of the catalogue of channels first."""
    known = [*map(_of_channel, CHANNELS.values()), *_BEYOND_THE_MATRIX, *map(_of_rest, REST_CHANNELS.values())]
    known += map(_of_rest, SERVICE_CHANNELS.values())
    known += map(_of_rest, POOLED_CHANNELS.values())
    return MappingProxyType({rule.id: rule for rule in known})


def rule_of(finding: Finding) -> Rule:
    """The rule of a finding; made from the finding where a run of another version knew a channel that we do not."""
    return rules().get(finding.channel) or Rule(
        id=finding.channel,
        title=finding.title,
        explanation=finding.explanation,
        fix=finding.fix,
        cwes=(finding.cwe,) if finding.cwe else (),
        severity=finding.severity,
    )


def _of_channel(channel: Channel) -> Rule:
    return Rule(
        id=channel.id,
        title=channel.title.format(object="a table"),
        explanation=channel.explanation,
        fix=channel.fix,
        cwes=(channel.cwe,),
        severity=Severity.CRITICAL,
    )


def _of_rest(channel: RestChannel | ServiceChannel | PooledChannel) -> Rule:
    return Rule(
        id=channel.id,
        title=channel.title.format(object="a table"),
        explanation=channel.explanation,
        fix=channel.fix,
        cwes=(channel.cwe,),
        severity=channel.severity,
    )
