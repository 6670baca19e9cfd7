"""Functions: what they do, as whom, and who may call them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tenantproof.core.catalog import Function
from tenantproof.core.drift import Difference, Direction
from tenantproof.core.finding import Severity
from tenantproof.drift.body import meaning
from tenantproof.drift.making import difference
from tenantproof.drift.scope import Pair
from tenantproof.drift.wording import ABSENT, listed, signature

_VOLATILITY = {"i": "immutable", "s": "stable", "v": "volatile"}
_KINDS = {"f": "function", "p": "procedure", "a": "aggregate", "w": "window function"}


def functions(pair: Pair) -> Iterator[Difference]:
    """Differences in functions of the project's schemas."""
    ours, live = pair.functions(pair.ours), pair.functions(pair.live)
    asked = _asked_by_policies(pair)
    for key in sorted(ours.keys() | live.keys()):
        if key not in live:
            yield _missing(ours[key])
        elif key not in ours:
            yield _extra(pair, live[key])
        else:
            yield from _changed(pair, ours[key], live[key], policy=key[0].name in asked)


def _asked_by_policies(pair: Pair) -> frozenset[str]:
    """Bare names of whatever policies of either side call."""
    expressions = (
        expression or ""
        for side in (pair.ours, pair.live)
        for relation in side.catalog.relations.values()
        for policy in relation.policies
        for expression in (policy.using, policy.check)
    )
    return frozenset(name for text in expressions for name in re.findall(r'([\w$]+)"?\(', text))


def _missing(function: Function) -> Difference:
    return difference(
        signature(function), "", "function-missing", Severity.MEDIUM, Direction.LESS_OPEN, _kind(function), ABSENT
    )


def _extra(pair: Pair, function: Function) -> Difference:
    callers = _callers(pair, function)
    open_door = function.security_definer and bool(callers & (pair.anonymous | pair.signed_in))
    why = f"It runs with the rights of {function.owner}, and {listed(callers)} may call it." if open_door else ""
    rights = ", security definer" if function.security_definer else ""
    return difference(
        signature(function),
        "",
        "function-extra",
        Severity.HIGH if open_door else Severity.LOW,
        Direction.MORE_OPEN,
        ABSENT,
        f"{_kind(function)}{rights}",
        why,
    )


def _changed(pair: Pair, ours: Function, live: Function, *, policy: bool) -> Iterator[Difference]:
    yield from _rights(ours, live)
    yield from _body(ours, live, policy=policy)
    yield from _search_path(ours, live)
    yield from _callable(pair, ours, live)
    yield from _declared(ours, live)


def _rights(ours: Function, live: Function) -> Iterator[Difference]:
    if ours.security_definer != live.security_definer:
        gained = live.security_definer
        yield difference(
            signature(ours),
            "rights",
            "function-definer" if gained else "function-invoker",
            Severity.CRITICAL if gained else Severity.MEDIUM,
            Direction.MORE_OPEN if gained else Direction.LESS_OPEN,
            _as_whom(ours),
            _as_whom(live),
            f"It passes by the policies that do not apply to {live.owner}." if gained else "",
        )
    if ours.owner != live.owner and live.security_definer and ours.security_definer:
        yield difference(
            signature(ours),
            "rights",
            "function-owner",
            Severity.MEDIUM,
            Direction.DIFFERENT,
            _as_whom(ours),
            _as_whom(live),
        )
    if ours.leakproof != live.leakproof:
        severity = Severity.HIGH if live.leakproof else Severity.LOW
        direction = Direction.MORE_OPEN if live.leakproof else Direction.LESS_OPEN
        here, there = ("leakproof" if f.leakproof else "not leakproof" for f in (ours, live))
        yield difference(signature(ours), "leakproof", "function-leakproof", severity, direction, here, there)


def _as_whom(function: Function) -> str:
    return f"security definer, owned by {function.owner}" if function.security_definer else "security invoker"


def _body(ours: Function, live: Function, *, policy: bool) -> Iterator[Difference]:
    here, there = meaning(ours), meaning(live)
    if here == there:
        return
    trusted = policy or live.security_definer
    yield difference(
        signature(ours),
        "body",
        "function-body",
        Severity.HIGH if trusted else Severity.MEDIUM,
        Direction.DIFFERENT,
        here,
        there,
        "Policies call it." if policy else "It runs with the rights of its owner." if live.security_definer else "",
    )


def _search_path(ours: Function, live: Function) -> Iterator[Difference]:
    if sorted(ours.settings) == sorted(live.settings):
        return
    here, there = (_path(function) for function in (ours, live))
    loose = live.security_definer and here is not None and there is None
    yield difference(
        signature(ours),
        "settings",
        "function-search-path" if here != there else "function-settings",
        Severity.HIGH if loose else Severity.MEDIUM if live.security_definer else Severity.LOW,
        Direction.MORE_OPEN if loose else Direction.DIFFERENT,
        ", ".join(sorted(ours.settings)) or "none",
        ", ".join(sorted(live.settings)) or "none",
        "Whoever calls it chooses which objects its names mean." if loose else "",
    )


def _path(function: Function) -> str | None:
    return next((setting for setting in function.settings if setting.startswith("search_path=")), None)


def _callable(pair: Pair, ours: Function, live: Function) -> Iterator[Difference]:
    here, there = _callers(pair, ours), _callers(pair, live)
    if more := there - here:
        severity = max((pair.exposure(grantee) for grantee in more), key=lambda s: s.rank)
        if not live.security_definer:
            severity = min(severity, Severity.MEDIUM, key=lambda s: s.rank)
        yield difference(
            signature(ours), "execute", "execute-extra", severity, Direction.MORE_OPEN, listed(here), listed(there)
        )
    if here - there:
        yield difference(
            signature(ours),
            "execute",
            "execute-missing",
            Severity.LOW,
            Direction.LESS_OPEN,
            listed(here),
            listed(there),
        )


def _callers(pair: Pair, function: Function) -> frozenset[str]:
    return frozenset(g for g in function.executable_by if pair.judged_grantee(g, function.owner))


def _declared(ours: Function, live: Function) -> Iterator[Difference]:
    if ours.volatility != live.volatility:
        here, there = (_VOLATILITY.get(f.volatility, f.volatility) for f in (ours, live))
        yield difference(
            signature(ours), "volatility", "function-volatility", Severity.LOW, Direction.DIFFERENT, here, there
        )
    here, there = (f"{_kind(f)} returning {f.returns or 'nothing'}, in {f.language}" for f in (ours, live))
    if here != there:
        yield difference(
            signature(ours), "declaration", "function-returns", Severity.MEDIUM, Direction.DIFFERENT, here, there
        )


def _kind(function: Function) -> str:
    return _KINDS.get(function.kind, "function")
