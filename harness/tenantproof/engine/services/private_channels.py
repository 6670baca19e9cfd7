"""Realtime's private channels: who may join another tenant's, and who may send to it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence, Set

from tenantproof.core.finding import Verdict
from tenantproof.core.model import Command
from tenantproof.core.ports import Identity
from tenantproof.core.report import Gap
from tenantproof.engine.services.cast import Pair, bystanders, pairs
from tenantproof.engine.services.findings import Author, Haul
from tenantproof.engine.services.names import resembling
from tenantproof.engine.services.probes import Answer, Probe, ask
from tenantproof.engine.services.tenants import Parties, claiming, parties_of, renamed, with_value
from tenantproof.engine.services.topic_probes import EXTENSIONS, Asking, joining, sending
from tenantproof.engine.services.topics import MESSAGES, Topics, guesses, kinds_of_topics
from tenantproof.engine.talks import Talk, side_by_side
from tenantproof.engine.ways import Standing


def in_private_channels(standing: Standing, author: Author) -> Talk[Haul]:
    """Ask everything of private channels."""
    plan, haul = standing.plan, Haul()
    messages = plan.catalog.relations.get(MESSAGES)
    if messages is None or not messages.policies:
        return haul
    if MESSAGES.schema not in plan.scenario.database.schemas:
        reason = "private channels have policies, and the schema realtime is not among the scenario's schemas"
        haul.gaps.append(Gap(object=str(MESSAGES), reason=reason))
        return haul
    parties, cast = (yield from parties_of(plan)), tuple(pairs(plan))
    kinds = yield from kinds_of_topics(plan, parties, cast)
    if not kinds:
        tried = ", ".join(dict.fromkeys(pattern.text for pattern in guesses(plan, parties)))
        reason = f"Realtime: no topic is known that members may join and others may not; tried were {tried}"
        haul.gaps.append(Gap(object=str(MESSAGES), reason=reason))
    leaks: list[Answer] = []
    visits = yield from side_by_side(_Visit(standing, parties, kind).against(cast) for kind in kinds)
    for kind, answers in zip(kinds, visits, strict=True):
        leaks += [answer for answer in answers if answer.leaked]
        haul.asked.append(f"of Realtime {len(answers):,} times at channels {kind.pattern.text}")
    haul.findings += yield from author.of_answers(str(MESSAGES), leaks)
    return haul


class _Visit:
    """All attempts at topics of one kind."""

    def __init__(self, standing: Standing, parties: Parties, kind: Topics) -> None:
        self._standing, self._plan, self._parties, self._kind = standing, standing.plan, parties, kind
        self._called = kind.pattern.text
        self._askings: tuple[Asking, ...] = ((joining,) if kind.joined else ()) + ((sending,) if kind.sent else ())

    def against(self, cast: Sequence[Pair]) -> Talk[list[Answer]]:
        """Plain attempts first; where one gets through, or the matrix saw that it does, no trick is needed."""
        known = self._known()
        topics = [(pair, self._kind.of(self._parties, pair.foreign, pair.victim)) for pair in cast]
        reached = [(pair, topic) for pair, topic in topics if topic is not None]
        plain = yield from side_by_side(ask(_without(known, self._plain(pair, topic))) for pair, topic in reached)
        opened = [known | {answer.probe.command for answer in answers if answer.leaked} for answers in plain]
        todo = list(zip(reached, opened, strict=True))
        odd = [self._theirs(pair, _without(passed, self._odd(pair, topic))) for (pair, topic), passed in todo]
        alike = [ask(_without(passed, self._resemblances(pair))) for (pair, _), passed in todo]
        tricky = yield from side_by_side([*odd, *alike])
        in_turn = zip(plain, tricky[: len(odd)], tricky[len(odd) :], strict=True)
        return [answer for groups in in_turn for answers in groups for answer in answers]

    def _known(self) -> set[Command]:
        """What the matrix says already, of whomever: one cause is told once."""
        return {
            cell.command
            for cell in self._standing.cells
            if cell.object.name == MESSAGES and cell.judgement.verdict is Verdict.LEAK
        }

    def _plain(self, pair: Pair, topic: str) -> Iterator[Probe]:
        identity, whose = self._plan.identities[pair.attacker.name], f"a channel of {pair.foreign}"
        for extension in EXTENSIONS:
            for asking in self._askings:
                trick = f"the plain topic, {extension}"
                yield asking(identity, topic, extension, trick, kind=self._called, against=whose, base=True)

    def _odd(self, pair: Pair, topic: str) -> Iterator[Probe]:
        identity, whose = self._plan.identities[pair.attacker.name], f"a channel of {pair.foreign}"
        for words, odd in odd_topics(topic):
            for extension in EXTENSIONS:
                for asking in self._askings:
                    yield asking(identity, odd, extension, words, kind=self._called, against=whose)

    def _theirs(self, pair: Pair, probes: Sequence[Probe]) -> Talk[list[Answer]]:
        """Odd topics are another tenant's only where its members may join them and bystanders may not."""
        leaks = [answer for answer in (yield from ask(probes)) if answer.leaked]
        theirs = yield from side_by_side(self._is_theirs(pair, leak.probe) for leak in leaks)
        return [leak for leak, is_theirs in zip(leaks, theirs, strict=True) if is_theirs]

    def _is_theirs(self, pair: Pair, probe: Probe) -> Talk[bool]:
        topic = dict(probe.identity.settings)["realtime.topic"]
        extension = str(json.loads(probe.row)["extension"])
        people = [pair.victim, *bystanders(self._plan, pair)]
        probes = [joining(self._plan.identities[who.name], topic, extension, "control") for who in people]
        theirs, *open_to = [answer.leaked for answer in (yield from ask(probes))]
        return theirs and not any(open_to)

    def _resemblances(self, pair: Pair) -> Iterator[Probe]:
        """The attacker's tenant is called so that it may be taken for the victim's."""
        slot = self._kind.pattern.tenant_slot
        if slot is None or pair.home is None or not self._parties.chosen(slot):
            return
        home, foreign = self._parties.by_name[pair.home], self._parties.by_name[pair.foreign]
        called, theirs = home.values(None).get(slot), foreign.values(None).get(slot)
        if called is None or theirs is None:
            return
        identity = self._plan.identities[pair.attacker.name]
        if self._parties.numbered(slot):
            longer = f"{called}7"
            stage = renamed(self._plan, self._parties, foreign, slot, longer)
            topic = self._kind.pattern.filled(with_value(foreign, slot, longer).values(pair.victim))
            yield from self._under(pair, "a number that begins with the own one", identity, topic, stage)
            return
        topic = self._kind.pattern.filled(foreign.values(pair.victim))
        for words, value in resembling(theirs):
            stage = renamed(self._plan, self._parties, home, slot, value)
            yield from self._under(pair, words, claiming(identity, called, value), topic, stage)

    def _under(
        self, pair: Pair, words: str, identity: Identity, topic: str | None, stage: tuple[str, ...] | None
    ) -> Iterator[Probe]:
        if topic is None or stage is None:
            return
        trick, whose = f"the tenant is called so: {words}", f"a channel of {pair.foreign}"
        for extension in EXTENSIONS:
            for asking in self._askings:
                yield asking(identity, topic, extension, trick, kind=self._called, against=whose, stage=stage)


def _without(known: Set[Command], probes: Iterable[Probe]) -> list[Probe]:
    return [probe for probe in probes if probe.command not in known]


def odd_topics(topic: str) -> Iterator[tuple[str, str]]:
    """(words, topic): channels below a tenant's own, and topics that look like it."""
    yield "a channel below the tenant's, after :", f"{topic}:room"
    yield "a channel below the tenant's, after /", f"{topic}/room"
    yield "a topic that goes on", f"{topic}-room"
    yield "a leading blank", f" {topic}"
    yield "a trailing blank", f"{topic} "
    if topic.upper() != topic:
        yield "upper case", topic.upper()
    if topic.lower() != topic:
        yield "lower case", topic.lower()
