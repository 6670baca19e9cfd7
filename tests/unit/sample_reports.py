"""Report values for the tests of the writers: a clean run, a run with everything in it, a hostile one, a large one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from tenantproof.core.baseline import Compared
from tenantproof.core.finding import CellResult, Evidence, Finding, Property, Reach, Severity, Verdict
from tenantproof.core.history import PastRun
from tenantproof.core.model import Command, Place, QName
from tenantproof.core.report import Gap, Report, Search, Timing
from tenantproof.core.suite import Actor, Look, Planting, Probe, Suite
from tenantproof.core.world import Unseeded

TENANTS = ("acme", "globex", "initech")
ROLES = ("owner", "admin", "member", "viewer")
PERSONAS = (
    *(f"{tenant}.{role}" for tenant in TENANTS for role in ROLES),
    "dual",
    "outsider",
    "anon",
)
TABLES: Mapping[str, str] = {
    "public.api_keys": "organization_id",
    "public.audit_log": "organization_id",
    "public.comments": "workflow_id.organization_id, owner author_id",
    "public.events": "owner user_id",
    "public.execution_steps": "execution_id.workflow_id.organization_id",
    "public.feature_flags": "organization_id",
    "public.files": "organization_id, owner uploaded_by",
    "public.integrations": "organization_id",
    "public.job_locks": "private",
    "public.metrics_log": "private",
    "public.notifications": "owner user_id",
    "public.nps_submissions": "owner user_id",
    "public.org_dashboard": "organization_id",
    "public.organization_invitations": "organization_id",
    "public.organization_members": "organization_id",
    "public.organizations": "id",
    "public.patterns": "owner user_id",
    "public.plans": "shared",
    "public.profiles": "owner id",
    "public.relationships": "organization_id",
    "public.retention_policies": "organization_id",
    "public.sessions": "owner user_id",
    "public.subscriptions": "organization_id",
    "public.telemetry_events": "owner user_id",
    "public.utm_tracks": "owner user_id",
    "public.webhook_deliveries": "webhook_id.organization_id",
    "public.webhooks": "organization_id",
    "public.workflow_executions": "workflow_id.organization_id",
    "public.workflow_tags": "workflow_id.organization_id",
    "public.workflow_templates": "organization_id, system rows shared",
    "public.workflow_versions": "workflow_id.organization_id",
    "public.workflows": "organization_id, owner created_by",
    "storage.buckets": "shared",
    "storage.objects": "(storage.foldername(name))[1]",
    "storage.prefixes": "private",
}
_WRITERS = {
    Command.SELECT: ROLES,
    Command.INSERT: ("owner", "admin", "member"),
    Command.UPDATE: ("owner", "admin"),
    Command.DELETE: ("owner",),
}
TIMING = Timing(
    started_at="2026-11-23T02:17:04Z",
    seconds=3.4,
    phases={"build": 0.8, "seed": 0.9, "matrix": 1.7},
    reads_per_second=9120.5,
)


def _entitled(tenancy: str, persona: str, command: Command) -> bool:
    if tenancy == "private":
        return False
    if tenancy == "shared":
        return command is Command.SELECT
    role = persona.rpartition(".")[2]
    return persona == "dual" or role in _WRITERS[command]


def cell(object_: str, persona: str, command: Command, tenancy: str) -> CellResult:
    """A cell where everything is as declared."""
    entitled = _entitled(tenancy, persona, command)
    said = "3 of 9 rows" if entitled else "no rows"
    return CellResult(
        object=object_,
        persona=persona,
        command=command,
        verdict=Verdict.ISOLATED,
        entitled=entitled,
        expected=said,
        observed=said,
        attempts=1 if command is Command.SELECT else 6,
    )


def _cells(relations: Mapping[str, str], personas: tuple[str, ...]) -> Iterator[CellResult]:
    for object_, tenancy in relations.items():
        for persona in personas:
            for command in Command:
                yield cell(object_, persona, command, tenancy)


def clean() -> Report:
    """35 relations x 15 personas, all isolated."""
    return Report(
        tool_version="0.1.0",
        scenario="Workflow SaaS",
        scenario_path="scenarios/workflow_saas.tenancy.yaml",
        target="embedded",
        server_version="18.6",
        seed=20261123,
        tenants=TENANTS,
        roles=ROLES,
        personas=PERSONAS,
        relations=TABLES,
        cells=tuple(_cells(TABLES, PERSONAS)),
        findings=(),
        statements=12840,
        rows_seeded=1260,
        timing=TIMING,
    )


SELECT_LEAK = Finding(
    property=Property.VISIBILITY,
    channel="POL-SELECT",
    severity=Severity.CRITICAL,
    reach=Reach.API,
    object="public.workflow_templates",
    command=Command.SELECT,
    title="Every signed-in user reads the unpublished templates of every tenant.",
    cause="templates_read",
    explanation=(
        "Permissive policies are joined by OR. The policy templates_read lets any signed-in user through when "
        "is_published is null, so a draft that was never published is visible to all tenants."
    ),
    fix="Compare is_published with true (is_published is true), and declare the column NOT NULL.",
    cwe=639,
    personas=tuple(name for name in PERSONAS if name != "anon"),
    evidence=(
        Evidence(
            persona="acme.owner",
            statement="select id\n  from public.workflow_templates",
            expected="4 of 12 rows: those of acme, and published ones",
            observed="10 of 12 rows",
            rows=("globex's row, owner globex.member", "initech's row, owner initech.admin"),
        ),
        Evidence(
            persona="outsider",
            statement="select id\n  from public.workflow_templates",
            expected="1 of 12 rows: published ones",
            observed="10 of 12 rows",
            rows=("acme's row, owner acme.member",),
        ),
    ),
    replay=(
        "begin;\nset local session authorization authenticator;\nset local role authenticated;\n"
        """select set_config('request.jwt.claims', '{"sub": "5f1c…", "role": "authenticated"}', true);\n"""
        "-- expected: 4 rows of acme; observed: 10 rows\n"
        "select id, organization_id\n  from public.workflow_templates;\n"
        "rollback;\n"
    ),
    policy="templates_read",
    policy_text=(
        "create policy templates_read on public.workflow_templates\n  for select to authenticated\n"
        "  using (is_published is not false or organization_id = current_org());"
    ),
    file="supabase/migrations/20260411_templates.sql",
    line=41,
    place=Place("scenarios/workflow_saas.tenancy.yaml", 52, 3),
)

MOVE_LEAK = Finding(
    property=Property.INTEGRITY,
    channel="UPD-MOVE",
    severity=Severity.HIGH,
    reach=Reach.SQL,
    object="public.workflows",
    command=Command.UPDATE,
    title="An owner hands one of their own rows to another tenant.",
    cause="workflows_update",
    explanation="USING guards the row as it was; the row as it becomes is never compared with the caller's tenant.",
    fix="Repeat the tenant comparison in WITH CHECK, or leave WITH CHECK out: PostgreSQL then reuses USING.",
    cwe=863,
    personas=("acme.owner", "globex.owner"),
    evidence=(
        Evidence(
            persona="acme.owner",
            statement="update public.workflows set organization_id = '6b0e…' where id = '9a41…'",
            expected="refused by row-level security (42501)",
            observed="1 row moved from acme to globex",
        ),
    ),
    replay="begin;\nupdate public.workflows set organization_id = '6b0e…' where id = '9a41…';\nrollback;\n",
    policy="workflows_update",
    policy_text="create policy workflows_update on public.workflows for update\n  using (true) with check (true);",
    file="supabase/migrations/20260402_workflows.sql",
    line=118,
    place=Place("scenarios/workflow_saas.tenancy.yaml", 47, 3),
)

OVERBLOCK = Finding(
    property=Property.VISIBILITY,
    channel="OVERBLOCKED",
    severity=Severity.MEDIUM,
    reach=Reach.API,
    object="public.comments",
    command=Command.DELETE,
    title="Owners cannot delete the comments that the scenario lets them delete.",
    cause="no-policy",
    explanation="There is no policy for DELETE, so row level security denies it to everybody.",
    fix="Create a policy for delete, or declare delete: none in the scenario.",
    cwe=0,
    personas=("acme.owner", "globex.owner", "initech.owner"),
    evidence=(
        Evidence(
            persona="acme.owner",
            statement="delete from public.comments where id = 'c1'",
            expected="3 of 9 rows",
            observed="no rows",
        ),
    ),
    replay="begin;\ndelete from public.comments where id = 'c1';\nrollback;\n",
)

COUNT_LEAK = Finding(
    property=Property.CONFIDENTIALITY,
    channel="UNIQUE-ORACLE",
    severity=Severity.LOW,
    reach=Reach.API,
    object="public.organizations",
    command=Command.INSERT,
    title="A duplicate slug tells that another tenant uses it.",
    cause="organizations_slug_key",
    explanation="The unique constraint spans tenants, so an INSERT that collides answers 23505.",
    fix="Make slugs unique per tenant, or accept the finding if slugs are public.",
    cwe=203,
    personas=("outsider",),
    evidence=(
        Evidence(
            persona="outsider",
            statement="insert into public.organizations (slug) values ('globex')",
            expected="the same answer in both worlds",
            observed="23505 where globex has the slug, success where it has not",
        ),
    ),
    replay="begin;\ninsert into public.organizations (slug) values ('globex');\nrollback;\n",
)

ACCEPTED = replace(
    COUNT_LEAK,
    channel="SEQ-GAP",
    object="public.events",
    command=Command.SELECT,
    title="The numbers of a sequence tell how many rows other tenants write.",
    cause="events_id_seq",
    personas=("acme.viewer", "globex.viewer"),
    accepted="ids are public (ticket SEC-214), until 2027-03-01",
)


_CANARIES = tuple(f"acme-canary-{index:02}" for index in range(1, 10))
INTERFERENCE = Finding(
    property=Property.CONFIDENTIALITY,
    channel="INTERFERENCE",
    severity=Severity.CRITICAL,
    reach=Reach.API,
    object="public.search_comments",
    objects=("public.comments",),
    command=Command.SELECT,
    title="A function lets members read comments of other tenants.",
    cause="function",
    explanation="The function runs with the rights of its owner, whom no policy of public.comments binds.",
    fix="Compare the tenant in the function, or make it SECURITY INVOKER.",
    cwe=200,
    personas=("acme.owner", "acme.viewer", "outsider"),
    evidence=(
        Evidence(
            persona="acme.owner",
            statement="select set_config('app.q', 'canary', true);\nselect body\n  from public.search_comments('c')",
            expected="the same in both worlds",
            observed="a text of globex that changed behind their back",
            behind="1 row of public.comments changed (body), and 1 row was added",
            world_1=("9 rows", *_CANARIES[:5], "globex-canary-01", *_CANARIES[5:]),
            world_2=("10 rows", *_CANARIES[:5], "globex-canary-01 (changed)", *_CANARIES[5:], "globex-canary-02"),
        ),
        Evidence(
            persona="outsider",
            statement="insert into public.organizations (slug) values ('globex')",
            expected="the same in both worlds",
            observed="another answer",
            behind="1 row of public.organizations was added",
            world_1=("1 row",),
            world_2=(
                '23505: duplicate key value violates unique constraint "organizations_slug_key"',
                "detail: Key (slug)=(globex) already exists.",
            ),
        ),
    ),
    replay="begin;\nselect body from public.search_comments('c');\nrollback;\n",
    policy_text="create function public.search_comments(q text) returns setof comments\n  security definer",
    file="supabase/migrations/20260502_search.sql",
    line=7,
)

SIDE_EFFECT = Finding(
    property=Property.INTEGRITY,
    channel="SIDE-EFFECT",
    severity=Severity.HIGH,
    reach=Reach.SQL,
    object="public.organizations",
    command=Command.DELETE,
    title="Deleting an own row deletes rows of other tenants.",
    cause="cascade",
    explanation="The foreign key of public.comments does not hold the tenant, and says ON DELETE CASCADE.",
    fix="Add the tenant to the foreign key.",
    cwe=863,
    personas=("acme.owner",),
    evidence=(
        Evidence(
            persona="acme.owner",
            statement="delete from public.workflows",
            expected="no row of others changes",
            observed="1 row that is not theirs is gone",
            rows=("globex's row, owner globex.viewer",),
            behind="1 row of public.comments began to refer to a row of theirs",
            world_1=("3 rows",),
        ),
    ),
    replay="begin;\ndelete from public.workflows;\nrollback;\n",
)

SEARCH = Search(attempts=2500, pairs=6300, passed=1775, denied=675, failed=50, unsteady=164, distinct=465)


def searched() -> Report:
    """Nothing wrong in any cell, and three findings of the search."""
    names = ("public.comments", "public.organizations")
    personas = ("acme.owner", "acme.viewer", "globex.owner", "outsider", "anon")
    base = clean()
    return replace(
        base,
        tenants=("acme", "globex"),
        roles=("owner", "viewer"),
        personas=personas,
        relations={name: base.relations[name] for name in names},
        cells=tuple(known for known in base.cells if known.object in names and known.persona in personas),
        findings=(replace(ACCEPTED, accepted=""), SIDE_EFFECT, INTERFERENCE),
        search=SEARCH,
        timing=replace(TIMING, attempts_per_second=812.4, pairs_per_second=2046.7),
    )


def searched_clean() -> Report:
    """A search that found nothing."""
    return replace(searched(), findings=())


def weak() -> Report:
    """A search that found nothing because most attempts came to nothing."""
    return replace(
        searched_clean(),
        search=replace(
            SEARCH,
            passed=3,
            denied=497,
            failed=2000,
            weak="80 % of the attempts failed before a policy was asked (mostly 22P02, invalid input syntax)",
        ),
    )


def mixed() -> Report:
    """Leaks, over-blocking, untested cells, errors, an accepted finding, gaps, notes and a patch."""
    verdicts: dict[tuple[str, str, Command], Verdict] = {}
    for finding, verdict in (
        (SELECT_LEAK, Verdict.LEAK),
        (MOVE_LEAK, Verdict.LEAK),
        (ACCEPTED, Verdict.LEAK),
        (OVERBLOCK, Verdict.OVERBLOCKED),
    ):
        for persona in finding.personas:
            verdicts[finding.object, persona, finding.command] = verdict
    for command in Command:
        verdicts["storage.objects", "anon", command] = Verdict.UNTESTED
        verdicts["storage.prefixes", "anon", command] = Verdict.UNTESTED
        verdicts["public.org_dashboard", "dual", command] = Verdict.ERROR
    verdicts["public.profiles", "outsider", Command.UPDATE] = Verdict.OVERBLOCKED
    verdicts["public.webhooks", "acme.admin", Command.INSERT] = Verdict.UNTESTED
    base = clean()
    return replace(
        base,
        cells=tuple(_deviate(known, verdicts) for known in base.cells),
        findings=(COUNT_LEAK, OVERBLOCK, ACCEPTED, MOVE_LEAK, SELECT_LEAK),
        unseeded=(Unseeded(relation=QName("public", "webhooks"), tenant="acme", sqlstate="23514", message="bad url"),),
        gaps=(Gap(object="extensions.pg_stat_statements", reason="not in database.schemas of the scenario"),),
        notes=("2 triggers call out by pg_net; a rollback does not undo what they send.",),
        patches=("fixtures/workflow_saas/leaks/04-null-published.sql",),
    )


_REASONS = {
    Verdict.UNTESTED: "permission denied for schema storage (42501): anon has no USAGE, so no policy was asked",
    Verdict.ERROR: "infinite recursion detected in policy for relation organization_members (42P17)",
}


def _deviate(known: CellResult, verdicts: Mapping[tuple[str, str, Command], Verdict]) -> CellResult:
    verdict = verdicts.get((known.object, known.persona, known.command))
    if verdict is None:
        return known
    observed = {Verdict.LEAK: "7 of 9 rows", Verdict.OVERBLOCKED: "no rows"}.get(verdict, "")
    reason = _REASONS.get(verdict, "")
    if known.object == "public.webhooks" and verdict is Verdict.UNTESTED:
        reason = "a BEFORE trigger refused the row (P0001), which says nothing of the policy"
    return replace(known, verdict=verdict, observed=observed, reason=reason)


def small() -> Report:
    """Three relations of the mixed report and five personas: for golden files that people can read."""
    report = mixed()
    personas = ("acme.owner", "acme.viewer", "globex.owner", "outsider", "anon")
    names = ("public.comments", "public.plans", "public.workflow_templates", "storage.objects")
    findings = tuple(
        replace(finding, personas=tuple(name for name in finding.personas if name in personas))
        for finding in report.findings
        if finding.object in names
    )
    return replace(
        report,
        tenants=("acme", "globex"),
        roles=("owner", "viewer"),
        personas=personas,
        relations={name: report.relations[name] for name in names},
        cells=tuple(known for known in report.cells if known.object in names and known.persona in personas),
        findings=(*findings, COUNT_LEAK, replace(ACCEPTED, personas=("acme.viewer",))),
    )


HOSTILE = "</script><img src=x onerror=alert(1)>]]>&\"'`\u202egnp.exe\u2066\x1b[31;1m\x07\x00\ud800{{7*7}}[bold]%s"
HOSTILE_NAME = HOSTILE.replace("\ud800", "").replace("\0", "")
"""As PostgreSQL could hold it: identifiers are valid UTF-8 without NUL."""
LONG = "n" * 300


def hostile() -> Report:
    """Every text field holds markup, terminal escapes, bidirectional marks, a lone surrogate or 300 characters."""
    evil = Finding(
        property=Property.VISIBILITY,
        channel=HOSTILE_NAME,
        severity=Severity.CRITICAL,
        reach=Reach.API,
        object=f"public.{HOSTILE_NAME}",
        command=Command.SELECT,
        title=HOSTILE,
        cause=HOSTILE_NAME,
        explanation=HOSTILE,
        fix=HOSTILE,
        cwe=639,
        personas=(f"acme.{HOSTILE}", LONG),
        evidence=(
            Evidence(
                persona=f"acme.{HOSTILE}",
                statement=f"{HOSTILE}\r\n{LONG}",
                expected=HOSTILE,
                observed=HOSTILE,
                rows=(HOSTILE, LONG),
                behind=HOSTILE,
                world_1=(HOSTILE, LONG, "<script>alert(1)</script>", "two\nlines", ""),
                world_2=(HOSTILE, f"{LONG}{HOSTILE}", "<script>alert(2)</script>", "two\r\nlines", ""),
            ),
        ),
        replay=f"begin;\n{HOSTILE}\n{LONG}\nrollback;\n",
        policy=HOSTILE,
        policy_text=f"{HOSTILE}\n{HOSTILE}",
        file=f"{HOSTILE}.sql",
        line=1,
        place=Place(HOSTILE, 1, 1),
    )
    names = (f"public.{HOSTILE_NAME}", f"public.{LONG}", "public.two\nlines")
    personas = (f"acme.{HOSTILE}", LONG)
    cells = [cell(name, persona, command, "id") for name in names for persona in personas for command in Command]
    cells[0] = replace(cells[0], verdict=Verdict.LEAK, expected=HOSTILE, observed=HOSTILE)
    cells[1] = replace(cells[1], verdict=Verdict.UNTESTED, reason=HOSTILE)
    cells[2] = replace(cells[2], verdict=Verdict.ERROR, reason=LONG)
    cells[3] = replace(cells[3], verdict=Verdict.OVERBLOCKED, expected=HOSTILE, observed=LONG)
    return Report(
        tool_version=HOSTILE,
        scenario=HOSTILE,
        scenario_path=HOSTILE,
        target=HOSTILE,
        server_version=HOSTILE,
        seed=1,
        tenants=("acme", HOSTILE),
        roles=(HOSTILE,),
        personas=personas,
        relations=dict.fromkeys(names, HOSTILE),
        cells=tuple(cells),
        findings=(evil, replace(evil, cause="other", accepted=HOSTILE)),
        unseeded=(Unseeded(relation=QName(HOSTILE, LONG), tenant=HOSTILE, sqlstate=HOSTILE, message=HOSTILE),),
        gaps=(Gap(object=HOSTILE, reason=HOSTILE),),
        notes=(HOSTILE,),
        patches=(HOSTILE,),
        search=Search(attempts=1, failed=1, weak=HOSTILE),
        timing=Timing(started_at=HOSTILE, seconds=1.0, phases={HOSTILE: 1.0}),
    )


_ACTOR = Actor(
    name="acme.member",
    role="authenticated",
    login="authenticator",
    settings=(("request.jwt.claims", '{"sub": "1"}'),),
    pre_request="public.before_request",
)
_HIDDEN = Probe(
    object="public.notes",
    persona="acme.member",
    command=Command.SELECT,
    aim="others' rows stay hidden",
    kind=Look.PERSONA,
    look="select id from public.notes where id in ('2')",
)
_THERE = Probe(
    object="public.notes",
    persona="acme.member",
    command=Command.SELECT,
    aim="their own rows are there",
    kind=Look.NEEDED,
    look="select id from public.notes where id in ('1')",
)
_KEPT = Probe(
    object="public.notes",
    persona="acme.member",
    command=Command.DELETE,
    aim="cannot reach others' rows: delete every row",
    kind=Look.OBSERVER,
    act="delete from public.notes",
    watch="select id from public.notes",
    look="select id from tenantproof_before",
    stage=("set local session_replication_role = replica", "delete from public.tags"),
)
SUITE = Suite(
    scenario="Notes",
    tool_version="0.1.0",
    actors=(_ACTOR,),
    plantings=(Planting(relation=QName("public", "notes"), columns=("id", "team"), rows='[{"id": 1, "team": 2}]'),),
    probes=(_HIDDEN, _THERE, _KEPT),
    left_out=("public.events: no rows",),
)


def interrupted() -> Report:
    """Ended during the search, which had found nothing; everything else is as it should be."""
    cut = Gap(object="the search for interference", reason="interrupted after 312 of about 2,000 attempts")
    return replace(searched_clean(), gaps=(cut,), interrupted=True, exit_code=130)


def nightly() -> Report:
    """The small report after six nights, beside a baseline: something is new since the last of them, something gone."""
    severities = {f.fingerprint: f.severity.value for f in small().findings if not f.accepted and f is not COUNT_LEAK}
    known = [{}, {}, {"0123456789ab": "high"}, severities, {**severities, "0123456789ab": "high"}]
    nights = [*known, {**severities, "0123456789ab": "high", "ba9876543210": "info"}]
    return replace(
        small(),
        history=tuple(
            PastRun(
                started_at=f"2026-11-{17 + night}T02:17:00+00:00",
                scenario="Workflow SaaS",
                seed=20261123,
                tool_version="0.1.0",
                isolated=2090 - len(found),
                leaked=4 * len(found),
                overblocked=len(found),
                untested=9 - night,
                accepted=night % 2,
                findings=found,
            )
            for night, found in enumerate(nights)
        ),
        baseline=Compared(path="tenantproof.baseline.json", found=(ACCEPTED.fingerprint,), gone=("fedcba987654",)),
        exit_code=1,
    )


def empty() -> Report:
    """Nothing at all."""
    return replace(clean(), tenants=(), roles=(), personas=(), relations={}, cells=(), timing=Timing())


def large() -> Report:
    """20,000 cells: 250 relations, 20 personas, four commands; one cell in fifty leaks or is untested."""
    personas = (*(f"{tenant}.{role}" for tenant in (*TENANTS, "umbrella") for role in ROLES), *PERSONAS[-3:], "auditor")
    relations = {f"public.workflow_execution_{index:03}": "workflow_id.organization_id" for index in range(250)}
    cells = [
        replace(known, verdict=Verdict.UNTESTED, reason=f"trigger {index % 40} refused the row (P0001)")
        if index % 50 == 0
        else known
        for index, known in enumerate(_cells(relations, personas))
    ]
    return replace(
        clean(),
        tenants=(*TENANTS, "umbrella"),
        personas=personas,
        relations=relations,
        cells=tuple(cells),
    )


_SNAPSHOTS = Path(__file__).resolve().parent.parent / "snapshots"


def assert_golden(name: str, text: str) -> None:
    """Compare with tests/snapshots/NAME; TENANTPROOF_UPDATE_SNAPSHOTS=1 writes the file instead."""
    golden = _SNAPSHOTS / name
    if os.environ.get("TENANTPROOF_UPDATE_SNAPSHOTS"):
        golden.write_text(text, encoding="utf-8", newline="\n")
    assert text == golden.read_text(encoding="utf-8"), f"{name} changed; TENANTPROOF_UPDATE_SNAPSHOTS=1 updates it"
