"""Row level security: the flags of tables, and their policies."""

from __future__ import annotations

from collections.abc import Iterator

from tenantproof.core.catalog import Policy, Relation
from tenantproof.core.drift import Difference, Direction
from tenantproof.core.finding import Severity
from tenantproof.core.model import Command
from tenantproof.drift.scope import Both, Pair
from tenantproof.drift.wording import ABSENT, bare, listed, policy_words

_EVERY_ROW = "true"


def policies(pair: Pair) -> Iterator[Difference]:
    """Differences in row level security of relations that both sides have."""
    for both in pair.relations:
        yield from _flags(both)
        ours = {policy.name: policy for policy in both.ours.policies}
        live = {policy.name: policy for policy in both.live.policies}
        for name in sorted(ours.keys() | live.keys()):
            if name not in live:
                yield _missing(ours[name])
            elif name not in ours:
                yield _extra(live[name])
            else:
                yield from _changed(ours[name], live[name])


def _flags(both: Both) -> Iterator[Difference]:
    if both.ours.rls != both.live.rls:
        off = both.ours.rls
        yield Difference(
            kind="rls-disabled" if off else "rls-enabled",
            severity=Severity.CRITICAL if off else Severity.LOW,
            direction=Direction.MORE_OPEN if off else Direction.LESS_OPEN,
            object=str(both.name),
            part="row level security",
            migrations=_on(both.ours.rls),
            live=_on(both.live.rls),
            why="No policy of the table is asked: whoever holds a grant reaches every row." if off else "",
        )
    if both.ours.force_rls != both.live.force_rls:
        lost = both.ours.force_rls
        yield Difference(
            kind="rls-not-forced" if lost else "rls-forced",
            severity=Severity.HIGH if lost else Severity.LOW,
            direction=Direction.MORE_OPEN if lost else Direction.LESS_OPEN,
            object=str(both.name),
            part="row level security",
            migrations=_forced(both.ours),
            live=_forced(both.live),
            why="The table's owner, and what runs as the owner, passes by the policies." if lost else "",
        )


def _on(enabled: bool) -> str:
    return "enabled" if enabled else "disabled"


def _forced(relation: Relation) -> str:
    return "forced on the owner" if relation.force_rls else "not forced on the owner"


def _missing(policy: Policy) -> Difference:
    return Difference(
        kind="policy-missing",
        severity=Severity.MEDIUM if policy.permissive else Severity.CRITICAL,
        direction=Direction.LESS_OPEN if policy.permissive else Direction.MORE_OPEN,
        object=str(policy.table),
        part=f"policy {policy.name}",
        migrations=policy_words(policy),
        live=ABSENT,
        why="" if policy.permissive else "A restrictive policy kept rows back; without it they pass.",
    )


def _extra(policy: Policy) -> Difference:
    return Difference(
        kind="policy-extra",
        severity=Severity.CRITICAL if policy.permissive else Severity.LOW,
        direction=Direction.MORE_OPEN if policy.permissive else Direction.LESS_OPEN,
        object=str(policy.table),
        part=f"policy {policy.name}",
        migrations=ABSENT,
        live=policy_words(policy),
        why="Permissive policies are joined by OR: it lets rows through whatever the others say."
        if policy.permissive
        else "",
    )


def _changed(ours: Policy, live: Policy) -> Iterator[Difference]:
    yield from _permissive(ours, live)
    yield from _command(ours, live)
    yield from _roles(ours, live)
    yield from _expression(ours, "using", ours.using, live.using)
    if ours.check is not None or live.check is not None:
        yield from _expression(ours, "check", _checked(ours), _checked(live))


def _permissive(ours: Policy, live: Policy) -> Iterator[Difference]:
    if ours.permissive == live.permissive:
        return
    yield Difference(
        kind="policy-permissive",
        severity=Severity.CRITICAL if live.permissive else Severity.MEDIUM,
        direction=Direction.MORE_OPEN if live.permissive else Direction.LESS_OPEN,
        object=str(ours.table),
        part=f"policy {ours.name}",
        migrations="permissive" if ours.permissive else "restrictive",
        live="permissive" if live.permissive else "restrictive",
        why="What kept rows back now lets rows through." if live.permissive else "",
    )


def _command(ours: Policy, live: Policy) -> Iterator[Difference]:
    if ours.command is live.command:
        return
    if ours.command is not None and live.command is not None:
        severity, direction = Severity.HIGH, Direction.DIFFERENT
    else:
        severity, direction = _judged(wider=(live.command is None) == live.permissive, severity=Severity.CRITICAL)
    yield Difference(
        kind="policy-command",
        severity=severity,
        direction=direction,
        object=str(ours.table),
        part=f"policy {ours.name}",
        migrations=f"for {_command_words(ours.command)}",
        live=f"for {_command_words(live.command)}",
    )


def _command_words(command: Command | None) -> str:
    return command.value if command is not None else "all"


def _roles(ours: Policy, live: Policy) -> Iterator[Difference]:
    if set(ours.roles) == set(live.roles):
        return
    more = "public" in live.roles or ("public" not in ours.roles and not set(live.roles) <= set(ours.roles))
    severity, direction = _judged(wider=more == live.permissive, severity=Severity.HIGH)
    yield Difference(
        kind="policy-roles",
        severity=severity,
        direction=direction,
        object=str(ours.table),
        part=f"policy {ours.name}",
        migrations=f"to {listed(ours.roles)}",
        live=f"to {listed(live.roles)}",
    )


def _expression(policy: Policy, what: str, here: str | None, there: str | None) -> Iterator[Difference]:
    if here == there:
        return
    if bare(there) == _EVERY_ROW:
        severity, direction = Severity.CRITICAL, Direction.MORE_OPEN
    elif bare(here) == _EVERY_ROW:
        severity, direction = Severity.LOW, Direction.LESS_OPEN
    else:
        severity, direction = Severity.HIGH, Direction.DIFFERENT
    yield Difference(
        kind=f"policy-{what}",
        severity=severity,
        direction=direction,
        object=str(policy.table),
        part=f"policy {policy.name}",
        migrations=_words(what, here),
        live=_words(what, there),
        why="Every row passes." if bare(there) == _EVERY_ROW else "",
    )


def _words(what: str, expression: str | None) -> str:
    clause = "using" if what == "using" else "with check"
    return f"{clause} ({bare(expression)})" if expression is not None else f"no {clause}"


def _checked(policy: Policy) -> str | None:
    """What a new row must satisfy: WITH CHECK, or USING where that is left out.

    PostgreSQL docs, CREATE POLICY: "If only a USING clause is specified, it will be used for both".
    """
    if policy.command in (Command.SELECT, Command.DELETE):
        return None
    return policy.check if policy.check is not None else policy.using


def _judged(*, wider: bool, severity: Severity) -> tuple[Severity, Direction]:
    return (severity, Direction.MORE_OPEN) if wider else (Severity.LOW, Direction.LESS_OPEN)
