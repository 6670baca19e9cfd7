"""One thing that a service would ask of the database for somebody, and who looks afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from psycopg import sql

from tenantproof.core.attempt import Observation
from tenantproof.core.model import Command
from tenantproof.core.ports import Identity
from tenantproof.engine.replay import ended, timeless
from tenantproof.engine.scripts import RUN_IT, as_observer, as_persona
from tenantproof.engine.talks import Talk
from tenantproof.engine.wire import Script


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A question afterwards.  It speaks for a leak if it answers with a row (or, unless `shows`, with none)."""

    query: str
    identity: Identity | None = None
    """Who asks; None is the observer."""
    shows: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One act of somebody behind a stage that the observer sets.

    Without looks, each row that `act` reads or writes is a leak; with looks, all of them must speak for one.  `base`
    tells the plain act, without a trick: what it opens needs no trick.
    """

    channel: str
    object: str
    command: Command
    operation: str
    trick: str
    """What is special, in words that are the same in every run."""
    identity: Identity
    act: str
    setup: tuple[Script, ...] = ()
    looks: tuple[Look, ...] = ()
    base: bool = False
    api: bool = True
    """Whether the service itself would let it through, beside the database."""
    row: str = ""
    """The row in question as json, for asking the policies one by one."""
    against: str = ""
    """Whose it is, in words."""

    @property
    def actor(self) -> str:
        return self.identity.persona.name

    @property
    def before(self) -> tuple[str, ...]:
        return tuple(statement for part in self.setup for statement in part)

    @property
    def acting(self) -> tuple[str, ...]:
        return becoming(self.identity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of a probe.  `staged` is false where its stage could not be set: then it says nothing."""

    probe: Probe
    observation: Observation
    leaked: bool
    staged: bool = True

    @property
    def passed(self) -> bool:
        """Whether the act was let through, whoever may see the result."""
        return self.staged and not self.observation.refused


def becoming(identity: Identity) -> tuple[str, ...]:
    """The statements that make the observer's session the persona; composed once, as the same ones return often."""
    known = (identity.login, identity.role, identity.settings)
    if known not in _BECOMING:
        if len(_BECOMING) > _MANY:
            _BECOMING.clear()
        _BECOMING[known] = as_persona(identity)
    return _BECOMING[known]


_MANY = 2000
_BECOMING: dict[tuple[str | None, str, tuple[tuple[str, str], ...]], tuple[str, ...]] = {}


def ask(probes: Sequence[Probe]) -> Talk[list[Answer]]:
    """Run the probes, each from what was seeded.

    People look only after acts that were let through, in a second run: each of them is a session of its own.
    """
    said = list((yield [script_of(probe, _at_once(probe)) for probe in probes]))
    shown = [i for i, probe in enumerate(probes) if _at_once(probe) != probe.looks and _let_through(probe, said[i])]
    again = yield [script_of(probes[i], probes[i].looks) for i in shown]
    for i, heard in zip(shown, again, strict=True):
        said[i] = heard
    return [_answer(probe, heard) for probe, heard in zip(probes, said, strict=True)]


def script_of(probe: Probe, looks: Iterable[Look]) -> Script:
    """All statements of a probe, from a session that is the observer."""
    looking = (part for look in looks for part in (as_observer(), *_asking(look), look.query))
    return (*probe.before, *probe.acting, probe.act, *looking)


def _at_once(probe: Probe) -> tuple[Look, ...]:
    """The looks that cost little: the observer's."""
    return () if any(look.identity for look in probe.looks) else probe.looks


def _asking(look: Look) -> tuple[str, ...]:
    return () if look.identity is None else becoming(look.identity)


def _let_through(probe: Probe, said: Sequence[Observation]) -> bool:
    acted = len(probe.before) + len(probe.acting)
    return len(said) > acted and not said[acted].refused


def _answer(probe: Probe, said: Sequence[Observation]) -> Answer:
    acted = len(probe.before) + len(probe.acting)
    if len(said) <= acted:
        return Answer(probe=probe, observation=said[-1], leaked=False, staged=False)
    observation = said[acted]
    if observation.refused or not probe.looks:
        leaked = not observation.refused and observation.count > 0
        return Answer(probe=probe, observation=observation, leaked=leaked)
    place, agreed = acted, True
    for look in probe.looks:
        place += len(_asking(look)) + 2
        seen = len(said) > place and not said[place].refused and bool(said[place].rows)
        agreed &= seen is look.shows
    return Answer(probe=probe, observation=observation, leaked=agreed)


def replay_of(probe: Probe) -> str:
    """A psql script that shows the probe's leak on a seeded database, and leaves nothing."""
    lines = [
        f"-- {probe.actor}: {probe.operation} on {probe.object} ({probe.trick})",
        RUN_IT,
        "begin;",
        *_setting(probe),
        f"-- {probe.actor}",
        *ended(as_persona(timeless(probe.identity))),
    ]
    if not probe.looks:
        return "\n".join([*lines, "-- what is not theirs", verdict(probe.act), "rollback;", ""])
    lines += [f"{probe.act};"]
    for look in probe.looks:
        who = look.identity.persona.name if look.identity is not None else "the observer"
        lines += [f"-- what {who} sees now" + ("" if look.shows else ": nothing")]
        lines += ended((as_observer(), *(() if look.identity is None else as_persona(timeless(look.identity)))))
        lines += [verdict(look.query) if look.shows else f"{look.query};"]
    return "\n".join([*lines, "rollback;", ""])


def _setting(probe: Probe) -> Iterable[str]:
    return ["-- the stage", *ended(probe.before)] if probe.before else []


def verdict(query: str) -> str:
    """SELECT that says LEAK for each row of the query."""
    return sql.SQL("select 'LEAK' as verdict, seen.* from ({}) as seen;").format(sql.SQL(query)).as_string(None)
