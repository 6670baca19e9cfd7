"""What to say about a root cause: title, explanation, fix."""

from __future__ import annotations

from tenantproof.core.finding import Property
from tenantproof.engine.interference.catch import Catch, Mechanism, Root

_WHAT_IS_WRONG = {
    Mechanism.FUNCTION: "The function answers from rows of others: it runs as its owner (SECURITY DEFINER), or calls "
    "something that does, and does not ask whether the caller belongs to the tenant whose rows it reads.",
    Mechanism.VIEW: "The view reads its tables as its owner, so that their policies do not see the caller, or holds a "
    "copy made by somebody who sees everything; what it computes depends on rows of others.",
    Mechanism.CONSTRAINT: "A constraint speaks for all tenants at once, and policies do not apply to the rows it looks "
    "at: whether the write is refused tells whether somebody else has such a row.",
    Mechanism.READ: "What a SELECT shows depends on rows of others: a policy lets them through, or something that "
    "they write is open to all.",
    Mechanism.WRITE: "What becomes of a write depends on rows of others, or reaches them: through a trigger, a "
    "default, a rule, a cascade, or a policy that takes the new row at its word.",
    Mechanism.REQUEST: "The database believes something that the user writes into their own request.",
    Mechanism.SEQUENCE: "All tenants draw numbers from the same sequence: the gaps tell how much others do (as the "
    "count of tanks was told from serial numbers), and whether a number is taken can be asked.",
}

_WHAT_TO_DO = {
    Mechanism.FUNCTION: "Filter by the caller inside the function (auth.uid() and the membership table, never an "
    "argument alone), or make it SECURITY INVOKER; revoke EXECUTE from PUBLIC where nobody should call it.",
    Mechanism.VIEW: "ALTER VIEW … SET (security_invoker = true, security_barrier = true), or filter by the caller "
    "inside; revoke a materialized view from the API roles and serve it by a function that filters.",
    Mechanism.CONSTRAINT: "Put the tenant into the key: UNIQUE (tenant, value), and FOREIGN KEY (tenant, id) "
    "REFERENCES parent (tenant, id).",
    Mechanism.READ: "Correct the policies of the relation, and what writes to it on behalf of everybody.",
    Mechanism.WRITE: "Let triggers, defaults and rules touch rows of the writer's tenant only; check in the policy's "
    "WITH CHECK that what a new row refers to belongs to the same tenant; put the tenant into foreign keys.",
    Mechanism.REQUEST: "Take the tenant and the role from what the server signs (app_metadata, the membership table), "
    "never from a header or from user_metadata; refuse where it is missing.",
    Mechanism.SEQUENCE: "Use uuids, or a number per tenant, where the volume is nobody's business; else accept it.",
}


def title_of(root: Root, catch: Catch) -> str:
    """One sentence that names the object."""
    name = root.object
    if root.mechanism is Mechanism.REQUEST:
        done = "changes rows of others" if catch.property is Property.INTEGRITY else "shows what is not theirs"
        return f"A request {root.detail} {done} in {name}."
    if catch.property is Property.INTEGRITY:
        return _damage_title(root, catch)
    return {
        Mechanism.SEQUENCE: "Serial numbers tell how many rows others have.",
        Mechanism.FUNCTION: f"A call of {name}(…) tells people about rows of others.",
        Mechanism.VIEW: f"What {name} shows depends on rows of others.",
        Mechanism.READ: f"What {name} shows depends on rows of others.",
        Mechanism.CONSTRAINT: f"{root.detail or 'A constraint'} on {name} tells whether others have such a row.",
        Mechanism.WRITE: f"What becomes of a write to {name} depends on rows of others.",
    }[root.mechanism]


def _damage_title(root: Root, catch: Catch) -> str:
    raised = any(breach.raised for breach in catch.breaches)
    hurt = catch.breaches[0].change.relation
    subject = f"A call of {root.object}(…)" if root.mechanism is Mechanism.FUNCTION else f"A write to {root.object}"
    if raised:
        return f"{subject} gives people a role or a membership that is not theirs."
    whose = "rows of others" if catch.breaches[0].crosses else "rows that the scenario withholds"
    return f"{subject} changes {whose} in {hurt}."


def explanation_of(root: Root, catch: Catch) -> str:
    """What is wrong, and how it was seen."""
    if catch.breaches and catch.world is not None and catch.world.targets:
        seen = "A member of another tenant made their own row refer to a row of the persona's, with their own rights; "
        seen += "then the persona's write reached that row."
    elif catch.breaches:
        seen = "The observer compared the rows before and after."
    else:
        seen = "The same statements were run twice, and between the runs only rows changed that the persona is not "
        seen += "entitled to; what it perceived was not the same."
    return f"{_WHAT_IS_WRONG[root.mechanism]} {seen}"


def fix_of(root: Root) -> str:
    """What to do about it."""
    return _WHAT_TO_DO[root.mechanism]
