"""What the guard says about real databases, and what a person reads who named the wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.staging.cluster import OWNER, SCENARIO, Cluster, cluster, free_port
from tests.staging.conftest import Run


def refused(tenantproof: Run, dsn: str, writes: str = "rollback", *more: object) -> str:
    """What it says, which must be a refusal that touched nothing."""
    done = tenantproof("check", SCENARIO, "-t", "env:STAGING", "--writes", writes, *more, STAGING=dsn)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        (
            "comment on database app is 'The production database'",
            "comment on database app is null",
            "its comment says 'The production database': this may be production",
        ),
        (
            "alter database app set app.environment = 'production'",
            "alter database app reset app.environment",
            "the setting app.environment says 'production'",
        ),
        (
            "create table ar_internal_metadata as select 'environment' as key, 'production' as value;"
            f" grant select on ar_internal_metadata to {OWNER}",
            "drop table ar_internal_metadata",
            "the table public.ar_internal_metadata says 'production'",
        ),
        (
            f"revoke app_user from {OWNER} granted by {OWNER}",
            f"grant app_user to {OWNER} granted by {OWNER}",
            f"'{OWNER}' may not become app_user",
        ),
        (
            f"alter role {OWNER} nobypassrls; alter table notes owner to root_of_all;"
            f" grant select, insert, update, delete on notes to {OWNER}",
            f"alter role {OWNER} bypassrls; alter table notes owner to {OWNER}",
            "row level security hides rows of public.notes",
        ),
        (
            f"revoke set on parameter session_replication_role from {OWNER}",
            f"grant set on parameter session_replication_role to {OWNER}",
            "may not set session_replication_role",
        ),
        (
            "create extension if not exists dblink; create function call_home() returns trigger language plpgsql"
            " as $$ begin perform dblink_exec('dbname=x', 'select 1'); return new; end $$;"
            " create trigger home after insert on notes for each row execute function call_home()",
            "drop function call_home() cascade",
            "the trigger home on public.notes: public.call_home() opens another connection (dblink), and no rollback",
        ),
        (
            f"alter role {OWNER} set default_transaction_read_only = on",
            f"alter role {OWNER} reset default_transaction_read_only",
            "read-only there",
        ),
        (
            "alter table audit owner to root_of_all",
            f"alter table audit owner to {OWNER}",
            f"'{OWNER}' may not read public.audit",
        ),
    ],
    ids=lambda text: None if " " in str(text) else str(text),
)
def test_refused_with_what_to_do(staging: Cluster, tenantproof: Run, before: str, after: str, why: str) -> None:
    with staging.admin() as connection:
        if (
            "dblink" in before
            and not connection.execute("select from pg_available_extensions where name = 'dblink'").fetchone()
        ):
            before = before.replace("create extension if not exists dblink; ", "")
        connection.execute(before)
        try:
            said = refused(tenantproof, staging.dsn())
        finally:
            connection.execute(after)
    assert why in said
    assert "to do: " in said


HOME = (
    "create function call_home(bigint) returns boolean language plpgsql as"
    " $$ begin perform dblink_exec('host=elsewhere', 'select 1'); return true; end $$;"
)
EXPRESSIONS = {
    "policy homesick": "create policy homesick on notes as restrictive for select to app_user using (call_home(id))",
    "view _RETURN": "create view abroad as select id, org_id, call_home(id) from notes",
    "constraint far": "alter table notes add constraint far check (call_home(id)) not valid",
    "default body": "alter table notes alter column body set default call_home(1)::text",
    "rule also": "create rule also as on insert to notes do also select call_home(1)",
    "trigger when_home": "create trigger when_home after insert on notes for each row when (call_home(new.id))"
    " execute function write_down()",
}


@pytest.mark.parametrize(("kind", "statement"), EXPRESSIONS.items())
@pytest.mark.parametrize("writes", ["never", "rollback"])
def test_expressions_call_out_as_well(
    staging: Cluster, tenantproof: Run, kind: str, statement: str, writes: str
) -> None:
    """Reading alone sets off what policies and views call, which is enough where nothing is written."""
    on_read = kind.startswith(("policy", "view"))
    with staging.admin() as connection:
        connection.execute(HOME + statement)
        try:
            if writes == "never" and not on_read:
                done = tenantproof("check", SCENARIO, "-t", "env:S", "--writes", "never", S=staging.dsn())
                assert done.returncode in (0, 4), done.stderr
                return
            said = refused(tenantproof, staging.dsn(), writes)
        finally:
            connection.execute("alter table notes alter column body set default ''; drop function call_home cascade")
    assert f"the {kind} on public." in said
    assert "public.call_home() opens another connection (dblink), and no rollback calls that back" in said


def test_notifications_are_called_back_by_a_rollback_alone(staging: Cluster, tenantproof: Run) -> None:
    with staging.admin() as connection:
        connection.execute(
            "create function tell() returns trigger language plpgsql as"
            " $$ begin perform pg_notify('notes', new.body); return new; end $$;"
            " create trigger told after insert on notes for each row execute function tell()"
        )
        try:
            said = refused(tenantproof, staging.dsn(), "canary")
            done = tenantproof(
                "check", SCENARIO, "-t", "env:S", "--writes", "rollback", "--attempts", 0, S=staging.dsn()
            )
        finally:
            connection.execute("drop function tell() cascade")
    assert "the trigger told on public.notes: public.tell() sends notifications" in said
    assert 'allow_triggers = ["public.tell"]' in said
    assert done.returncode == 0, done.stdout + done.stderr
    assert "is called back by the rollback: told on public.notes" in done.stdout


def test_a_service_s_login_is_refused(staging: Cluster, tenantproof: Run) -> None:
    with staging.admin() as connection:
        connection.execute(f"create role authenticator login password '{staging.password}'")
        try:
            said = refused(tenantproof, staging.dsn("authenticator"))
        finally:
            connection.execute("drop role authenticator")
    assert "'authenticator' is the role of the API server" in said


def test_more_rows_than_a_run_should_read(staging: Cluster, tenantproof: Run, tmp_path: Path) -> None:
    config = tmp_path / "tenantproof.toml"
    config.write_text('[targets.staging]\ndsn = "${STAGING}"\nlargest = 1\nwrites = "rollback"\n')
    done = tenantproof("check", SCENARIO, "-t", "staging", "--config", config, STAGING=staging.dsn())
    assert done.returncode == 3
    assert "rows, more than 1: a run that writes" in done.stderr
    assert "[targets.staging] largest" in done.stderr


def test_production_is_never_written_to(staging: Cluster, tenantproof: Run, tmp_path: Path) -> None:
    (tmp_path / "tenantproof.toml").write_text(
        '[targets.live]\ndsn = "${LIVE}"\nenvironment = "production"\nwrites = "rollback"\n'
    )
    done = tenantproof("check", SCENARIO, "-t", "live", LIVE=staging.dsn())
    assert done.returncode == 3
    assert "the configuration says that this is production, where nothing is written" in done.stderr
    assert "--writes never" in done.stderr


def test_a_declared_environment_speaks_louder_than_a_name(staging: Cluster, tenantproof: Run, tmp_path: Path) -> None:
    (tmp_path / "tenantproof.toml").write_text(
        '[targets.copy]\ndsn = "${COPY}"\nenvironment = "staging"\nwrites = "rollback"\n'
    )
    with staging.admin() as connection:
        connection.execute("comment on database app is 'copy of production'")
        try:
            done = tenantproof("check", SCENARIO, "-t", "copy", "--attempts", 0, COPY=staging.dsn())
        finally:
            connection.execute("comment on database app is null")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "its comment says 'copy of production'; the configuration says that it is staging" in done.stdout


def test_another_host_than_expected_is_never_asked(tenantproof: Run, tmp_path: Path) -> None:
    (tmp_path / "tenantproof.toml").write_text(
        '[targets.staging]\ndsn = "postgresql://me:hunter2@elsewhere.example/app"\nexpect_host = "db.example"\n'
    )
    done = tenantproof("check", SCENARIO, "-t", "staging")
    assert done.returncode == 3
    assert "its DSN leads to elsewhere.example, and db.example is expected" in done.stderr
    assert "hunter2" not in done.stdout + done.stderr


def test_a_replica_is_not_written_to(tenantproof: Run) -> None:
    with cluster() as made:
        made.stop("fast")
        (made.home / "data" / "standby.signal").touch()
        made.programs.give(made.home / "data" / "standby.signal")
        made.start()
        said = refused(tenantproof, made.dsn())
    assert "the server is a replica, where nothing can be written" in said


def test_wrong_password_and_nobody_there(staging: Cluster, tenantproof: Run) -> None:
    assert "it refuses this user or password" in refused(tenantproof, staging.dsn(password="wrong"))
    said = refused(tenantproof, staging.dsn(port=free_port()))
    assert "nothing listens there (connection refused)" in said
    assert "staging_owner@127.0.0.1" in said
    assert staging.password not in said


def test_a_server_that_failed_too_often_is_left_in_peace(tenantproof: Run) -> None:
    dsn = f"postgresql://me:hunter2@127.0.0.1:{free_port()}/app"
    said = [refused(tenantproof, dsn) for _ in range(4)]
    assert "is left in peace for 60 seconds" in said[-1]
    assert "is left in peace" not in said[0]


def test_a_password_on_the_command_line_is_warned_of(tenantproof: Run) -> None:
    done = tenantproof("check", SCENARIO, "-t", f"postgresql://me:hunter2@127.0.0.1:{free_port()}/app", "--isolated")
    assert done.returncode == 3
    assert "warning: the password in --target" in done.stderr
    assert "hunter2" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-t", "stagging"], "--target stagging: did you mean 'staging'?"),
        (["-t", "env:NOT_SET"], "the environment variable NOT_SET is not set"),
        (["-t", "staging"], "targets.staging.dsn: the environment variable STAGING_DSN is not set"),
        (["-t", "embedded", "--writes", "rollback"], "--writes rollback: this is for a --target that is somebody's"),
        (["-t", "env:HOME", "--keep"], "--keep is for databases that tenantproof makes itself"),
        (["-t", "env:HOME", "--patch", SCENARIO], "--patch is for databases that tenantproof makes itself"),
        (["-t", "embedded", "--isolated", "--config", "x.toml"], "leave --config out"),
        (["-t", "embedded", "--config", "absent.toml"], "absent.toml: the configuration cannot be read"),
    ],
    ids=str,
)
def test_wrong_command_lines(tenantproof: Run, tmp_path: Path, arguments: list[str], said: str) -> None:
    (tmp_path / "tenantproof.toml").write_text('[targets.staging]\ndsn = "${STAGING_DSN}"\n')
    done = tenantproof("check", SCENARIO, *arguments)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
