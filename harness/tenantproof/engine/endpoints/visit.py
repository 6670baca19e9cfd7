"""
One endpoint that reads: what each persona is answered, first before anybody else asked, then after others did.

The order is what tells a leak of the application from one of a cache.  Ids of a tenant are tried by strangers before
any member of the tenant has asked; a leak then needs no cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Protocol

from tenantproof.core.finding import Severity
from tenantproof.core.model import Carrier, Endpoint, Persona, PersonaKind
from tenantproof.engine.endpoints.asking import Asker, CannotAsk, Trial
from tenantproof.engine.endpoints.marks import Marks
from tenantproof.engine.endpoints.sightings import Haul, Sighting, listed
from tenantproof.identity.templates import Lacking
from tenantproof.targets.endpoints.client import Ask, Reply

NO_CONTROL = "no positive control"

MOST_TROUBLE = 2
"""Requests that came to nothing (timeouts, broken answers) after which an endpoint is left alone."""

_UNSEEN = (("cache-control", "no-cache"), ("pragma", "no-cache"))
_MADE_UP = '"tenantproof-no-such-version"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A request and what came back."""

    trial: Trial
    reply: Reply


class Asks(Protocol):
    """What sends requests: a client."""

    def ask(self, asked: Ask) -> Reply:
        """The answer."""
        ...


@dataclass
class Visit:
    """One endpoint of one run.  `controls` are the answers to own ids that were fine."""

    client: Asks
    asker: Asker
    marks: Marks
    endpoint: Endpoint
    personas: Sequence[Persona]
    tenants: Sequence[str]
    haul: Haul
    controls: dict[str, Answered] = field(default_factory=dict)
    asked: list[Answered] = field(default_factory=list)
    """Everything that was asked before caches were tried, in order."""
    without_others: Callable[[Persona], AbstractContextManager[None]] | None = None
    """The world without the rows of others, for a block; None where the database is not ours."""
    _public: tuple[str, ...] = ()
    _trouble: int = 0
    _missing: dict[str, list[str]] = field(default_factory=dict)

    def everything(self) -> None:
        """All parts, one after another; what was found is in the haul."""
        if self.endpoint.public:
            self._look_as_the_public()
        self._strangers_first()
        refused = self._with_own_ids()
        if self._trouble >= MOST_TROUBLE:
            return
        self._controlled(refused)
        if self.endpoint.cache and self.endpoint.reads and not self.haul.leaks(self.endpoint):
            self._after_others()

    # What anybody may see

    def _look_as_the_public(self) -> None:
        nobody = next((who for who in self.personas if who.kind is PersonaKind.ANON), None)
        if nobody is None:
            return
        told: list[str] = []
        for trial in (*self._foreign(nobody), *self._own(nobody)):
            reply = self._ask(trial)
            told.extend(self.marks.told(reply) if reply.ok else ())
        self._public = tuple(dict.fromkeys(told))

    # Before anybody else asked

    def _strangers_first(self) -> None:
        for persona in self.personas:
            for trial in self._foreign(persona):
                reply = self._ask(trial)
                self.asked.append(Answered(trial=trial, reply=reply))
                self._judge_plain(trial, reply)

    def _foreign(self, persona: Persona) -> Iterator[Trial]:
        for victim in self.tenants:
            if victim in persona.tenants or self._trouble >= MOST_TROUBLE:
                continue
            try:
                yield from self.asker.foreign(self.endpoint, persona, victim)
            except CannotAsk as why:
                self._missing.setdefault(str(why), []).append(persona.name)
            except Lacking:
                continue

    def _judge_plain(self, trial: Trial, reply: Reply) -> None:
        for tenant, mark in self.marks.foreign(trial, reply, self._public).items():
            self._tell("ENDPOINT-READ", trial, reply, tenant, mark)

    # With own ids

    def _with_own_ids(self) -> dict[str, str]:
        """Ask as everybody; gives the personas who were not answered well, with how."""
        refused: dict[str, str] = {}
        for persona in self.personas:
            for trial in self._own(persona, refused):
                earlier = list(self.asked)
                reply = self._ask(trial)
                found = self.marks.foreign(trial, reply, self._public)
                for tenant, mark in found.items():
                    self._judge_own(trial, reply, tenant, mark, earlier)
                self.asked.append(Answered(trial=trial, reply=reply))
                if reply.ok:
                    self.controls[persona.name] = Answered(trial=trial, reply=reply)
                else:
                    refused[persona.name] = reply.in_words
        return refused

    def _own(self, persona: Persona, refused: dict[str, str] | None = None) -> Iterator[Trial]:
        if self._trouble >= MOST_TROUBLE:
            return
        try:
            yield self.asker.own(self.endpoint, persona)
        except CannotAsk as why:
            if refused is not None:
                refused[persona.name] = str(why)
        except Lacking as name:
            if refused is not None:
                refused[persona.name] = f"has no {{{name}}}"

    def _judge_own(self, trial: Trial, reply: Reply, tenant: str, mark: str, earlier: Sequence[Answered]) -> None:
        """A leak for which somebody asked before may be a cache's: then it is not there when no cache is asked."""
        before = next((one for one in reversed(earlier) if tenant in one.trial.persona.tenants and one.reply.ok), None)
        if before is None:
            self._tell("ENDPOINT-READ", trial, reply, tenant, mark)
            return
        unseen = replace(trial, ask=_unseen(trial.ask))
        if tenant not in self.marks.foreign(trial, self._ask(unseen), self._public) or self._is_kept(trial, tenant):
            self._tell("ENDPOINT-CACHE", trial, reply, tenant, mark, before=before.trial)
        else:
            self._tell("ENDPOINT-READ", trial, reply, tenant, mark)

    def _is_kept(self, trial: Trial, tenant: str) -> bool:
        """Whether the answer still holds what the database no longer does."""
        if self.without_others is None or self.haul.leaks(self.endpoint, "ENDPOINT-READ"):
            return False
        with self.without_others(trial.persona):
            return tenant in self.marks.foreign(trial, self._ask(trial), self._public)

    # What was learned

    def _controlled(self, refused: dict[str, str]) -> None:
        for why, names in self._missing.items():
            self.haul.gap(self.endpoint, f"ids of others were not tried: {why} (as {listed(names)})")
        members = [who.name for who in self.personas if who.memberships]
        answered = [name for name in members if name in self.controls]
        if members and not answered:
            why = "; ".join(dict.fromkeys(refused.get(name, "no answer") for name in members))
            self.haul.gap(self.endpoint, f"{NO_CONTROL}: no member is answered with their own ids ({why})")
            return
        left = [name for name in members if name in refused]
        if left:
            why = "; ".join(dict.fromkeys(refused[name] for name in left))
            self.haul.gap(self.endpoint, f"as {listed(left)}: not answered with their own ids ({why})")
        mute = [name for name in answered if not self._is_marked(self.controls[name])]
        if mute and len(mute) == len(answered):
            text = "answers hold none of the seeded texts, so only what changes in them can tell something"
            self.haul.notes.append(f"endpoint {self.endpoint.name}: {text}")
        cut = [one for one in self.asked if one.reply.cut]
        if cut:
            self.haul.gap(self.endpoint, f"{len(cut)} answers are longer than was read: the rest was not looked at")

    def _is_marked(self, one: Answered) -> bool:
        return self.marks.own(one.trial.persona, one.reply)

    # After others asked

    def _after_others(self) -> None:
        for victim in self.tenants:
            first = self._who_is_answered(victim)
            if first is None:
                continue
            attackers = self._attackers(victim)
            for attacker in attackers:
                self._one_after_the_other(first, attacker, thorough=attacker is attackers[0])
                if self._trouble >= MOST_TROUBLE:
                    return

    def _who_is_answered(self, tenant: str) -> Trial | None:
        found = (self.controls[who.name] for who in self.personas if who.tenants == (tenant,) and self._is_fine(who))
        return next((one.trial for one in found), None)

    def _is_fine(self, persona: Persona) -> bool:
        return persona.name in self.controls

    def _attackers(self, victim: str) -> list[Persona]:
        """One member of each other tenant who is answered, and those without a tenant."""
        chosen: dict[object, Persona] = {}
        for who in self.personas:
            if victim in who.tenants or len(who.memberships) > 1:
                continue
            kind: object = who.tenants or who.kind
            if kind not in chosen or (not self._is_fine(chosen[kind]) and self._is_fine(who)):
                chosen[kind] = who
        return list(chosen.values())

    def _one_after_the_other(self, first: Trial, attacker: Persona, *, thorough: bool) -> None:
        """Somebody's request, then the attacker's; *thorough*: in all forms that a cache might tell apart or not."""
        own = next(self._own(attacker), None)
        foreign = self._same_as(first, attacker, own)
        trials = [foreign, *([own] if own is not None and own.ask != foreign.ask else [])]
        for words, changed in _VARIANTS if thorough else _VARIANTS[:1]:
            self._ask(first)
            for trial in trials:
                if not words.endswith("HEAD") or self.endpoint.method == "GET":
                    self._after(first, replace(trial, ask=changed(trial.ask)), words)
        for trial in trials:
            self._conditionally(first, trial)

    def _same_as(self, first: Trial, attacker: Persona, own: Trial | None) -> Trial:
        """The very request of the one who asked first, with the attacker's token."""
        identity = self.asker.plan.identities[attacker.name]
        ask = replace(first.ask, secret=_with_token(first.ask.secret, identity.token))
        if self.endpoint.carrier is Carrier.NONE:  # the headers say who asks
            ask = replace(ask, headers=own.ask.headers if own is not None else ())
        (victim,) = first.persona.tenants
        return Trial(
            endpoint=self.endpoint,
            persona=attacker,
            victim=victim,
            ask=ask,
            said=first.said,
            words=f"the request that {first.persona.name} had made",
        )

    def _after(self, first: Trial, trial: Trial, words: str) -> None:
        reply = self._ask(trial)
        for tenant, mark in self.marks.foreign(trial, reply, self._public).items():
            how = f"{trial.words}{f', {words}' if words else ''}"
            self._tell("ENDPOINT-CACHE", replace(trial, words=how), reply, tenant, mark, before=first)

    def _conditionally(self, first: Trial, trial: Trial) -> None:
        """A 304 to the version of others' content, where the persona's own answer is none of that version."""
        version = self._ask(first).header("etag")
        if not version:
            return
        plain = self._ask(trial)
        if plain.ok and plain.header("etag") == version:
            return
        matching = self._ask(replace(trial, ask=trial.ask.having(("if-none-match", version))))
        made_up = self._ask(replace(trial, ask=trial.ask.having(("if-none-match", _MADE_UP))))
        if matching.status == 304 and made_up.status != 304:
            asked = replace(trial, ask=trial.ask.having(("if-none-match", version)))
            self.haul.sightings.append(
                Sighting(
                    channel="ENDPOINT-INFER",
                    trial=asked,
                    expected=f"as without If-None-Match: {plain.in_words}",
                    observed="304: the version of another tenant's content is still the one that was named",
                    shows="304 tells that the other tenant's content did not change",
                    before=((first.persona, first.ask),),
                    severity=Severity.LOW,
                )
            )

    # Asking and telling

    def _ask(self, trial: Trial) -> Reply:
        if self._trouble >= MOST_TROUBLE:
            return Reply(trouble="was left alone")
        reply = self.client.ask(trial.ask)
        if reply.trouble and not reply.status:
            self._trouble += 1
            if self._trouble == MOST_TROUBLE:
                reason = f"{NO_CONTROL}: {reply.trouble}; it was left alone after {MOST_TROUBLE} such answers"
                self.haul.gap(self.endpoint, reason)
        return reply

    def _tell(
        self, channel: str, trial: Trial, reply: Reply, tenant: str, mark: str, *, before: Trial | None = None
    ) -> None:
        first = f" after {before.persona.name} had asked" if before is not None else ""
        self.haul.sightings.append(
            Sighting(
                channel=channel,
                trial=trial,
                expected="no content of another tenant",
                observed=f"{reply.in_words}: it holds {tenant}'s {mark}{first} ({trial.words})",
                shows=f"the answer holds {mark}, which stands in rows of {tenant} alone",
                before=((before.persona, before.ask),) if before is not None else (),
            )
        )


def _unseen(ask: Ask) -> Ask:
    """The request in a form that no cache has kept an answer to."""
    joint = "&" if "?" in ask.url else "?"
    return replace(ask, url=f"{ask.url}{joint}tenantproof=unseen").having(*_UNSEEN)


def _reordered(ask: Ask) -> Ask:
    return replace(ask, headers=(("accept-language", "en"), *reversed(ask.headers)))


def _having(name: str, value: str) -> Callable[[Ask], Ask]:
    return lambda ask: ask.having((name, value))


_VARIANTS: tuple[tuple[str, Callable[[Ask], Ask]], ...] = (
    ("", lambda ask: ask),
    ("with another Accept", _having("accept", "text/html, application/json;q=0.9")),
    ("with another Accept-Encoding", _having("accept-encoding", "identity")),
    ("with a Range", _having("range", "bytes=0-65535")),
    ("with its headers in another order", _reordered),
    ("by HEAD", lambda ask: replace(ask, method="HEAD")),
)


def _with_token(secret: tuple[tuple[str, str], ...], token: str | None) -> tuple[tuple[str, str], ...]:
    """The same place for the token, another token."""
    if token is None:
        return ()
    return tuple((name, _in_place_of(name, value, token)) for name, value in secret)


def _in_place_of(name: str, value: str, token: str) -> str:
    if name == "authorization":
        return f"Bearer {token}"
    return f"{value.partition('=')[0]}={token}" if name == "cookie" else token
