"""
`--via rest`: the matrix, further shapes, functions and tokens over HTTP, compared with what SQL showed.

The API is the user's, or a PostgREST that we start before a database of ours.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from time import time

import psycopg
from psycopg.conninfo import make_conninfo

from tenantproof.core.attempt import Form
from tenantproof.core.errors import MissingExtra, UsageError
from tenantproof.core.finding import Finding, Verdict
from tenantproof.core.model import Command, Persona, Platform, QName, Scenario
from tenantproof.core.ports import Identity, Writes
from tenantproof.core.report import Gap
from tenantproof.core.world import Key
from tenantproof.engine.matrix import Judged
from tenantproof.engine.plan import Plan
from tenantproof.engine.rest.bench import RestBench, Stage
from tenantproof.engine.rest.calls import Told, calls_of, computed_of
from tenantproof.engine.rest.confirming import confirm, retells, worth_confirming
from tenantproof.engine.rest.differences import Side, differences, in_short, leaks_more
from tenantproof.engine.rest.findings import Author
from tenantproof.engine.rest.greeting import NO_CONTROL, greet, rolls_back
from tenantproof.engine.rest.guesses import Guess, described_to, guesses_at, told_too_much
from tenantproof.engine.rest.keeping import Keeper
from tenantproof.engine.rest.matrix import Pair, Swept, sweep_by_http
from tenantproof.engine.rest.shapes import Excess, Link, links_of, look_at_shapes
from tenantproof.engine.rest.speaking import Tongue
from tenantproof.engine.rest.tokens import assault, witness_of
from tenantproof.engine.rest.writing import Smuggled, first_of_each, returned_by, together_of
from tenantproof.engine.ways import Found, Standing, Way
from tenantproof.identity.claims import LIFETIME, anon_key
from tenantproof.identity.sessions import EXTRA_SEARCH_PATH, SERVICE_SCHEMAS
from tenantproof.identity.signing import Signer
from tenantproof.targets.rest.auth import Auth, NotSignedIn
from tenantproof.targets.rest.client import Client, ServerGone, described
from tenantproof.targets.rest.program import find_postgrest
from tenantproof.targets.rest.server import Settings, serving

OBJECT = "api"
"""What gaps are about that concern the API as a whole."""

CLIENT = "the supabase client"
_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """Where the API is (None: a PostgREST of our own), and the key that its gateway asks for.

    `auth` is the address of the Auth server at which personas sign in (None: their tokens are minted).
    """

    url: str | None = None
    key: str | None = field(default=None, repr=False)
    auth: str | None = None


@dataclass(slots=True)
class Haul:
    """What was found so far: kept when the server goes away in the middle."""

    findings: list[Finding] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def found(self) -> Found:
        return Found(findings=tuple(self.findings), gaps=tuple(self.gaps), notes=tuple(self.notes))


def rest_way(api: Api) -> Way:
    """The way over HTTP, for `check`.  Raises TargetError at once where there is no PostgREST to start."""
    if api.url is None:
        find_postgrest()
    place = "a PostgREST of our own" if api.url is None else f"the API at {described(api.url)}"
    return Way(f"asking over HTTP: {place}", "rest", lambda standing: over_http(standing, api))


def over_http(standing: Standing, api: Api) -> Found:
    """Ask everything once more by HTTP.

    Raises UsageError for a database that nobody can reach so, TargetError where our PostgREST does not come up.
    """
    schemas = exposed(standing.plan.scenario)
    if api.url is None and not standing.handle.owned:
        raise UsageError("--via rest: this database is not ours to serve; say where its API is with --api")
    if not schemas:
        return Found(gaps=(Gap(object=OBJECT, reason="no schema of the scenario is one that PostgREST exposes"),))
    if standing.handle.writes is Writes.ROLLBACK:
        reason = f"{NO_CONTROL}: the rows of this run stay in one transaction, which no API can see (--writes canary)"
        return Found(gaps=(Gap(object=OBJECT, reason=reason),))
    haul = Haul()
    with ExitStack() as stack:
        client = stack.enter_context(_client(standing, api, schemas))
        try:
            _Visit(standing, api, client, schemas, haul, stack).everything()
        except ServerGone as error:
            reason = f"{NO_CONTROL}: {error} (after {client.requests:,} requests; the rest was not asked)"
            haul.gaps.append(Gap(object=OBJECT, reason=reason))
    return haul.found()


@contextmanager
def _client(standing: Standing, api: Api, schemas: tuple[str, ...]) -> Iterator[Client]:
    with ExitStack() as stack:
        url = api.url
        if url is None:
            url = stack.enter_context(serving(find_postgrest(), settings_for(standing, schemas))).url
        yield stack.enter_context(Client(url, key=api.key))


def settings_for(standing: Standing, schemas: tuple[str, ...]) -> Settings:
    """How Supabase would serve this database."""
    return settings_of(standing.plan.scenario, standing.handle.conninfo, standing.signer, schemas)


def settings_of(scenario: Scenario, conninfo: str, signer: Signer, schemas: tuple[str, ...]) -> Settings:
    """How Supabase would serve the database of *conninfo*, for tokens of *signer*."""
    return Settings(
        conninfo=make_conninfo(conninfo, user=scenario.session.login),
        verifier=json.dumps(signer.jwks()),
        schemas=schemas,
        extra_search_path=EXTRA_SEARCH_PATH,
        anon_role=scenario.session.anon_role,
        pre_request=scenario.session.pre_request,
    )


def exposed(scenario: Scenario) -> tuple[str, ...]:
    """The scenario's schemas that PostgREST exposes.  Raises UsageError where it would not set what they read."""
    if scenario.database.platform is not Platform.SUPABASE or scenario.session.login is None:
        raise UsageError("--via rest: PostgREST tells the database who asks as on Supabase; the scenario says postgres")
    return tuple(schema for schema in scenario.database.schemas if schema not in SERVICE_SCHEMAS)


class _Visit:
    """One run's conversation with an API."""

    def __init__(
        self,
        standing: Standing,
        api: Api,
        client: Client,
        schemas: tuple[str, ...],
        haul: Haul,
        stack: ExitStack,
    ) -> None:
        self._standing, self._api, self._client, self._haul, self._stack = standing, api, client, haul, stack
        self._plan = narrowed(standing.plan, schemas)
        self._cells = [cell for cell in standing.cells if cell.object.name.schema in schemas]
        self._tongue = Tongue(schemas)
        self._author = Author(self._plan, self._tongue, standing.signer)
        self._ahead = 0
        self._stage: Stage | None = None
        self._auth = None if api.auth is None else Auth(stack.enter_context(Client(api.auth, key=api.key)))

    def everything(self) -> None:
        """All parts, one after another; each leaves what it found in the haul."""
        if not (self._signed_in() and self._greeted()):
            return
        self._stage = self._staged()
        cells = self._cells if self._stage or self._honest_rollback() else self._only_reads()
        self._guesses()
        swept = sweep_by_http(self._standing.wire, self._plan, self._standing.ground, cells, self._bench)
        self._compare(swept)
        told = self._shapes(swept.pairs)
        self._writing(swept.pairs)
        self._confirmed(swept.pairs, told)
        self._tokens(swept.pairs)
        self._haul.notes.append(f"{self._client.requests:,} requests over HTTP")

    def _signed_in(self) -> bool:
        """Whether every persona that has a user can sign in, where they are to."""
        failed: list[str] = []
        for persona in self._plan.manifest.personas if self._auth is not None else ():
            try:
                self._minted(persona)
            except NotSignedIn as error:
                failed.append(str(error))
        if failed:
            more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
            self._haul.gaps.append(Gap(object=OBJECT, reason=f"{NO_CONTROL}: {failed[0]}{more}"))
        return not failed

    def _greeted(self) -> bool:
        known = self._readable()
        if known is None:
            reason = f"{NO_CONTROL}: by SQL no member reads a row of an exposed table that has a key"
            self._haul.gaps.append(Gap(object=OBJECT, reason=reason))
            return False
        persona, relation = known
        greeted = greet(self._client, self._tongue, self._plan, relation, lambda ahead: self._minted(persona, ahead))
        self._ahead = greeted.ahead
        self._haul.notes.extend(greeted.notes)
        if greeted.trouble:
            self._haul.gaps.append(Gap(object=OBJECT, reason=greeted.trouble))
        return not greeted.trouble

    def _readable(self) -> tuple[Persona, QName] | None:
        """A member and a table of which they read rows by SQL."""
        for cell in self._cells:
            keyed = cell.outcomes and cell.outcomes[0].attempt.form is Form.READ and cell.object.primary_key
            if cell.command is Command.SELECT and keyed and cell.judgement.reached and cell.stand.persona.memberships:
                return cell.stand.persona, cell.object.name
        return None

    def _minted(self, persona: Persona, ahead: int | None = None) -> Identity:
        """The persona with a token: that of its session, else one that lives from now on by the server's clock."""
        identity = self._plan.identities[persona.name]
        if identity.token is None:
            return identity
        if self._auth is not None:
            session = self._auth.session(persona.name, persona.email or "", persona.user_id or "")
            return replace(identity, token=session.token, claims=session.claims)
        now = int(time()) + (self._ahead if ahead is None else ahead)
        return replace(
            identity, token=self._standing.signer.mint({**identity.claims, "iat": now, "exp": now + LIFETIME})
        )

    def _bench(self, persona: Persona) -> RestBench:
        return RestBench(self._client, self._tongue, self._plan, self._minted(persona), self._stage)

    def _staged(self) -> Stage | None:
        """The keeper of a database that is ours: what a request commits is put back."""
        if not self._standing.handle.owned:
            return None
        connection = self._stack.enter_context(psycopg.connect(self._standing.handle.conninfo, autocommit=True))
        return Stage(self._plan, Keeper(connection))

    def _honest_rollback(self) -> bool:
        if self._standing.handle.writes is Writes.NEVER:
            return False
        for cell in self._cells:
            if cell.command is Command.DELETE and cell.stand.holds("DELETE") and cell.object.primary_key:
                token = self._minted(cell.stand.persona).token
                return rolls_back(self._client, self._tongue, self._plan, cell.object.name, token)
        return False

    def _only_reads(self) -> list[Judged]:
        reason = "writes over HTTP: the server does not roll back when asked to (Prefer: tx=rollback)"
        if self._standing.handle.writes is Writes.NEVER:
            reason = "writes over HTTP: nothing may be written (--writes never)"
        self._haul.gaps.append(Gap(object=OBJECT, reason=reason))
        return [cell for cell in self._cells if cell.command is Command.SELECT]

    def _guesses(self) -> None:
        """Counts and plans, before anything is written: one persona that may ask for each relation."""
        found: list[tuple[Identity, Guess]] = []
        if self._stage is not None:  # what the planner knows of is then no matter of chance
            self._stage.keeper.analyze(relation.name for relation in self._plan.relations if relation.is_table)
        for relation in self._plan.relations:
            persona = self._who_may_ask(relation.name)
            if persona is not None and relation.is_table:
                bench = self._bench(persona)
                found.extend((bench.identity, guess) for guess in guesses_at(bench, relation))
        if self._api.url is None and (counted := [guess for _, guess in found if guess.channel == "API-COUNT"]):
            found = [one for one in found if one[1].channel != "API-COUNT"]
            told = f"estimated counts tell how many rows others have, of {len(counted)} relations"
            self._haul.notes.append(f"{told} (Prefer: count=planned; API-COUNT): that is PostgREST's nature")
        self._haul.findings.extend(self._author.of_guesses(found))
        self._described()

    def _who_may_ask(self, name: QName) -> Persona | None:
        """A member of one tenant whom the table does not refuse."""
        for cell in self._cells:
            asks = cell.command is Command.SELECT and cell.object.name == name and cell.outcomes
            if asks and len(cell.stand.persona.memberships) == 1 and not cell.outcomes[0].observation.refused:
                return cell.stand.persona
        return None

    def _described(self) -> None:
        """The root as each role gets it."""
        roles = {self._plan.identities[who.name].role: who for who in reversed(self._plan.manifest.personas)}
        for role, persona in sorted(roles.items()):
            bench = self._bench(persona)
            for schema in self._tongue.schemas:
                described = described_to(bench, schema)
                if described is None:
                    continue
                too_much = told_too_much(self._plan, role, schema, described)
                if too_much:
                    self._haul.findings.append(self._author.of_description(bench.identity, described.request, too_much))
                self._haul.notes.append(
                    f"the API's root names {len(described.relations)} relations and {len(described.functions)} "
                    f"functions of {schema} to {role}"
                )

    def _compare(self, swept: Swept) -> None:
        found = differences(swept.pairs)
        self._haul.findings.extend(self._author.of_differences(found))
        asked = sum(len(pair.outcomes) for pair in swept.pairs)
        leaks = sum(pair.by_http.judgement.verdict is Verdict.LEAK for pair in swept.pairs)
        news = sum(map(leaks_more, swept.pairs))
        self._haul.notes.append(
            f"{len(swept.pairs):,} cells and {asked:,} attempts were asked over HTTP and by SQL: {leaks} cells leak "
            f"over HTTP, {news} of them not by SQL"
        )
        self._haul.notes.extend(f"less by HTTP: {line}" for line in in_short(found, Side.LESS))
        harmless = [one for one in found if not leaks_more(one.pair)]
        self._haul.notes.extend(f"more by HTTP, and permitted: {line}" for line in in_short(harmless, Side.MORE))
        self._haul.gaps.extend(_unsaid(swept))

    def _writing(self, pairs: Sequence[Pair]) -> None:
        """Several rows at once, and rows that writes return: where what is committed can be put back."""
        if self._stage is None:
            return
        smuggled: list[tuple[Identity, Smuggled]] = []
        excesses: list[tuple[Identity, Excess]] = []
        for pair in first_of_each(pairs, Command.INSERT, Command.UPDATE, Command.DELETE):
            persona = pair.by_http.stand.persona
            bench = self._bench(persona)
            if pair.by_http.command is Command.INSERT:
                if (taken := together_of(bench, self._stage, pair)) is not None:
                    smuggled.append((bench.identity, taken))
            elif (excess := returned_by(bench, self._stage, pair, _reads_of(persona, pairs))) is not None:
                excesses.append((bench.identity, excess))
        self._haul.findings.extend(self._author.of_smuggled(smuggled))
        self._haul.findings.extend(self._author.of_excesses(excesses))

    def _confirmed(self, pairs: Sequence[Pair], told: Sequence[tuple[Identity, Told]]) -> None:
        """The supabase client's turn: findings and positive controls once more, by what applications use."""
        key = self._api.key or self._standing.signer.mint(anon_key(self._plan.scenario.session.anon_role, int(time())))
        chosen = worth_confirming(pairs)
        if self._auth is not None and self._api.key is None:  # nobody's key would have to be minted
            chosen = [(pair, said) for pair, said in chosen if pair.by_http.stand.persona.user_id is not None]
        try:
            done = confirm(chosen, lambda pair: self._bench(pair.by_http.stand.persona), api_key=key)
            again = [retells(self._bench(who.persona), one, api_key=key) for who, one in told]
        except MissingExtra as error:
            self._haul.gaps.append(Gap(object=CLIENT, reason=f"not asked: {error}"))
            return
        calls, silent = sum(one is not None for one in again), sum(one is False for one in again)
        agree = done.asked - len(done.doubts) + calls - silent
        unsaid = f"; {done.unsaid:,} it cannot make" if done.unsaid else ""
        made = f"the supabase client made {done.asked + calls:,} of the attempts once more"
        self._haul.notes.append(f"{made}: {agree:,} came to the same{unsaid}")
        if doubts := [doubt.words for doubt in done.doubts]:
            more = f", and {len(doubts) - _SHOWN} more" if len(doubts) > _SHOWN else ""
            reason = (
                f"undecided: plain HTTP and the client came to different things: {'; '.join(doubts[:_SHOWN])}{more}"
            )
            self._haul.gaps.append(Gap(object=CLIENT, reason=reason))
        if silent:
            reason = f"undecided: {silent} calls of functions tell plain HTTP what they do not tell the client"
            self._haul.gaps.append(Gap(object=CLIENT, reason=reason))

    def _shapes(self, pairs: Sequence[Pair]) -> list[tuple[Identity, Told]]:
        links = links_of(self._plan.relations)
        excesses: list[tuple[Identity, Excess]] = []
        told: list[tuple[Identity, Told]] = []
        for persona in self._plan.manifest.personas:
            bench = self._bench(persona)
            reads = _reads_of(persona, pairs)
            looked = look_at_shapes(bench, _worth_walking(links, reads), reads)
            excesses.extend((bench.identity, excess) for excess in looked.excesses)
            readable = [relation for relation in self._plan.relations if relation.name in reads]
            told.extend((bench.identity, one) for one in computed_of(bench, readable))
            if self._may_call():
                told.extend((bench.identity, one) for one in calls_of(bench, self._tongue.schemas))
        self._haul.findings.extend(self._author.of_excesses(excesses))
        self._haul.findings.extend(self._author.of_calls(told))
        return told

    def _may_call(self) -> bool:
        return self._stage is not None

    def _tokens(self, pairs: Sequence[Pair]) -> None:
        witness = witness_of(self._plan, pairs)
        if witness is None:
            reason = "tokens: no table shows different rows to members of two tenants, and none to anon"
            self._haul.gaps.append(Gap(object=OBJECT, reason=reason))
            return
        attacker, victim = (self._minted(who.persona) for who in (witness.attacker, witness.victim))
        done = assault(
            self._client,
            self._tongue,
            self._plan,
            self._signer(),
            replace(witness, attacker=attacker, victim=victim),
            ours=self._api.url is None,
            signed_in=self._auth is not None,
            api_key=self._api.key,
        )
        self._haul.findings.extend(done.findings)
        self._haul.gaps.extend(done.gaps)
        self._haul.notes.extend(done.notes)

    def _signer(self) -> Signer:
        return self._standing.signer


def narrowed(plan: Plan, schemas: tuple[str, ...]) -> Plan:
    """The plan for what PostgREST exposes."""
    database = replace(plan.scenario.database, schemas=schemas)
    return replace(plan, scenario=replace(plan.scenario, database=database))


def _reads_of(persona: Persona, pairs: Sequence[Pair]) -> dict[QName, frozenset[Key]]:
    """What the persona's plain reads over HTTP showed, of tables with a key."""
    return {
        pair.by_http.object.name: frozenset(pair.by_http.outcomes[0].observation.rows)
        for pair in pairs
        if pair.by_http.stand.persona == persona
        and pair.by_http.command is Command.SELECT
        and pair.by_http.object.primary_key
        and pair.by_http.outcomes[0].attempt.form is Form.READ
        and not pair.by_http.outcomes[0].observation.refused
    }


def _worth_walking(links: Sequence[Link], reads: dict[QName, frozenset[Key]]) -> list[Link]:
    """Links from rows that are there."""
    return [link for link in links if reads.get(link.here)]


def _unsaid(swept: Swept) -> Iterator[Gap]:
    """What could not be asked over HTTP although SQL was: one gap for each relation and reason."""
    told: dict[tuple[str, str], set[str]] = {}
    for cell, reason in swept.unsaid:
        told.setdefault((str(cell.object.name), reason), set()).add(cell.command.value)
    for (name, reason), commands in sorted(told.items()):
        yield Gap(object=name, reason=f"over HTTP, {' and '.join(sorted(commands))}: {reason}")
