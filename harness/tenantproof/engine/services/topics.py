"""How the topics of private channels are called: from seeded messages, from triggers that send, or by trying."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tenantproof.core.model import Persona, QName
from tenantproof.engine.plan import Plan
from tenantproof.engine.services.cast import Pair
from tenantproof.engine.services.patterns import ID, USER, Pattern, literals_in, pattern_of
from tenantproof.engine.services.probes import Probe, ask
from tenantproof.engine.services.tenants import Parties
from tenantproof.engine.services.topic_probes import EXTENSIONS, joining, sending
from tenantproof.engine.talks import Talk, side_by_side

MESSAGES = QName("realtime", "messages")
SENDERS = re.compile(r"\brealtime\s*\.\s*\"?(?:send|send_binary|broadcast_changes|messages)\b", re.IGNORECASE)

_BEFORE_A_COLUMN = re.compile(r"'([^']{1,40})'\s*\|\|\s*(?:coalesce\s*\()?\s*\(?(?:new|old)\s*\.", re.IGNORECASE)
_ALL_TOPICS = "SELECT id::text, topic FROM realtime.messages"
_SIGNS = (":", "/", "-", "_", ".")
_MOST = 4
_LITERALS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Topics:
    """Topics of one kind.  `joined` and `sent` tell what members may do with their own."""

    pattern: Pattern
    joined: bool
    sent: bool

    def of(self, parties: Parties, tenant: str, persona: Persona) -> str | None:
        """The topic of somebody's tenant."""
        return self.pattern.filled(parties.by_name[tenant].values(persona))


def kinds_of_topics(plan: Plan, parties: Parties, cast: Sequence[Pair]) -> Talk[list[Topics]]:
    """The kinds of topics that members may join or send to; guessed ones only where nobody says how they are called."""
    told = dict.fromkeys((*(yield from _declared(plan, parties)), *_sent_by_triggers(plan)))
    found = yield from _tried_each(plan, parties, cast, told, known=True)
    if found:
        return found[:_MOST]
    guessed = dict.fromkeys(pattern for pattern in guesses(plan, parties) if pattern not in told)
    return (yield from _tried_each(plan, parties, cast, guessed, known=False))[:_MOST]


def guesses(plan: Plan, parties: Parties) -> Iterator[Pattern]:
    """Names that applications usually give, with the words that the policies speak of."""
    messages = plan.catalog.relations[MESSAGES]
    texts = [text for policy in messages.policies for text in (policy.using, policy.check) if text]
    called = {word for text in texts for word in re.findall(r"(\w+)\(", text)}
    texts += [
        function.source
        for function in plan.catalog.functions
        if function.name.name in called and function.name.schema not in (MESSAGES.schema, "auth", "pg_catalog")
    ]
    words = [word for word in literals_in(texts) if word not in (*EXTENSIONS, *_SIGNS) and "." not in word]
    party = next(iter(parties.by_name.values()))
    for slot in (ID, *party.called, USER):
        for word in words[:_LITERALS]:
            yield Pattern(f"{word}{{{slot}}}")
            if word[-1].isalnum():
                yield from (Pattern(f"{word}{sign}{{{slot}}}") for sign in _SIGNS)
            else:
                yield Pattern(f"{{{slot}}}{word}")
        yield Pattern(f"{{{slot}}}")


def _declared(plan: Plan, parties: Parties) -> Talk[list[Pattern]]:
    """The patterns of the seeded messages' topics."""
    (said,) = yield [(_ALL_TOPICS,)]
    topics = {str(id): str(topic) for id, topic in said[-1].rows}
    people: dict[str | None, Persona] = {who.user_id: who for who in plan.manifest.personas if who.user_id}
    patterns: list[Pattern] = []
    for row in plan.world.rows.get(MESSAGES, ()):
        tenant = plan.world.tenant_name(row.tenant)
        topic = next((topics[part] for part in row.key if part is not None and part in topics), None)
        if tenant is not None and topic is not None:
            pattern = pattern_of(topic, parties.by_name[tenant].values(people.get(row.owner)))
            if pattern.fenced:
                patterns.append(pattern)
    return patterns


def _sent_by_triggers(plan: Plan) -> Iterator[Pattern]:
    """What functions that send put before a column: 'org:' || new.org_id."""
    for function in plan.catalog.functions:
        if function.name.schema != MESSAGES.schema and SENDERS.search(function.source):
            yield from (Pattern(f"{text}{{{ID}}}") for text in _BEFORE_A_COLUMN.findall(function.source))


def _tried_each(
    plan: Plan, parties: Parties, cast: Sequence[Pair], patterns: Iterable[Pattern], *, known: bool
) -> Talk[list[Topics]]:
    tried = yield from side_by_side(_tried(plan, parties, cast, pattern, known=known) for pattern in patterns)
    return [kind for kind in tried if kind is not None]


def _tried(plan: Plan, parties: Parties, cast: Sequence[Pair], pattern: Pattern, *, known: bool) -> Talk[Topics | None]:
    """What members may do with topics of this pattern; None for nothing.

    A pattern that was guessed counts only where, in one direction and for one extension, the own topic is allowed and
    another tenant's refused to the same person: else nobody knows whether topics are called so at all.
    """
    kind = Topics(pattern=pattern, joined=False, sent=False)
    joined = sent = False
    fenced = known
    groups = [list(_controls(plan, parties, kind, pair)) for pair in cast]
    for answers in (yield from side_by_side(ask(group) for group in groups if group)):
        allowed = [answer.leaked for answer in answers]
        mine, others = (*allowed[0:2], *allowed[4:6]), (*allowed[2:4], *allowed[6:8])
        fenced |= any(own and not other for own, other in zip(mine, others, strict=True))
        joined |= any(allowed[0:2])
        sent |= any(allowed[4:6])
    return Topics(pattern=pattern, joined=joined, sent=sent) if fenced and (joined or sent) else None


def _controls(plan: Plan, parties: Parties, kind: Topics, pair: Pair) -> Iterator[Probe]:
    """Joining and sending, each to the own topic and to the other's, each in all extensions."""
    own = kind.of(parties, pair.home, pair.attacker) if pair.home is not None else None
    foreign = kind.of(parties, pair.foreign, pair.victim)
    if own is None or foreign is None:
        return
    for asking in (joining, sending):
        for topic in (own, foreign):
            for extension in EXTENSIONS:
                yield asking(plan.identities[pair.attacker.name], topic, extension, "control")
