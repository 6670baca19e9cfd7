"""
Storage: what each persona may do to files of another tenant, asked as the Storage API asks.

Every persona of one tenant, and the strangers, before one member of another tenant: list, download, upload, overwrite,
rename and remove, with the plain name and with names that try tricks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set

from tenantproof.core.finding import Finding, Verdict
from tenantproof.core.model import Command, SystemRows
from tenantproof.core.report import Gap
from tenantproof.core.world import Row
from tenantproof.engine.plan import Plan
from tenantproof.engine.services import storage_sql as sql_of
from tenantproof.engine.services.cast import Pair, pairs
from tenantproof.engine.services.findings import Author, Haul
from tenantproof.engine.services.layouts import BUCKETS, OBJECTS, Buckets, Layout, control, look_at_buckets
from tenantproof.engine.services.probes import Answer, Look, Probe, ask
from tenantproof.engine.services.sessions import STORAGE_LOGIN, storage_identity
from tenantproof.engine.services.storage_attempts import COMMANDS, READS, Attempts
from tenantproof.engine.services.tenants import Parties, parties_of
from tenantproof.engine.talks import Talk, side_by_side
from tenantproof.engine.ways import Standing
from tenantproof.oracle.entitlement import Stance


def in_storage(standing: Standing, author: Author) -> Talk[Haul]:
    """Ask everything of Storage."""
    plan, haul = standing.plan, Haul()
    if OBJECTS not in plan.catalog.relations or "storage" not in plan.scenario.database.schemas:
        return haul
    parties = yield from parties_of(plan)
    cast = tuple(pairs(plan))
    login = STORAGE_LOGIN in plan.catalog.roles and any(one.login for one in plan.identities.values())
    buckets = yield from look_at_buckets(plan, parties, cast, login)
    visits = [_Visit(standing, parties, cast, layout, login) for layout in buckets.layouts]
    talks = [*(visit.answers() for visit in visits), ask(list(_publishing_each(plan, cast, buckets, login)))]
    *said, published = yield from side_by_side(talks)
    leaks = [leak for visit, answers in zip(visits, said, strict=True) for leak in visit.leaks(answers, haul)]
    opened = [answer for answer in published or () if answer.leaked]
    told = [author.of_answers(str(OBJECTS), leaks), author.of_answers(str(BUCKETS), opened)]
    haul.findings += [finding for findings in (yield from side_by_side(told)) for finding in findings]
    haul.findings += _public(plan, cast, buckets, author)
    haul.notes.extend(_remarks(buckets))
    if buckets.untried:
        reason = f"Storage: {len(buckets.untried)} buckets of which the scenario has no files were too many to try"
        haul.gaps.append(Gap(object=str(BUCKETS), reason=reason))
    return haul


class _Visit:
    """All attempts at one layout of one bucket."""

    def __init__(self, standing: Standing, parties: Parties, cast: Sequence[Pair], layout: Layout, login: bool) -> None:
        self._standing, self._plan = standing, standing.plan
        self._parties, self._cast, self._layout, self._login = parties, cast, layout, login
        self._attempts = Attempts(
            plan=standing.plan,
            parties=parties,
            objects=standing.plan.catalog.relations[OBJECTS],
            layout=layout,
            login=login,
        )

    def leaks(self, answers: Sequence[Answer] | None, haul: Haul) -> list[Answer]:
        """What got through; into the haul goes how much was asked, or why nothing can be."""
        where = f"{self._layout.bucket.text}/{self._layout.name.text}"
        if answers is None:
            reason = f"Storage: no positive control: no member may upload to or read the own folder in {where}"
            haul.gaps.append(Gap(object=str(OBJECTS), reason=reason))
            return []
        asked = sum(answer.staged for answer in answers)
        haul.asked.append(f"of Storage {asked:,} times in {where}")
        return [answer for answer in answers if answer.leaked]

    def answers(self) -> Talk[list[Answer] | None]:
        """Plain attempts first; where one of them gets through, or the matrix saw that it does, no trick is needed.

        None where no member may upload to their own folder or read there: then refusals prove nothing.
        """
        known = self._known()
        groups = [list(self._controls()), *(self._plain(pair, known) for pair in self._cast)]
        controls, *plain = yield from side_by_side(map(ask, groups))
        if not any(answer.leaked for answer in controls):
            return None
        tricks = [self._tricky(pair, known, answers) for pair, answers in zip(self._cast, plain, strict=True)]
        tricky = yield from side_by_side(map(ask, tricks))
        return [answer for pair in zip(plain, tricky, strict=True) for answers in pair for answer in answers]

    def _controls(self) -> Iterator[Probe]:
        """What members may do in their own folders."""
        for pair in self._cast:
            place = self._layout.place(self._parties, pair.home, pair.attacker) if pair.home else None
            if place is not None:
                bucket, name = place
                me, act = pair.attacker, sql_of.upload(bucket, name, pair.attacker.user_id)
                yield control(self._plan, me, "upload", bucket, name, act, self._login, me)
                act = sql_of.get(bucket, name)
                yield control(self._plan, me, "get", bucket, name, act, self._login, me)

    def _plain(self, pair: Pair, known: Set[Command]) -> list[Probe]:
        return [p for p in self._attempts.plain(pair) if p.command not in known and self._is_judged(pair, p)]

    def _tricky(self, pair: Pair, known: Set[Command], plain: Sequence[Answer]) -> list[Probe]:
        opened = {answer.probe.operation for answer in plain if answer.leaked}
        opened |= {operation for operation, command in COMMANDS.items() if command in known}
        if opened & READS:
            opened |= READS
        return [p for p in self._attempts.tricky(pair) if p.operation not in opened and self._is_judged(pair, p)]

    def _known(self) -> set[Command]:
        """What the matrix says already, of whomever: one cause is told once."""
        return {
            cell.command
            for cell in self._standing.cells
            if self._layout.declared and cell.object.name == OBJECTS and cell.judgement.verdict is Verdict.LEAK
        }

    def _is_judged(self, pair: Pair, probe: Probe) -> bool:
        """Whether the act would be wrong: reading is not, in folders that are for all as far as anybody knows."""
        if probe.command is not Command.SELECT:
            return True
        if probe.channel == "STORAGE-ROOT":
            shared = self._plan.tenancy_of(OBJECTS).system_rows is SystemRows.SHARED
            return self._layout.reads and not shared
        return self._layout.reads and not (self._layout.declared and self._is_declared_open(pair))

    def _is_declared_open(self, pair: Pair) -> bool:
        tenancy = self._plan.tenancy_of(OBJECTS)
        tenant = self._parties.by_name[pair.foreign].id if tenancy.tenant is not None else None
        row = Row(key=(None,), tenant=tenant, owner=pair.victim.user_id)
        return self._plan.oracle.stance(pair.attacker, OBJECTS, Command.SELECT, row) is not Stance.FORBIDDEN


def _public(plan: Plan, cast: Iterable[Pair], buckets: Buckets, author: Author) -> Iterator[Finding]:
    """Whether a bucket is public that the scenario promises to tenants."""
    declared = {layout.bucket.text for layout in buckets.layouts if layout.declared}
    for bucket in sorted(declared):
        if buckets.public.get(bucket) and _promised_to_tenants(plan, cast):
            yield author.of_public_bucket(bucket)


def _publishing_each(plan: Plan, cast: Iterable[Pair], buckets: Buckets, login: bool) -> Iterator[Probe]:
    """Whether somebody may make a bucket public that tenants share; the matrix asks where the scenario speaks of it."""
    shared = {layout.bucket.text for layout in buckets.layouts if not layout.bucket.fenced}
    if BUCKETS not in plan.scenario.tables:
        yield from (_publishing(plan, pair, bucket, login) for bucket in sorted(shared) for pair in cast)


def _publishing(plan: Plan, pair: Pair, bucket: str, login: bool) -> Probe:
    return Probe(
        channel="STORAGE-BUCKET",
        object=bucket,
        command=Command.UPDATE,
        operation="bucket",
        trick="the bucket made public",
        identity=storage_identity(plan.identities[pair.attacker.name], "bucket", bucket, "", login=login),
        act=sql_of.publish(bucket),
        setup=((sql_of.make_private(bucket),),),
        looks=(Look(query=sql_of.is_public(bucket)),),
        against="a bucket of all tenants",
    )


def _promised_to_tenants(plan: Plan, cast: Iterable[Pair]) -> bool:
    """Whether an `expect` line about storage.objects itself promises files to their tenants alone."""
    return any(
        plan.oracle.speaks_of(pair.attacker, OBJECTS, Command.SELECT)
        and plan.oracle.promise(pair.attacker, OBJECTS, Command.SELECT).startswith(("tenant", "own"))
        for pair in cast
    )


def _remarks(buckets: Buckets) -> Iterator[str]:
    for bucket in buckets.unknown:
        yield (
            f"Storage: policies let people into the bucket {bucket}, and nothing says whose its files are: declare"
            " them (tables: storage.objects), or they are for all"
        )
    for bucket, public in buckets.public.items():
        if public:
            yield f"Storage: the bucket {bucket} is public: whoever knows a file's name gets it, and no policy is asked"
