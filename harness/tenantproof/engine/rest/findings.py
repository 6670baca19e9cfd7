"""Findings over HTTP in words for people."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from tenantproof.channels.rest.catalogue import REST_CHANNELS
from tenantproof.core.finding import Evidence, Finding, Property, Reach, Severity
from tenantproof.core.model import Command, QName
from tenantproof.core.ports import Identity
from tenantproof.engine.findings import owner_in_words
from tenantproof.engine.plan import Plan
from tenantproof.engine.rest.calls import Told
from tenantproof.engine.rest.differences import Difference, Side, leaks_more
from tenantproof.engine.rest.guesses import Guess
from tenantproof.engine.rest.replays import of_request
from tenantproof.engine.rest.shapes import Excess
from tenantproof.engine.rest.speaking import Tongue
from tenantproof.engine.rest.writing import Smuggled
from tenantproof.identity.signing import Signer
from tenantproof.targets.rest.client import Request

_SEVERAL = 5


class Author:
    """Writes the findings of one run."""

    def __init__(self, plan: Plan, tongue: Tongue, signer: Signer) -> None:
        self._plan, self._tongue, self._signer = plan, tongue, signer

    def of_differences(self, found: Sequence[Difference]) -> list[Finding]:
        """One finding for each relation and command of which HTTP shows more, and more than is permitted."""
        groups: dict[tuple[QName, Command], list[Difference]] = defaultdict(list)
        for one in found:
            if one.side is Side.MORE and leaks_more(one.pair):
                groups[one.pair.by_sql.object.name, one.pair.by_sql.command].append(one)
        return [self._more(name, command, group) for (name, command), group in groups.items()]

    def _more(self, name: QName, command: Command, group: Sequence[Difference]) -> Finding:
        evidence = tuple(map(self._differing, _one_per_persona(group)))
        first = group[0]
        return self._finding(
            "API-MORE",
            name,
            command,
            cause=f"http {command}",
            personas=[one.pair.by_sql.stand.persona.name for one in group],
            evidence=evidence,
            replay=self._replay(
                self._plan.identities[evidence[0].persona], self._said(first), f"more than SQL: {first.reason}"
            ),
        )

    def _said(self, one: Difference) -> Request:
        attempt = one.by_http.attempt
        assert attempt.deed is not None
        request = self._tongue.request(attempt, self._plan.catalog.relations[attempt.deed.through])
        assert request is not None
        return request

    def _differing(self, one: Difference) -> Evidence:
        cell = one.pair.by_http
        rows = dict.fromkeys(owner_in_words(self._plan, violation.row) for violation in cell.judgement.violations)
        return Evidence(
            persona=cell.stand.persona.name,
            statement=self._said(one).line,
            expected=f"as by SQL: {one.by_sql.observation.in_words()}",
            observed=f"by HTTP: {one.by_http.observation.in_words()}; {one.reason}",
            rows=tuple(rows)[:_SEVERAL],
        )

    def of_excesses(self, found: Sequence[tuple[Identity, Excess]]) -> list[Finding]:
        """One finding for each relation of which a shape shows more than the plain read."""
        groups: dict[QName, list[tuple[Identity, Excess]]] = defaultdict(list)
        for who, excess in found:
            groups[excess.relation].append((who, excess))
        return [self._excess(name, group) for name, group in groups.items()]

    def _excess(self, name: QName, group: Sequence[tuple[Identity, Excess]]) -> Finding:
        who, first = group[0]
        return self._finding(
            "API-EMBED",
            name,
            Command.SELECT,
            cause="embedded",
            personas=[identity.persona.name for identity, _ in group],
            evidence=tuple(
                Evidence(
                    persona=identity.persona.name,
                    statement=excess.request.line,
                    expected="among what the plain read shows",
                    observed=f"{len(excess.keys) or excess.count} more, {excess.words}",
                )
                for identity, excess in group[:_SEVERAL]
            ),
            replay=self._replay(
                who, first.request, f"rows of {name} {first.words} that GET /{name.name} does not show"
            ),
        )

    def of_smuggled(self, found: Sequence[tuple[Identity, Smuggled]]) -> list[Finding]:
        """One finding for each relation into which rows for others got together with others."""
        return [self._smuggled(who, smuggled) for who, smuggled in found]

    def _smuggled(self, who: Identity, smuggled: Smuggled) -> Finding:
        name, count = smuggled.relation, len(smuggled.rows)
        evidence = Evidence(
            persona=who.persona.name,
            statement=smuggled.request.line,
            expected="refused, as the second row is by itself",
            observed=f"taken: {count} row{'' if count == 1 else 's'} for others",
            rows=tuple(owner_in_words(self._plan, row) for row in smuggled.rows[:_SEVERAL]),
        )
        return self._finding(
            "API-BULK",
            name,
            Command.INSERT,
            cause="several rows",
            personas=[who.persona.name],
            evidence=(evidence,),
            replay=self._replay(who, smuggled.request, "201: the second row is taken, which is refused by itself"),
        )

    def of_calls(self, found: Sequence[tuple[Identity, Told]]) -> list[Finding]:
        """One finding for each function that tells another tenant's content."""
        groups: dict[QName, list[tuple[Identity, Told]]] = defaultdict(list)
        for who, told in found:
            groups[told.object].append((who, told))
        return [self._told(name, group) for name, group in groups.items()]

    def _told(self, name: QName, group: Sequence[tuple[Identity, Told]]) -> Finding:
        who, first = group[0]
        place = f" as a column of {first.relation}" if first.relation is not None else ""
        return self._finding(
            "API-RPC",
            name,
            Command.SELECT,
            cause="answer",
            personas=[identity.persona.name for identity, _ in group],
            evidence=tuple(
                Evidence(
                    persona=identity.persona.name,
                    statement=told.request.line,
                    expected="no content of another tenant",
                    observed=f"the answer{place} holds the mark of {told.tenant}",
                )
                for identity, told in group[:_SEVERAL]
            ),
            replay=self._replay(who, first.request, f"the answer holds the mark of {first.tenant}"),
        )

    def of_guesses(self, found: Sequence[tuple[Identity, Guess]]) -> list[Finding]:
        """One finding for each kind of guess, about all relations together: one setting opens all."""
        groups: dict[str, list[tuple[Identity, Guess]]] = defaultdict(list)
        for who, guess in found:
            groups[guess.channel].append((who, guess))
        return [self._guess(channel, group) for channel, group in groups.items()]

    def _guess(self, channel: str, group: Sequence[tuple[Identity, Guess]]) -> Finding:
        who, first = group[0]
        return self._finding(
            channel,
            first.relation,
            Command.SELECT,
            cause="guess",
            personas=[identity.persona.name for identity, _ in group],
            evidence=tuple(
                Evidence(
                    persona=identity.persona.name,
                    statement=guess.request.line,
                    expected="nothing about rows that are not shown",
                    observed=guess.observed,
                )
                for identity, guess in group[:_SEVERAL]
            ),
            replay=self._replay(who, first.request, first.observed),
            objects=[guess.relation for _, guess in group],
        )

    def of_description(self, who: Identity, request: Request, names: Sequence[QName]) -> Finding:
        """The root names relations on which the role holds no privilege."""
        return self._finding(
            "API-ROOT",
            names[0],
            Command.SELECT,
            cause=f"described to {who.role}",
            personas=[who.persona.name],
            evidence=(
                Evidence(
                    persona=who.persona.name,
                    statement=request.line,
                    expected=f"what {who.role} has privileges for",
                    observed=f"{len(names)} relations more: {', '.join(map(str, names[:_SEVERAL]))}",
                ),
            ),
            replay=self._replay(who, request, "the paths name what the role may not use"),
            objects=names,
        )

    def _replay(self, who: Identity, request: Request, shows: str) -> str:
        claims = who.claims if who.token is not None else {}
        signer = self._signer
        return of_request(
            who.persona.name, claims, request, algorithm=signer.algorithm, kid=signer.kid, shows=f"LEAK: {shows}"
        )

    def _finding(
        self,
        channel: str,
        name: QName,
        command: Command,
        *,
        cause: str,
        personas: Iterable[str],
        evidence: tuple[Evidence, ...],
        replay: str,
        objects: Iterable[QName] = (),
    ) -> Finding:
        kind = REST_CHANNELS[channel]
        named = set(personas)
        inferred = kind.severity.rank <= Severity.MEDIUM.rank
        return Finding(
            property=Property.CONFIDENTIALITY if inferred else Property.VISIBILITY,
            channel=channel,
            severity=kind.severity,
            reach=Reach.API,
            object=str(name),
            objects=tuple(dict.fromkeys([str(name), *sorted(map(str, objects))])),
            command=command,
            commands=(command,),
            title=kind.title.format(object=name),
            cause=cause,
            explanation=kind.explanation,
            fix=kind.fix,
            cwe=kind.cwe,
            personas=tuple(who for who in self._plan.identities if who in named),
            evidence=evidence,
            replay=replay,
        )


def _one_per_persona(group: Sequence[Difference]) -> list[Difference]:
    chosen: dict[str, Difference] = {}
    for one in group:
        chosen.setdefault(one.pair.by_sql.stand.persona.name, one)
    return list(chosen.values())[:_SEVERAL]
