"""The differential oracle: the same attempt by SQL and by HTTP must come to the same, and where it does not, why."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tenantproof.core.attempt import Form, Observation, Outcome
from tenantproof.core.finding import Verdict
from tenantproof.core.model import Command
from tenantproof.engine.rest.hearing import NOT_POSTGREST, STALE, UNAUTHORIZED, UNEXPOSED
from tenantproof.engine.rest.matrix import Pair


class Side(enum.StrEnum):
    """Which of the two went further."""

    SAME = "same"
    MORE = "more by HTTP"
    LESS = "less by HTTP"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One attempt that came to something else by HTTP, and why."""

    pair: Pair
    by_sql: Outcome
    by_http: Outcome
    side: Side
    reason: str


def differences(pairs: Iterable[Pair]) -> list[Difference]:
    """Every attempt that did not come to the same."""
    found: list[Difference] = []
    for pair in pairs:
        for by_sql, by_http in pair.outcomes:
            side = compared(by_sql, by_http)
            if side is not Side.SAME:
                reason = _reason(by_sql, by_http)
                found.append(Difference(pair=pair, by_sql=by_sql, by_http=by_http, side=side, reason=reason))
    return found


def compared(by_sql: Outcome, by_http: Outcome) -> Side:
    """Which of two outcomes of the same attempt reaches further."""
    if by_sql.attempt.command is Command.SELECT:
        return _compared_reads(by_sql, by_http)
    here, there = by_http.observation, by_sql.observation
    if let_through(here) != let_through(there):
        return Side.MORE if let_through(here) else Side.LESS
    if here.refused or there.refused:  # what one was kept from by a constraint alone, the other did
        return Side.SAME if here.refused == there.refused or not let_through(here) else _kept(by_sql)
    did, done = _reached(by_http), _reached(by_sql)
    if did == done:
        return Side.SAME
    return Side.MORE if did > done else Side.LESS


def let_through(observation: Observation) -> bool:
    """Accepted, or refused by a constraint alone, which is asked after the policies."""
    return not observation.refused or observation.passed_policy


def _kept(by_sql: Outcome) -> Side:
    return Side.MORE if by_sql.observation.refused else Side.LESS


def _compared_reads(by_sql: Outcome, by_http: Outcome) -> Side:
    here, there = by_http.observation, by_sql.observation
    if here.refused and there.refused:
        return Side.SAME
    if by_sql.attempt.form is Form.COUNTED:
        ours, theirs = here.count, there.count
        return Side.SAME if ours == theirs else Side.MORE if ours > theirs else Side.LESS
    width = len(by_sql.attempt.deed.columns) if by_sql.attempt.deed is not None else 0
    # Whose the rows are may stand in one column of two, in which case SQL says NULL for the other.
    mine = {tuple(part for part in row if part is not None) for row in here.rows}
    known = {tuple(part for part in row[: max(width, 2)] if part is not None) for row in there.rows}
    if by_sql.attempt.form is Form.READ:
        mine, known = set(here.rows), set(there.rows)  # type: ignore[arg-type]  # with NULLs, which keys do not have
    if mine - known:
        return Side.MORE
    return Side.LESS if known - mine else Side.SAME


def _reached(outcome: Outcome) -> int:
    own = [change for change in outcome.changes if change.relation == outcome.attempt.relation]
    return len(own)


def _reason(by_sql: Outcome, by_http: Outcome) -> str:
    code = by_http.observation.sqlstate
    if code is None:
        if by_sql.observation.refused:
            return f"by SQL it is refused: {by_sql.observation.in_words()}"
        return "the server shows other rows (max-rows, a pre-request function, another login role)"
    if code == UNEXPOSED:
        return "the API does not expose the schema"
    if code == f"{NOT_POSTGREST}404":
        return "the API does not serve it (partitions are reached through their table)"
    if code in STALE:
        return "the API does not know it: a stale schema cache; reload it (NOTIFY pgrst, 'reload schema')"
    if code in UNAUTHORIZED:
        return "the API does not accept the token"
    if code == "42501":
        return f"the API's role lacks the grant: {by_http.observation.message}"
    if code.startswith("23"):
        return f"a constraint is asked when the request commits: {by_http.observation.in_words()}"
    return by_http.observation.in_words()


def in_short(found: Sequence[Difference], side: Side) -> list[str]:
    """One line for each reason, with how many attempts and which objects."""
    counted = Counter(one.reason for one in found if one.side is side)
    lines = []
    for reason, count in sorted(counted.items(), key=lambda item: (-item[1], item[0])):
        objects = sorted({str(one.pair.by_sql.object.name) for one in found if one.reason == reason})
        named = ", ".join(objects[:3]) + (f" and {len(objects) - 3} more" if len(objects) > 3 else "")
        lines.append(f"{count} attempt{'' if count == 1 else 's'} on {named}: {reason}")
    return lines


def leaks_more(pair: Pair) -> bool:
    """Whether the cell leaks by HTTP and not by SQL."""
    return pair.by_http.judgement.verdict is Verdict.LEAK and pair.by_sql.judgement.verdict is not Verdict.LEAK
