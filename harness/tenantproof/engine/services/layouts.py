"""Which folders a bucket has: what the names of its files say of whose they are, from the seeded rows or by trying."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tenantproof.core.catalog import Relation
from tenantproof.core.model import Command, Persona, QName
from tenantproof.engine.plan import Plan
from tenantproof.engine.services import storage_sql
from tenantproof.engine.services.cast import Pair
from tenantproof.engine.services.patterns import ID, USER, Pattern, literals_in, pattern_of
from tenantproof.engine.services.probes import Probe, ask
from tenantproof.engine.services.sessions import storage_identity
from tenantproof.engine.services.tenants import Parties
from tenantproof.engine.talks import Talk, side_by_side

OBJECTS, BUCKETS = QName("storage", "objects"), QName("storage", "buckets")

_FILE = "tp-file.txt"
_MOST = 3
_TRIED = 12
"""Buckets without seeded files that are tried."""
_LITERALS = 4
_RANDOM = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NAMES = "SELECT id::text, bucket_id, name FROM storage.objects"
_ALL_BUCKETS = "SELECT id, public::text FROM storage.buckets ORDER BY id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where a tenant's files lie.  `declared`: the scenario says so; else what the policies were seen to enforce, for
    reading, for writing, or both."""

    bucket: Pattern
    name: Pattern
    declared: bool = False
    reads: bool = True
    writes: bool = True

    @property
    def slot(self) -> str:
        """What tells the folders apart: the tenant where the name has it, else the user."""
        return self.name.tenant_slot or self.bucket.tenant_slot or USER

    def place(self, parties: Parties, tenant: str, persona: Persona) -> tuple[str, str] | None:
        """Bucket and name of a fresh file of somebody's."""
        values = parties.by_name[tenant].values(persona)
        bucket, name = self.bucket.filled(values), self.name.filled(values)
        return (bucket, name) if bucket is not None and name is not None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Buckets:
    """The buckets that there are, whether each is public, and the layouts of those whose files are known."""

    public: Mapping[str, bool]
    layouts: tuple[Layout, ...]
    unknown: tuple[str, ...]
    """Buckets that policies let people into, without showing whose the files are."""
    untried: tuple[str, ...] = ()
    """Buckets that there were too many of."""


def look_at_buckets(plan: Plan, parties: Parties, pairs: Sequence[Pair], login: bool) -> Talk[Buckets]:
    """What the observer sees, and what the people come to."""
    rows, buckets = (said[-1].rows for said in (yield [(_NAMES,), (_ALL_BUCKETS,)]))
    public = {str(id): flag == "true" for id, flag in buckets}
    declared = list(_declared(plan, parties, {str(id): (str(bucket), str(name)) for id, bucket, name in rows}))
    spoken_for = {layout.bucket.text for layout in declared}
    others = [bucket for bucket in public if bucket not in spoken_for]
    if any(layout.bucket.fenced for layout in declared):
        others = []  # a bucket of its own for each tenant: the declared layout covers them
    trying = others[:_TRIED]
    came_to = yield from side_by_side(_by_trying(plan, parties, pairs, bucket, login) for bucket in trying)
    tried = [layout for layouts, _ in came_to for layout in layouts]
    unknown = (bucket for bucket, (layouts, open_to) in zip(trying, came_to, strict=True) if open_to and not layouts)
    return Buckets(public=public, layouts=(*declared, *tried), unknown=tuple(unknown), untried=tuple(others[_TRIED:]))


def _declared(plan: Plan, parties: Parties, seeded: Mapping[str, tuple[str, str]]) -> Iterator[Layout]:
    """The layouts of the seeded rows, a few of each bucket."""
    people: dict[str | None, Persona] = {who.user_id: who for who in plan.manifest.personas if who.user_id}
    found: dict[tuple[str, str], Layout] = {}
    for row in plan.world.rows.get(OBJECTS, ()):
        owner = people.get(row.owner)
        tenant = plan.world.tenant_name(row.tenant) or (owner.tenants[0] if owner and owner.tenants else None)
        key = row.key[0] or ""
        if tenant is None or key not in seeded:
            continue
        values = parties.by_name[tenant].values(owner)
        bucket, name = (pattern_of(text, values) for text in seeded[key])
        layout = Layout(bucket=bucket, name=_fresh(name), declared=True)
        if bucket.fenced or name.fenced:
            folder = _RANDOM.sub("", layout.name.text.rpartition("/")[0])
            found.setdefault((bucket.text, folder), layout)
    yield from list(found.values())[:_MOST]


def _fresh(name: Pattern) -> Pattern:
    """The pattern of another file beside it, with the same ending."""
    folder, slash, file = name.text.rpartition("/")
    if Pattern(file).fenced:
        return name
    ending = file.rpartition(".")[2] if "." in file else "txt"
    return Pattern(f"{folder}{slash}tp-file.{ending}")


def _candidates(parties: Parties, objects: Relation) -> Iterator[Pattern]:
    """Names that applications usually give, with the words that this one's policies speak of."""
    texts = [text for policy in objects.policies for text in (policy.using, policy.check) if text]
    party = next(iter(parties.by_name.values()))
    marks = [ID, *party.called, USER]
    for mark in marks:
        yield Pattern(f"{{{mark}}}/{_FILE}")
    yield Pattern(f"{{{ID}}}/{{{USER}}}/{_FILE}")
    yield Pattern(f"{{{USER}}}/{{{ID}}}/{_FILE}")
    for literal in list(literals_in(texts))[:_LITERALS]:
        yield from (Pattern(f"{literal.strip('/')}/{{{mark}}}/{_FILE}") for mark in (ID, USER))


def _by_trying(
    plan: Plan, parties: Parties, pairs: Sequence[Pair], bucket: str, login: bool
) -> Talk[tuple[list[Layout], bool]]:
    """The layouts that the policies enforce in a bucket, and whether anybody got anywhere in it."""
    objects = plan.catalog.relations[OBJECTS]
    found: list[Layout] = []
    open_to = False
    people = [pair for pair in pairs if pair.home is not None]
    layouts = [Layout(bucket=Pattern(bucket), name=pattern) for pattern in _candidates(parties, objects)]
    groups = [[probe for pair in people for probe in _trials(plan, parties, pair, one, login)] for one in layouts]
    for layout, answers in zip(layouts, (yield from side_by_side(map(ask, groups))), strict=True):
        passed = [answer.passed and answer.leaked for answer in answers]
        open_to |= any(passed)
        trials = [passed[i : i + 4] for i in range(0, len(passed), 4)]
        writes = any(own and not foreign for own, foreign, _, _ in trials)
        reads = any(own and not foreign for _, _, own, foreign in trials)
        if writes or reads:
            found.append(replace(layout, reads=reads, writes=writes))
    return found[:_MOST], open_to


def _trials(plan: Plan, parties: Parties, pair: Pair, layout: Layout, login: bool) -> Iterable[Probe]:
    """Upload to the own folder and to the other's; read in both."""
    me, home = pair.attacker, pair.home or ""
    places = (layout.place(parties, home, me), layout.place(parties, pair.foreign, pair.victim))
    if places[0] is None or places[1] is None or places[0] == places[1]:
        return
    for (bucket, name), owner in zip(places, (me, pair.victim), strict=True):  # type: ignore[misc]
        yield control(plan, me, "upload", bucket, name, storage_sql.upload(bucket, name, me.user_id), login, owner)
    for (bucket, name), owner in zip(places, (me, pair.victim), strict=True):  # type: ignore[misc]
        yield control(plan, me, "get", bucket, name, storage_sql.get(bucket, name), login, owner)


def control(
    plan: Plan, who: Persona, operation: str, bucket: str, name: str, act: str, login: bool, owner: Persona
) -> Probe:
    """An act that should be let through: its answer is `leaked` where it was."""
    identity = storage_identity(plan.identities[who.name], operation, bucket, name, login=login)
    reading = operation in ("get", "list")
    return Probe(
        channel="STORAGE-FOLDER",
        object=bucket,
        command=Command.SELECT if reading else Command.INSERT,
        operation=operation,
        trick="control",
        identity=identity,
        act=act,
        setup=((storage_sql.plant(bucket, name, owner.user_id),),) if reading else (),
    )
