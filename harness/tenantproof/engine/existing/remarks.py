"""What a run that only reads cannot try, and what the catalog alone says about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from tenantproof.core.catalog import Catalog, Function, Policy, Relation
from tenantproof.core.model import Command, QName
from tenantproof.core.report import Gap
from tenantproof.engine.interference.outward import reason_not_to_call
from tenantproof.engine.plan import PLATFORM_SCHEMAS, Plan
from tenantproof.engine.suspects import calls_in

_SAFE = {"i": "IMMUTABLE", "s": "STABLE"}
_WRITES = (Command.INSERT, Command.UPDATE, Command.DELETE)


def gaps(plan: Plan) -> Iterator[Gap]:
    """What is not tried in this mode, each with the reason."""
    yield Gap(
        object="INSERT, UPDATE and DELETE",
        reason="not tried: --writes never reads only what is there; --writes rollback tries writes, too",
    )
    yield Gap(object="the search for interference", reason="not made: it changes rows behind a persona's back")
    for function in plan.callable_by(plan.callers):
        yield Gap(object=f"{function.name}({function.identity})", reason=_not_called(plan.catalog, function))


def _not_called(catalog: Catalog, function: Function) -> str:
    """Why nobody called the function, in words that tell how far it is from safe."""
    if function.volatility not in _SAFE:
        return "a VOLATILE function, which may write or act outside: not called in a database that is not ours"
    outward = reason_not_to_call(function, catalog)
    if outward is not None:
        return f"a function that is not called: {outward}"
    calls = volatile_below(catalog, function)
    if calls and function.security_definer:
        return (
            f"a SECURITY DEFINER function marked {_SAFE[function.volatility]} that calls VOLATILE functions: not called"
        )
    return "a function that only reads: --writes never looks at tables and views alone, and does not call it"


def volatile_below(catalog: Catalog, function: Function) -> tuple[QName, ...]:
    """The application's VOLATILE functions that the text of a function speaks of."""
    return tuple(
        other.name
        for other in catalog.functions
        if other.volatility == "v" and other is not function and f"{other.name.name}(" in function.source
    )


def notes(plan: Plan) -> Iterator[str]:
    """Remarks about policies and grants.  Facts of the catalog, of which none was tried."""
    volatile = dict(_volatile_in_policies(plan))
    if volatile:
        listed = ", ".join(f"{relation} calls {', '.join(map(str, names))}" for relation, names in volatile.items())
        yield f"policies that call VOLATILE functions, which reading runs for each row: {listed}"
    roles = frozenset(identity.role for identity in plan.identities.values())
    facts: Mapping[str, list[str]] = {
        "row level security is off, and roles of the personas may write": [],
        "a write policy lets every row pass (true)": [],
        "roles of the personas may TRUNCATE, which asks no policy": [],
    }
    off, true, truncate = facts.values()
    for relation in plan.relations:
        if not relation.is_table:
            continue
        held = {privilege for role in roles for privilege, _ in plan.privileges(role, relation)}
        if not relation.rls and held & {"INSERT", "UPDATE", "DELETE"}:
            off.append(str(relation.name))
        if relation.rls and held & {"INSERT", "UPDATE", "DELETE"} and _writes_for_all(plan, relation, roles):
            true.append(str(relation.name))
        if "TRUNCATE" in held:
            truncate.append(str(relation.name))
    for fact, names in facts.items():
        if names:
            yield f"not tried, seen in the catalog: {fact}: {', '.join(names)}"


def _volatile_in_policies(plan: Plan) -> Iterator[tuple[QName, Sequence[QName]]]:
    volatile = {function.name for function in plan.catalog.functions if function.volatility == "v"}
    for relation in plan.relations:
        called = {name for name, _ in calls_in(plan.catalog, _reading(relation.policies), PLATFORM_SCHEMAS)}
        if called & volatile:
            yield relation.name, sorted(called & volatile)


def _reading(policies: Iterable[Policy]) -> list[Policy]:
    return [policy for policy in policies if policy.command in (None, Command.SELECT)]


def _writes_for_all(plan: Plan, relation: Relation, roles: Iterable[str]) -> bool:
    def says_true(policy: Policy) -> bool:
        return any(expression == "true" for expression in (policy.using, policy.check))

    held = frozenset(name for role in roles for name in plan.catalog.privileges_of(role))
    return any(
        policy.permissive and policy.command is not Command.SELECT and says_true(policy)
        for command in _WRITES
        for policy in relation.policies
        if policy.applies_to(command, held)
    ) and not any(not policy.permissive for policy in relation.policies)


def acting_outside(catalog: Catalog, relation: Relation) -> str:
    """Why reading a relation would act outside of the transaction: what its policies call; empty where it would not."""
    called = {name for name, _ in calls_in(catalog, _reading(relation.policies), PLATFORM_SCHEMAS)}
    for function in catalog.functions:
        if function.name in called and function.language not in ("c", "internal"):
            reason = reason_not_to_call(function, catalog)
            if reason is not None and not reason.startswith("sleeps"):
                return f"its policies call {function.name}, which {reason}"
    return ""
