"""From groups of catches to findings, in words for people."""

from __future__ import annotations

from collections.abc import Sequence

from tenantproof.core.attempt import Observation
from tenantproof.core.finding import Evidence, Finding, Property, Severity
from tenantproof.engine.findings import FUNCTION, Locate
from tenantproof.engine.interference.catch import Catch, Mechanism, Root
from tenantproof.engine.interference.merging import Group, grouped
from tenantproof.engine.interference.scene import Scene
from tenantproof.engine.interference.scripts import script
from tenantproof.engine.interference.weight import reach_of
from tenantproof.engine.interference.wording import explanation_of, fix_of, title_of
from tenantproof.properties.integrity import Breach

CONFIDENTIALITY, INTEGRITY, SEQUENCE = "INTERFERENCE", "SIDE-EFFECT", "SEQ-GAP"
_SHOWN_ROWS = 8
_SHOWN_TEXT = 160


def findings_of(scene: Scene, catches: Sequence[Catch], locate: Locate) -> list[Finding]:
    """One finding per root cause, worst first."""
    found = [_finding(scene, group, locate) for group in grouped(catches, scene.plan.catalog)]
    return sorted(found, key=lambda finding: (-finding.severity.rank, finding.object, finding.fingerprint))


def _finding(scene: Scene, group: Group, locate: Locate) -> Finding:
    catch, root = group.telling, group.root
    assert catch.severity is not None
    damaged = catch.property is Property.INTEGRITY
    place = locate(root.object, FUNCTION if root.mechanism is Mechanism.FUNCTION else None)
    commands = group.commands
    return Finding(
        property=catch.property,
        channel=SEQUENCE if root.mechanism is Mechanism.SEQUENCE else INTEGRITY if damaged else CONFIDENTIALITY,
        severity=catch.severity,
        reach=reach_of(scene, catch.program),
        object=str(root.object),
        objects=group.objects,
        command=commands[0],
        commands=commands,
        title=title_of(root, catch),
        cause=_cause(root),
        explanation=explanation_of(root, catch),
        fix=fix_of(root),
        cwe=_weakness(catch),
        personas=_in_order(scene, group.witnesses),
        evidence=(_evidence(catch),),
        replay=script(scene, catch),
        file=place[0] if place else None,
        line=place[1] if place else None,
    )


def _cause(root: Root) -> str:
    """The same in every run: which statement was met first is not part of it."""
    if root.mechanism in (Mechanism.CONSTRAINT, Mechanism.REQUEST):
        return root.key
    return root.mechanism.value


def _weakness(catch: Catch) -> int:
    """CWE-639 for writes by a key of somebody else, 203 for an observable discrepancy, 200 for content shown."""
    if catch.property is Property.INTEGRITY:
        return 639
    return 200 if catch.severity is not None and catch.severity.rank > Severity.MEDIUM.rank else 203


def _in_order(scene: Scene, names: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in scene.plan.identities if name in names)


def _evidence(catch: Catch) -> Evidence:
    statement = catch.program.text
    if catch.program.variation.words:
        statement = f"-- {catch.program.variation.words}\n{statement}"
    if catch.breaches:
        return Evidence(
            persona=catch.witnesses[0],
            statement=statement,
            expected="no row of others changes",
            observed=_hurt(catch),
            behind=_behind(catch) if catch.world is not None else "",
            rows=tuple(dict.fromkeys(map(_changed, catch.breaches)))[:_SHOWN_ROWS],
        )
    return Evidence(
        persona=catch.witnesses[0],
        statement=statement,
        expected="the same in both worlds",
        observed=f"world 1: {_short(catch.first[catch.at])}; world 2: {_short(catch.second[catch.at])}",
        behind=_behind(catch),
        world_1=lines_of(catch.first[catch.at]),
        world_2=lines_of(catch.second[catch.at]),
    )


def _behind(catch: Catch) -> str:
    if catch.world is None:
        return ""
    told = [
        happening.words + (f" ({', '.join(happening.columns)})" if happening.columns else "")
        for happening in catch.world.happenings
    ]
    return "; ".join(told[:3]) + (f"; and {len(told) - 3} more" if len(told) > 3 else "")


def _hurt(catch: Catch) -> str:
    count = len(catch.breaches)
    relations = ", ".join(dict.fromkeys(str(breach.change.relation) for breach in catch.breaches))
    raised = " (a role or membership was gained)" if any(breach.raised for breach in catch.breaches) else ""
    rows = "1 row that is" if count == 1 else f"{count} rows that are"
    return f"{rows} not theirs changed in {relations}{raised}"


def _changed(breach: Breach) -> str:
    done = {"insert": "inserted into", "update": "updated in", "delete": "deleted from"}[breach.change.command.value]
    return f"a row {done} {breach.change.relation}"


def _short(observation: Observation) -> str:
    words = observation.in_words()
    return words if len(words) <= _SHOWN_TEXT else words[: _SHOWN_TEXT - 1] + "…"


def lines_of(observation: Observation) -> tuple[str, ...]:
    """All that was perceived, line by line; who shows it shortens it."""
    if observation.refused:
        said = [f"{observation.sqlstate} {observation.message}"]
        said += [f"detail: {observation.detail}"] if observation.detail else []
        said += [f"hint: {observation.hint}"] if observation.hint else []
        said += [f"constraint: {observation.constraint}"] if observation.constraint else []
    else:
        said = [
            " | ".join("NULL" if value is None else value for value in row) for row in sorted(observation.rows, key=str)
        ]
        said.append(f"({observation.count} row{'' if observation.count == 1 else 's'})")
    said += [f"notice: {notice}" for notice in observation.notices]
    return tuple(said)
