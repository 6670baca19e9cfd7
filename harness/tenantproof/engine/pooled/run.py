"""
`--via pooled`: does anything of one user survive on a pooled connection into the next one's checkout?

Pools of one server connection (a PgBouncer of our own in both modes, psycopg_pool, SQLAlchemy's QueuePool) hand it from
user to user, who begin and end as the application does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tenantproof.core.errors import TargetError
from tenantproof.core.model import Command, Persona, PersonaKind, PoolKind, QName
from tenantproof.core.ports import Writes
from tenantproof.core.report import Gap
from tenantproof.engine.matrix import Judged
from tenantproof.engine.plan import Plan
from tenantproof.engine.pooled.findings import OBJECT, Author
from tenantproof.engine.pooled.habits import Habit
from tenantproof.engine.pooled.judging import Verdicts, changed, open_from_the_start, verdicts
from tenantproof.engine.pooled.looking import Gaze, Seen, settings_known, settings_of
from tenantproof.engine.pooled.passing import NOBODY, Leaving, Passed, Passing, User
from tenantproof.engine.ways import Found, Standing, Way
from tenantproof.targets.pooled.bouncer import serving
from tenantproof.targets.pooled.pools import PgBouncerPool, Pool, PsycopgPool, SqlalchemyPool
from tenantproof.targets.pooled.program import HOW_TO_GET, Program, find_pgbouncer
from tenantproof.targets.pooled.taping import Tape
from tenantproof.targets.reach import connect_or_explain, reason_of

NO_CONTROL = "no positive control"
"""How the reason of a gap begins after which nothing is proved; such a run exits 4."""

LONGEST = "10s"
"""Statement timeout, where the database has none of its own."""

MOST = 60
"""Relations that each user reads."""

UNDECLARED = (
    "the platform's own beginning was tested on pooled connections, which is local to each transaction; declare what "
    "the application does under `pooled` in the scenario"
)


def pooled_way() -> Way:
    """The way over pooled connections, for `check`.  Raises TargetError at once for a PgBouncer that is none."""
    program = find_pgbouncer()
    return Way("passing pooled connections from user to user", "pooled", lambda standing: over_pools(standing, program))


def over_pools(standing: Standing, program: Program | None) -> Found:
    """All passings through all pools.

    Raises UsageError for a function of the scenario's that cannot be found, TargetError where a pool that the scenario
    names cannot be had.
    """
    plan = standing.plan
    habit = Habit(plan.scenario, plan.identities, plan.manifest.tenant_ids)
    if not standing.handle.owned or standing.handle.writes is not Writes.SEED:
        reason = f"{NO_CONTROL}: pools show what is committed, so --via pooled needs a database of our own"
        return Found(gaps=(Gap(object=OBJECT, reason=reason),))
    login = _login(plan)
    if login is None:
        reason = f"{NO_CONTROL}: nobody logs in: name the role that the application connects as in session.login"
        return Found(gaps=(Gap(object=OBJECT, reason=reason),))
    try:
        connect_or_explain(make_conninfo(standing.handle.conninfo, user=login)).close()
    except TargetError as error:
        return Found(gaps=(Gap(object=OBJECT, reason=f"{NO_CONTROL}: {error}"),))
    cast = _cast(plan)
    if cast is None:
        return Found(gaps=(Gap(object=OBJECT, reason=f"{NO_CONTROL}: there are no members of two tenants"),))
    visit = _Visit(standing, habit, login, cast)
    with _bounded(standing.handle.conninfo):
        for kind in PoolKind:
            if visit.wanted(kind):
                visit.through(kind, program)
    return visit.found()


@contextmanager
def _bounded(conninfo: str) -> Iterator[None]:
    """Statements of new sessions end by themselves: what waits for a lock that somebody left must not hang."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        name = sql.Identifier(connection.info.dbname)
        known = connection.execute(_OWN_TIMEOUT).fetchone()
        if known is not None:
            yield
            return
        connection.execute(sql.SQL("alter database {} set statement_timeout = {}").format(name, sql.Literal(LONGEST)))
        try:
            yield
        finally:
            connection.execute(sql.SQL("alter database {} reset statement_timeout").format(name))


_OWN_TIMEOUT = """\
select 1
  from pg_catalog.pg_db_role_setting as s
  join pg_catalog.pg_database as d on d.oid = s.setdatabase
 where d.datname = pg_catalog.current_database() and s.setrole = 0
   and exists (select 1 from unnest(s.setconfig) as c where c like 'statement_timeout=%')
"""


def _login(plan: Plan) -> str | None:
    """The role that the application connects as: the scenario's login, or its role where that may log in."""
    session = plan.scenario.session
    if session.login is not None:
        return session.login
    known = plan.catalog.roles.get(session.role)
    return session.role if known is not None and known.login else None


@dataclass(frozen=True, slots=True)
class Cast:
    """Who uses the connection first, and who may come after."""

    first: User
    others: tuple[User, ...]

    @property
    def everybody(self) -> tuple[User, ...]:
        return (self.first, *self.others)


def _cast(plan: Plan) -> Cast | None:
    """A member of the first tenant; then one of another, somebody of none, anon, nobody.  None without two tenants."""
    members: dict[str, Persona] = {}
    kinds: dict[PersonaKind, Persona] = {}
    for persona in plan.manifest.personas:
        if len(persona.memberships) == 1:
            members.setdefault(persona.tenants[0], persona)
        kinds.setdefault(persona.kind, persona)
    if len(members) < 2:
        return None
    first, second, *_ = members.values()
    strangers = [kinds[kind] for kind in (PersonaKind.OUTSIDER, PersonaKind.ANON) if kind in kinds]
    nobody = [User(kinds[PersonaKind.ANON], begins=False)] if PersonaKind.ANON in kinds else []
    return Cast(User(first), (User(second), *map(User, strangers), *nobody))


@dataclass(slots=True)
class _Haul:
    verdicts: list[Verdicts] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    passings: int = 0
    survivors: dict[str, set[str]] = field(default_factory=dict)
    """Setting -> the pools through which it outlived its user."""


class _Visit:
    """One run through all pools."""

    def __init__(self, standing: Standing, habit: Habit, login: str, cast: Cast) -> None:
        self._standing, self._plan, self._habit, self._login, self._cast = standing, standing.plan, habit, login, cast
        self._haul = _Haul()
        self._cells = {user.persona.name: _cells(standing, user.persona) for user in cast.everybody}
        self._settings = settings_known(self._plan.scenario, self._plan.catalog)
        self._rehearsed = False
        self._haul.gaps.extend(_left_out(standing, cast.first.persona))

    def wanted(self, kind: PoolKind) -> bool:
        """Whether the application uses such a pool, as far as the scenario says."""
        declared = self._plan.scenario.pooled
        return declared is None or not declared.pools or kind in declared.pools

    def through(self, kind: PoolKind, program: Program | None) -> None:
        """Everything through one kind of pool; what is found stays in the haul."""
        try:
            with ExitStack() as stack:
                pool = self._pool(kind, program, stack)
                if pool is not None:
                    self._pass(pool)
        except psycopg.Error as error:
            reason = f"{NO_CONTROL}: the pool refused: {reason_of(self._standing.handle.conninfo, error)}"
            self._haul.gaps.append(Gap(object=f"{OBJECT}: {kind}", reason=reason))

    def found(self) -> Found:
        """All of it, as findings."""
        haul = self._haul
        findings = Author(self._plan, self._login).findings(haul.verdicts)
        told = {name for one in findings if one.channel == "POOL-CLAIM" for name in one.cause.split(", ")}
        notes = [*haul.notes, f"{haul.passings} passings of a pooled connection from user to user"]
        notes.extend(
            f"{name} outlives its user on the connection ({', '.join(sorted(pools))}), and nobody reads rows by it"
            for name, pools in sorted(haul.survivors.items())
            if name not in told
        )
        if not self._habit.declared:
            notes.append(UNDECLARED)
        return Found(findings=tuple(findings), gaps=tuple(haul.gaps), notes=tuple(notes))

    def _pool(self, kind: PoolKind, program: Program | None, stack: ExitStack) -> Pool | None:
        """The pool; None where it cannot be had, which is a gap.  Raises TargetError if the scenario names it."""
        conninfo = make_conninfo(self._standing.handle.conninfo, user=self._login)
        if kind is PoolKind.PSYCOPG_POOL:
            return PsycopgPool(conninfo)
        if kind is PoolKind.SQLALCHEMY:
            if find_spec("sqlalchemy") is None:
                self._lacking(kind, "SQLAlchemy is not installed here: pip install 'SQLAlchemy>=2'")
                return None
            return SqlalchemyPool(conninfo)
        if program is None:
            self._lacking(kind, f"there is no program PgBouncer: {HOW_TO_GET}")
            return None
        mode = "transaction" if kind is PoolKind.PGBOUNCER_TRANSACTION else "session"
        bouncer = stack.enter_context(
            serving(program, self._standing.handle.conninfo, mode=mode, users={self._login: self._secret()})
        )
        shares = mode == "transaction" and program.shares_prepared
        if mode == "transaction" and not shares:
            self._haul.notes.append(f"{program} does not share prepared statements between clients (from 1.21 on)")
        words = f"{program} in {mode} mode"
        return PgBouncerPool(kind, bouncer, self._login, shares_prepared=shares, words=words)

    def _secret(self) -> str:
        """The login's password, where it is the one that the target connects as."""
        known = conninfo_to_dict(self._standing.handle.conninfo)
        return str(known.get("password") or "") if known.get("user") == self._login else ""

    def _lacking(self, kind: PoolKind, reason: str) -> None:
        declared = self._plan.scenario.pooled
        if declared is not None and kind in declared.pools:
            raise TargetError(f"{declared.place}: pooled.pools names {kind}, and {reason}")
        self._haul.gaps.append(Gap(object=f"{OBJECT}: {kind}", reason=reason))

    def _pass(self, pool: Pool) -> None:
        if not self._rehearsed:
            self._rehearse(pool)
        passing = Passing(pool, self._habit, self._gazes())
        alone = {user.name: passing.alone(user) for user in self._cast.everybody}
        first, (seen, _) = self._cast.first, alone[self._cast.first.name]
        reason = self._no_control(first, seen)
        if reason:
            self._haul.gaps.append(Gap(object=f"{OBJECT}: {pool.kind}", reason=reason))
            return
        for user in self._cast.everybody:
            self._open(pool, user, *alone[user.name])
        for leaving in Leaving:
            if leaving.fits(pool):
                for second in self._cast.others:
                    for passed in passing.after(first, second, leaving):
                        self._judge(passed, alone[passed.second.name][0])

    def _rehearse(self, pool: Pool) -> None:
        """Once, to learn which settings the application sets."""
        self._rehearsed = True
        passing = Passing(pool, self._habit, self._gazes())
        tapes = [passing.alone(user)[1] for user in self._cast.everybody]
        self._settings = tuple(sorted({*self._settings, *(name for tape in tapes for name in settings_of(tape))}))

    def _gazes(self) -> Mapping[str, Gaze]:
        return {
            name: Gaze({cell.object.name: cell.outcomes[0].attempt.sql for cell in cells.values()}, self._settings)
            for name, cells in self._cells.items()
        }

    def _no_control(self, user: User, seen: Seen) -> str:
        """Why nothing is proved; empty where the first user reads rows of their own by the application's beginning."""
        if seen.failed:
            return f"{NO_CONTROL}: the application cannot begin as {user.name}: {seen.failed}"
        own = {self._plan.manifest.tenant_ids[name] for name in user.persona.tenants}
        for name, said in seen.reads.items():
            known = {row.key: row.tenant for row in self._cells[user.persona.name][name].stand.rows}
            if any(known.get(row) in own for row in said.rows):
                return ""
        refused = next((said for said in seen.reads.values() if said.refused), None)
        why = f" ({refused.in_words()})" if refused is not None else ""
        return f"{NO_CONTROL}: by the application's beginning {user.name} reads no row of their own{why}"

    def _open(self, pool: Pool, user: User, seen: Seen, tape: Tape) -> None:
        """What is open on a connection that nobody has used."""
        gains = () if seen.failed else tuple(open_from_the_start(self._plan, self._cells[user.persona.name], seen))
        if seen.failed and user.persona.memberships:
            reason = f"{NO_CONTROL}: the application cannot begin as {user.name}: {seen.failed}"
            self._haul.gaps.append(Gap(object=f"{OBJECT}: {pool.kind}", reason=reason))
        if gains and not seen.bound and user.name == NOBODY:
            note = f"no policy binds {self._login}: what forgets to begin reads every row"
            if note not in self._haul.notes:
                self._haul.notes.append(note)
        elif gains:
            passed = Passed(pool=pool, leaving=Leaving.COMMIT, first=user, second=user, seen=seen, tape=tape)
            self._haul.verdicts.append(Verdicts(passed=passed, channel="POOL-BEGIN", cause="begin", gains=gains))

    def _judge(self, passed: Passed, alone: Seen) -> None:
        self._haul.passings += 1
        if passed.void:
            reason = f"{NO_CONTROL}: {passed.void}, {passed.leaving.words}"
            self._haul.gaps.append(Gap(object=f"{OBJECT}: {passed.pool.kind}", reason=reason))
            return
        self._haul.verdicts.extend(verdicts(self._plan, self._cells[passed.second.persona.name], alone, passed))
        for name in changed(alone, passed.seen) if not passed.seen.failed else ():
            self._haul.survivors.setdefault(name, set()).add(passed.pool.kind)


def _cells(standing: Standing, persona: Persona) -> dict[QName, Judged]:
    """The persona's SELECT cells of relations whose rows belong to somebody; those that hold rows first."""
    found = [cell for cell in standing.cells if _telling(cell, persona)]
    found.sort(key=lambda cell: (not cell.stand.rows, cell.object.name))
    return {cell.object.name: cell for cell in found[:MOST]}


def _telling(cell: Judged, persona: Persona) -> bool:
    tenancy = cell.stand.tenancy
    told = tenancy.decided and not tenancy.shared
    return told and cell.command is Command.SELECT and cell.stand.persona == persona and bool(cell.outcomes)


def _left_out(standing: Standing, persona: Persona) -> Iterator[Gap]:
    """What there is beyond the relations that each user reads."""
    beyond = sum(_telling(cell, persona) for cell in standing.cells) - MOST
    if beyond > 0:
        yield Gap(object=OBJECT, reason=f"{beyond} relations were not read: each user reads {MOST}")
