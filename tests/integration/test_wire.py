"""The wire on a real server: refusals are values, nothing of a script survives it, and nothing ever hangs."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tenantproof.core.attempt import Observation
from tenantproof.core.model import Database, Platform
from tenantproof.engine.wire import Part, Staged, Wire
from tenantproof.targets.embedded import EmbeddedTarget

SCHEMA = """
CREATE TABLE public.notes (
  id int PRIMARY KEY,
  body text NOT NULL DEFAULT 'seeded',
  parent int REFERENCES public.notes,
  CONSTRAINT short CHECK (length(body) < 20)
);
ALTER TABLE public.notes ENABLE ROW LEVEL SECURITY;
INSERT INTO public.notes (id) VALUES (1), (2), (3);
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'wire_reader') THEN CREATE ROLE wire_reader; END IF;
END $$;
GRANT SELECT, INSERT ON public.notes TO wire_reader;
CREATE POLICY odd ON public.notes FOR SELECT TO wire_reader USING (id % 2 = 1);
CREATE PROCEDURE public.commits() LANGUAGE plpgsql AS $$ BEGIN DELETE FROM public.notes; COMMIT; END $$;
"""
COUNT = "SELECT count(*)::text FROM public.notes"
WHICH = [("SELECT current_setting('app.part', true)",)]
KILL_THE_WAITING = """
DO $$
DECLARE waiting int;
BEGIN
  WHILE waiting IS NULL LOOP
    SELECT l.pid INTO waiting FROM pg_locks l JOIN pg_database d ON d.oid = l.database
    WHERE l.locktype = 'advisory' AND NOT l.granted AND d.datname = current_database();
  END LOOP;
  PERFORM pg_terminate_backend(waiting);
END $$
"""
SECONDS = 20
"""Far more than any of this takes: a thread that is not done by then hangs."""

Connect = Callable[[], psycopg.Connection[tuple[object, ...]]]


@pytest.fixture(scope="session")
def conninfo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database of this worker's own; workers share the server."""
    migrations = tmp_path_factory.mktemp("wire")
    (migrations / "01_notes.sql").write_text(SCHEMA)
    database = Database(platform=Platform.POSTGRES, migrations=(migrations,))
    with EmbeddedTarget(database).database() as handle:
        yield handle.conninfo


@pytest.fixture
def connect(conninfo: str) -> Iterator[Connect]:
    opened: list[psycopg.Connection[tuple[object, ...]]] = []

    def connect() -> psycopg.Connection[tuple[object, ...]]:
        opened.append(psycopg.connect(conninfo, autocommit=True, options=f"-c transaction_timeout={SECONDS}s"))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()


@pytest.fixture
def observer(connect: Connect) -> psycopg.Connection[tuple[object, ...]]:
    """Another connection, which sees what was committed."""
    return connect()


@pytest.fixture
def wire(connect: Connect) -> Iterator[Wire]:
    with Wire(connect()) as opened:
        opened.prepare(())
        yield opened


def one(wire: Wire, *script: str) -> tuple[Observation, ...]:
    (answers,) = wire.run([script])
    return answers


def run_each(wire: Wire, parts: Sequence[Part]) -> list[list[tuple[Observation, ...]]]:
    for part in parts:
        wire.send(part)
    return [wire.hear() for _ in parts]


def value(observation: Observation) -> str | None:
    assert observation.sqlstate is None, observation.in_words()
    return observation.rows[0][0]


def in_time(work: Callable[[], object]) -> object:
    """The result of *work*, or what it raised, as a value.  Fails where it does not come back.

    A wire that waits for the server keeps Python's lock, so the server has a timeout of its own (see `connect`).
    """
    results: list[object] = []

    def run() -> None:
        try:
            results.append(work())
        except Exception as error:  # noqa: BLE001
            results.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(SECONDS)
    assert not thread.is_alive(), "the wire hangs"
    return results[0]


class TestAnswers:
    def test_rows_come_as_text_with_their_count(self, wire: Wire) -> None:
        (answer,) = one(wire, "SELECT id, NULL, '', body FROM public.notes ORDER BY id")
        assert answer == Observation(
            rows=tuple((str(number), None, "", "seeded") for number in (1, 2, 3)),
            count=3,
        )

    def test_text_of_any_language_survives(self, wire: Wire) -> None:
        assert value(*one(wire, "SELECT 'ü 漢 🐘 '' \" \\ %s $1'")) == "ü 漢 🐘 ' \" \\ %s $1"

    @pytest.mark.parametrize(
        ("statement", "count"),
        [
            ("UPDATE public.notes SET body = 'x' WHERE id < 3", 2),
            ("DELETE FROM public.notes", 3),
            ("INSERT INTO public.notes (id) VALUES (7)", 1),
            ("UPDATE public.notes SET body = 'x' WHERE false", 0),
            ("SELECT FROM public.notes WHERE false", 0),
            ("SET LOCAL work_mem = '1MB'", 0),
        ],
    )
    def test_writes_tell_how_many_rows(self, wire: Wire, statement: str, count: int) -> None:
        assert one(wire, statement) == (Observation(count=count),)

    def test_a_returning_clause_gives_both(self, wire: Wire) -> None:
        assert one(wire, "DELETE FROM public.notes WHERE id = 2 RETURNING id") == (
            Observation(rows=(("2",),), count=1),
        )

    @pytest.mark.parametrize(
        ("statement", "sqlstate", "words"),
        [
            ("SELECT 1/0", "22012", "division by zero"),
            ("SELECT * FROM nowhere", "42P01", "nowhere"),
            ("SELEC 1", "42601", "syntax error"),
            ("INSERT INTO public.notes (id) VALUES (1)", "23505", "notes_pkey"),
            ("INSERT INTO public.notes (id, parent) VALUES (8, 99)", "23503", "notes_parent_fkey"),
            ("INSERT INTO public.notes (id, body) VALUES (8, NULL)", "23502", "body"),
            ("UPDATE public.notes SET body = repeat('x', 20)", "23514", "short"),
            ("DO $$ BEGIN RAISE EXCEPTION 'spoken by a trigger'; END $$", "P0001", "spoken by a trigger"),
            ("SELECT 1; SELECT 2", "42601", "multiple commands"),
            ("SELECT $1::int", "08P01", "0 parameters"),
        ],
    )
    def test_a_refusal_is_an_answer(self, wire: Wire, statement: str, sqlstate: str, words: str) -> None:
        (answer,) = one(wire, statement)
        assert answer.sqlstate == sqlstate
        assert words in answer.message
        assert answer.refused
        assert (answer.rows, answer.count) == ((), 0)

    def test_a_denial_by_privilege_and_one_by_policy(self, wire: Wire) -> None:
        by_privilege = one(wire, "SET LOCAL ROLE wire_reader", "DELETE FROM public.notes")[-1]
        by_policy = one(wire, "SET LOCAL ROLE wire_reader", "INSERT INTO public.notes (id) VALUES (9)")[-1]
        assert by_privilege.denied
        assert "permission denied" in by_privilege.message
        assert by_policy.denied
        assert "row-level security" in by_policy.message

    def test_no_scripts_no_answers(self, wire: Wire) -> None:
        assert wire.run([]) == []

    def test_an_empty_script_has_an_empty_answer(self, wire: Wire) -> None:
        assert wire.run([(), ("SELECT 1",), ()]) == [(), (Observation(rows=(("1",),), count=1),), ()]


class TestScripts:
    def test_a_script_stops_at_its_first_refusal(self, wire: Wire) -> None:
        answers = one(wire, "SELECT 'before'", "SELECT 1/0", "SELECT 'after'", "DELETE FROM public.notes")
        assert [answer.sqlstate for answer in answers] == [None, "22012"]

    def test_the_next_script_does_not_notice(self, wire: Wire) -> None:
        refused, fine = wire.run([("SELECT 1/0", "SELECT 'unreached'"), ("SELECT 'fine'",)])
        assert len(refused) == 1
        assert value(*fine) == "fine"

    @pytest.mark.parametrize("then", [(), ("SELECT 1/0",)], ids=["accepted", "refused"])
    @pytest.mark.parametrize(
        ("disturb", "look", "expected"),
        [
            pytest.param("DELETE FROM public.notes", COUNT, "3", id="rows-gone"),
            pytest.param("INSERT INTO public.notes (id) VALUES (9)", COUNT, "3", id="rows-added"),
            pytest.param(
                "UPDATE public.notes SET body = 'x'", "SELECT string_agg(DISTINCT body, ',') FROM public.notes",
                "seeded", id="rows-changed",
            ),
            pytest.param("SET LOCAL app.who = 'mallory'", "SELECT current_setting('app.who')", "alice", id="a-setting"),
            pytest.param("SET app.who = 'mallory'", "SELECT current_setting('app.who')", "alice", id="not-even-local"),
            pytest.param(
                "SELECT set_config('app.who', 'mallory', false)", "SELECT current_setting('app.who')",
                "alice", id="set_config",
            ),
            pytest.param("RESET ALL", "SELECT current_setting('app.who')", "alice", id="reset-all"),
            pytest.param("SET LOCAL ROLE wire_reader", "SELECT (current_user = session_user)::text", "true", id="role"),
            pytest.param("SET SESSION AUTHORIZATION wire_reader", "SELECT (session_user <> 'wire_reader')::text",
                         "true", id="session-authorization"),
            pytest.param("SET LOCAL row_security = off", "SHOW row_security", "on", id="row-security"),
            pytest.param("CREATE TABLE public.made ()", "SELECT to_regclass('public.made')", None, id="a-table"),
            pytest.param("DROP TABLE public.notes", COUNT, "3", id="a-table-dropped"),
            pytest.param("SAVEPOINT attempt", COUNT, "3", id="a-savepoint-of-the-same-name"),
            pytest.param("SET CONSTRAINTS ALL DEFERRED", COUNT, "3", id="constraints"),
        ],
    )  # fmt: skip
    def test_every_script_starts_from_the_savepoint(
        self, connect: Connect, disturb: str, look: str, expected: str | None, then: Sequence[str]
    ) -> None:
        with Wire(connect()) as wire:
            wire.prepare(("SET LOCAL app.who = 'alice'",))
            disturbed, looked, again = wire.run([(disturb, *then), (look,), (look,)])
            assert disturbed[0].sqlstate is None
            assert value(*looked) == value(*again) == expected

    def test_what_preparation_did_is_part_of_that_state(self, connect: Connect) -> None:
        with Wire(connect()) as wire:
            wire.prepare(("DELETE FROM public.notes WHERE id = 1", "SET LOCAL ROLE wire_reader"))
            seen = wire.run([("SELECT id::text FROM public.notes",), ("RESET ROLE", COUNT)])
            assert [answer.rows for answer in seen[0]] == [(("3",),)]
            assert value(seen[1][-1]) == "2"

    def test_one_savepoint_serves_runs_one_after_the_other(self, wire: Wire) -> None:
        for _ in range(3):
            assert one(wire, "DELETE FROM public.notes") == (Observation(count=3),)


class TestNothingStays:
    def test_nothing_is_committed(self, connect: Connect, observer: psycopg.Connection) -> None:
        with Wire(connect()) as wire:
            wire.prepare(("INSERT INTO public.notes (id) VALUES (50)",))
            wire.run([("DELETE FROM public.notes",), ("CREATE TABLE public.made ()",)])
            wire.restart(("INSERT INTO public.notes (id) VALUES (51)",))
        assert observer.execute("SELECT array_agg(id ORDER BY id) FROM public.notes").fetchone() == ([1, 2, 3],)
        assert observer.execute("SELECT to_regclass('public.made')").fetchone() == (None,)

    def test_nothing_is_committed_where_the_block_is_left_by_an_error(
        self, connect: Connect, observer: psycopg.Connection
    ) -> None:
        def leave(wire: Wire) -> None:
            wire.prepare(("DELETE FROM public.notes",))
            raise KeyError("ours")

        with pytest.raises(KeyError), Wire(connect()) as wire:
            leave(wire)
        assert observer.execute(COUNT).fetchone() == ("3",)

    def test_an_interruption_leaves_nothing_for_psycopg_to_say(
        self, connect: Connect, caplog: pytest.LogCaptureFixture
    ) -> None:
        def interrupt(wire: Wire) -> None:
            wire.prepare(())
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt), connect() as connection, Wire(connection) as wire:
            interrupt(wire)
        assert caplog.messages == []

    def test_a_procedure_cannot_commit_either(self, wire: Wire, observer: psycopg.Connection) -> None:
        (answer,) = one(wire, "CALL public.commits()")
        assert answer.sqlstate == "2D000"
        assert observer.execute(COUNT).fetchone() == ("3",)

    def test_the_connection_is_of_use_afterwards(self, connect: Connect) -> None:
        connection = connect()
        with Wire(connection) as wire:
            wire.prepare(())
            wire.run([("SELECT 1/0",)])
        assert connection.info.transaction_status is psycopg.pq.TransactionStatus.IDLE
        assert connection.execute("SELECT 1").fetchone() == (1,)


class TestSetUp:
    def test_a_failure_in_preparation_is_an_exception(self, connect: Connect) -> None:
        with Wire(connect()) as wire:
            wire.prepare(("SELECT 1", "SELECT * FROM nowhere", "SELECT 2"))
            with pytest.raises(psycopg.errors.UndefinedTable, match="nowhere"):
                wire.settle()
            wire.restart(())
            assert value(*one(wire, COUNT)) == "3"

    def test_a_failure_that_nobody_waited_for_is_raised_by_the_next_run(self, connect: Connect) -> None:
        with Wire(connect()) as wire:
            wire.prepare(("SELECT * FROM nowhere",))
            with pytest.raises(psycopg.errors.UndefinedTable, match="nowhere"):
                wire.run([(COUNT,), ("SELECT 1", "SELECT 2")] * 40)
            wire.restart(())
            assert value(*one(wire, COUNT)) == "3"

    def test_set_up_costs_no_round_trip_of_its_own(self, connect: Connect) -> None:
        with Wire(connect()) as wire:
            before = wire.counter.round_trips
            for _ in range(10):
                wire.restart(("SELECT 1",))
            assert value(*one(wire, COUNT)) == "3"
            assert wire.counter.round_trips == before + 1

    def test_each_part_is_run_in_a_state_of_its_own(self, connect: Connect) -> None:
        """More parts than are sent ahead, one of them with more scripts than are sent at once, one with none."""
        with Wire(connect()) as wire:
            wire.restart(("SAVEPOINT base",))
            parts = [
                Part(set_up=("ROLLBACK TO SAVEPOINT base", f"SET LOCAL app.part = '{number}'"), scripts=scripts)
                for number, scripts in enumerate([WHICH] * 20 + [[], WHICH * 150, WHICH])
            ]
            heard = run_each(wire, [Part(scripts=[(COUNT,)]), *parts])
            assert [[value(*answer) for answer in answers] for answers in heard] == [
                ["3"],
                *([str(number)] for number in range(20)),
                [],
                ["21"] * 150,
                ["22"],
            ]

    def test_parts_share_their_waiting(self, connect: Connect) -> None:
        with Wire(connect()) as wire:
            wire.prepare(())
            before = wire.counter.round_trips
            run_each(wire, [Part(set_up=("SELECT 1",), scripts=WHICH)] * 10)
            assert wire.counter.round_trips == before + 1

    @pytest.mark.parametrize("place", [0, 1, 5, 19])
    def test_a_failure_in_the_set_up_of_a_part_is_an_exception(self, connect: Connect, place: int) -> None:
        with Wire(connect()) as wire:
            wire.prepare(())
            sound, broken = (Part(set_up=(statement,), scripts=WHICH * 3) for statement in ("SELECT 1", "SELECT 1/0"))
            with pytest.raises(psycopg.errors.DivisionByZero):
                run_each(wire, [broken if number == place else sound for number in range(20)])
            wire.give_up()
            wire.restart(())
            assert value(*one(wire, COUNT)) == "3"

    @given(
        broken=st.sets(st.integers(0, 15)),
        scripts=st.lists(st.sampled_from([0, 1, 3, 59, 60, 61, 800]), min_size=1, max_size=16),
    )
    @settings(max_examples=25, deadline=None)
    def test_a_part_that_cannot_be_set_up_is_answered_by_none(
        self, conninfo: str, broken: set[int], scripts: list[int]
    ) -> None:
        """Parts of any size, more than are sent ahead: those that can be set up are answered as if they were alone."""
        with psycopg.connect(conninfo, autocommit=True) as connection, Wire(connection) as wire:
            wire.restart(("SAVEPOINT base",))
            parts = [
                Part(
                    set_up=(
                        "ROLLBACK TO SAVEPOINT base",
                        f"SET LOCAL app.part = '{number}'",
                        "SELECT 1/0" if number in broken else "SELECT 1",
                    ),
                    scripts=WHICH * many,
                )
                for number, many in enumerate(scripts)
            ]
            heard = wire.try_each(parts)
            assert [None if answers is None else [value(*said) for said in answers] for answers in heard] == [
                None if number in broken else [str(number)] * many for number, many in enumerate(scripts)
            ]
            wire.restart(())
            assert value(*one(wire, COUNT)) == "3"

    def test_what_was_prepared_before_is_no_part(self, connect: Connect) -> None:
        with Wire(connect()) as wire:
            wire.prepare(("SELECT * FROM nowhere",))
            with pytest.raises(psycopg.errors.UndefinedTable, match="nowhere"):
                wire.try_each([Part(set_up=wire.anew(("SELECT 1",)), scripts=WHICH)] * 20)
            wire.restart(())
            assert value(*one(wire, COUNT)) == "3"

    def test_restart_begins_anew(self, connect: Connect) -> None:
        with Wire(connect()) as wire:
            wire.prepare(("SET LOCAL app.who = 'alice'", "DELETE FROM public.notes"))
            first = value(*one(wire, "SELECT pg_current_xact_id()::text"))
            wire.restart(("SET LOCAL app.what = 'new'",))
            who, what, rows, second = wire.run(
                [
                    ("SELECT current_setting('app.who', true)",),
                    ("SELECT current_setting('app.what')",),
                    (COUNT,),
                    ("SELECT pg_current_xact_id()::text",),
                ]
            )
            assert value(*who) in (None, "")
            assert value(*what) == "new"
            assert value(*rows) == "3"
            assert value(*second) != first

    def test_a_restart_sees_what_others_committed_meanwhile(self, wire: Wire, observer: psycopg.Connection) -> None:
        observer.execute("CREATE TABLE public.later ()")
        wire.restart(())
        assert value(*one(wire, "SELECT to_regclass('public.later')::text")) == "later"
        wire.restart(())
        observer.execute("DROP TABLE public.later")

    def test_the_counter_counts_what_scripts_sent(self, wire: Wire) -> None:
        assert wire.counter.statements == 0
        wire.run([("SELECT 1", "SELECT 1/0", "SELECT 3"), (), ("SELECT 4",)])
        assert wire.counter.statements == 4
        wire.restart(("SELECT 1",))
        wire.run([("SELECT 5",)])
        assert wire.counter.statements == 5


class TestVolume:
    def test_long_results_do_not_dead_lock(self, wire: Wire) -> None:
        long = "SELECT repeat('x', 1000) FROM generate_series(1, 10000)"
        answers = in_time(lambda: wire.run([(long,), (COUNT,), (long, COUNT)]))
        assert isinstance(answers, list)
        assert [[answer.count for answer in script] for script in answers] == [[10_000], [1], [10_000, 1]]
        assert {len(row[0] or "") for row in answers[0][0].rows} == {1000}

    def test_many_scripts_do_not_dead_lock(self, wire: Wire) -> None:
        scripts = [(f"SELECT {n}", "SELECT 1/0") if n % 7 == 0 else (f"SELECT {n}",) for n in range(500)]
        answers = in_time(lambda: wire.run(scripts))
        assert isinstance(answers, list)
        assert [script[0].rows for script in answers] == [((str(n),),) for n in range(500)]
        assert [len(script) for script in answers] == [len(script) for script in scripts]

    def test_statements_longer_than_a_socket_buffer_with_answers_as_long(self, wire: Wire) -> None:
        """Both sides have more to say than the other has read: whoever only writes would wait for ever."""
        literal = "y" * 300_000
        answers = in_time(lambda: wire.run([(f"SELECT '{literal}'",)] * 70))
        assert isinstance(answers, list)
        assert {value(*script) for script in answers} == {literal}


class TestLostConnection:
    """A server that goes away is an error in clear words, never a hang and never an answer."""

    def test_killed_while_idle(self, connect: Connect, observer: psycopg.Connection) -> None:
        connection = connect()
        lost = in_time(lambda: self._killed_while_idle(connection, observer))
        assert isinstance(lost, psycopg.OperationalError)
        assert str(lost).strip()

    @staticmethod
    def _killed_while_idle(connection: psycopg.Connection, observer: psycopg.Connection) -> object:
        with Wire(connection) as wire:
            wire.prepare(())
            # The timeout makes the server wait until the other backend is really gone.
            observer.execute("SELECT pg_terminate_backend(%s, 10000)", [connection.info.backend_pid])
            return wire.run([(COUNT,)] * 100)

    def test_killed_in_the_middle(self, connect: Connect, observer: psycopg.Connection) -> None:
        connection = connect()
        observer.execute("SELECT pg_advisory_lock(77)")
        # Sent, not awaited: while the wire waits for an answer no other thread of this process can act.
        observer.pgconn.send_query(KILL_THE_WAITING.encode())

        def work() -> object:
            with Wire(connection) as wire:
                wire.prepare(())
                return wire.run([("SELECT pg_advisory_xact_lock(77)", COUNT), *[(COUNT,)] * 100])

        lost = in_time(work)
        assert isinstance(lost, psycopg.OperationalError)
        assert str(lost).strip()
        assert connection.info.status is psycopg.pq.ConnStatus.BAD

    def test_killed_before_a_restart(self, connect: Connect, observer: psycopg.Connection) -> None:
        connection = connect()

        def work() -> None:
            with Wire(connection) as wire:
                wire.prepare(())
                observer.execute("SELECT pg_terminate_backend(%s, 10000)", [connection.info.backend_pid])
                wire.restart(())

        assert isinstance(in_time(work), psycopg.OperationalError)


def test_ctrl_c_stays_ctrl_c(connect: Connect) -> None:
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            _interrupted(connect())
    finally:
        signal.signal(signal.SIGALRM, before)


def _interrupted(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    with Wire(connection) as wire:
        wire.prepare(())
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        wire.run([("SELECT pg_sleep(0.01)",)] * 50)


STAGES = st.sampled_from(
    [
        (),
        ("DELETE FROM public.notes WHERE id = 1",),
        ("SET LOCAL ROLE wire_reader", "SELECT set_config('app.part', 'staged', true)"),
        ("SELECT 1", "INSERT INTO public.notes (id) VALUES (1)", "SELECT 2"),  # refused
    ]
)
DEEDS = st.sampled_from(
    [
        (COUNT,),
        ("DELETE FROM public.notes", COUNT),
        ("INSERT INTO public.notes (id) VALUES (4)", COUNT),
        ("INSERT INTO public.notes (id) VALUES (2)", COUNT),
        WHICH[0],
        ("RESET ROLE", COUNT, "SET LOCAL app.part = 'moved on'", *WHICH[0]),
    ]
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scripts=st.lists(st.builds(Staged, STAGES, DEEDS), max_size=12))
def test_that_a_stage_is_shared_changes_no_answer(wire: Wire, scripts: list[Staged]) -> None:
    apart = wire.run([tuple(script) for script in scripts])
    assert wire.run(scripts) == apart
    wire.send(Part(scripts=scripts))
    wire.give_up()
    assert wire.run([(COUNT,)])[0][-1].rows == (("3",),)


def test_a_stage_is_set_once_for_its_neighbours(wire: Wire) -> None:
    before = wire.counter.statements
    wire.run([Staged(("SELECT 1", "SELECT 2"), (COUNT,))] * 5)
    assert wire.counter.statements - before == 2 + 1 + 5  # the stage, its savepoint, the deeds
