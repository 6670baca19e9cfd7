"""
The file of a baseline: `baseline-v1`, JSON with sorted keys, made for review in a pull request.

It is written by `tenantproof baseline` alone; no run makes it or lets it grow.
"""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
from dataclasses import replace
from pathlib import Path

from tenantproof.channels.tried import was_tried
from tenantproof.core.baseline import Baseline, Compared, Known
from tenantproof.core.errors import UsageError
from tenantproof.core.finding import Severity
from tenantproof.core.model import Command
from tenantproof.core.report import Report
from tenantproof.reports.json_node import Node, names_of, parsed
from tenantproof.reports.visible import one_line
from tenantproof.reports.wording import open_findings, plural

FORMAT = "baseline-v1"


def baseline_of(report: Report) -> Baseline:
    """The open findings of a run.  Raises UsageError for a run that does not show all of them."""
    _require_whole(report)
    if report.baseline is not None:
        raise UsageError(
            f"the run was made with --baseline {one_line(report.baseline.path)}, whose findings are not open in it; "
            f"make the run without it, or let `baseline prune` make that file smaller"
        )
    return Baseline(
        scenario=report.scenario,
        created=report.timing.started_at,
        tool_version=report.tool_version,
        findings=tuple(
            Known(
                fingerprint=finding.fingerprint,
                channel=finding.channel,
                object=finding.object,
                command=finding.command,
                severity=finding.severity,
                title=finding.title,
                personas=finding.personas,
            )
            for finding in open_findings(report)
        ),
    )


def pruned(baseline: Baseline, report: Report) -> Baseline:
    """The baseline without what a run looked for and did not find.  It never grows.

    Raises UsageError for a run of another scenario, or one that somebody ended early.
    """
    _require_whole(report)
    _require_same(baseline, report.scenario)
    gone = set(_gone(baseline, report))
    return replace(baseline, findings=tuple(known for known in baseline.findings if known.fingerprint not in gone))


def compared(report: Report, baseline: Baseline, path: str) -> Report:
    """The report beside the baseline that its run was given; what is gone of it stands in the notes, too."""
    found = {finding.fingerprint for finding in report.findings}
    again = tuple(known.fingerprint for known in baseline.findings if known.fingerprint in found)
    gone = tuple(_gone(baseline, report))
    notes = (*report.notes, _gone_note(path, gone, baseline)) if gone else report.notes
    return replace(report, notes=notes, baseline=Compared(path=path, found=again, gone=gone))


def text_of(baseline: Baseline) -> str:
    """The document."""
    return json.dumps({"format": FORMAT, **dataclasses.asdict(baseline)}, indent=2, sort_keys=True) + "\n"


def load_baseline(path: Path, scenario: str | None = None) -> Baseline:
    """The baseline in a file.

    Raises UsageError where there is none (a wrong path must not accept everything), where it is damaged, and where it
    is not of the *scenario* of that name.
    """
    try:
        baseline = _read(path.read_text(encoding="utf-8"))
        if scenario is not None:
            _require_same(baseline, scenario)
        return baseline
    except FileNotFoundError:
        made = f"tenantproof baseline create RUN.json -o {shlex.quote(str(path))}"
        raise UsageError(f"baseline {path}: there is no such file; `{made}` makes it") from None
    except OSError as error:
        raise UsageError(f"baseline {path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise UsageError(f"baseline {path}: is no baseline: not UTF-8") from None
    except UsageError as error:
        raise UsageError(f"baseline {path}: {one_line(str(error))}") from error


def _read(text: str) -> Baseline:
    try:
        root = parsed(text, FORMAT)
        if (found := root.text("format")) != FORMAT:
            raise UsageError(f"its format is '{found}', not '{FORMAT}'")
        root.close("format", *names_of(Baseline))
        return Baseline(
            scenario=root.text("scenario"),
            created=root.text("created"),
            tool_version=root.text("tool_version"),
            findings=tuple(_known(node) for node in root.nodes("findings")),
        )
    except UsageError as error:
        raise UsageError(f"is no baseline: {error}") from error


def _known(node: Node) -> Known:
    node.close(*names_of(Known))
    fingerprint = node.text("fingerprint")
    if not re.fullmatch("[0-9a-f]{12}", fingerprint):
        raise UsageError(f"{node.path}.fingerprint: expected 12 of the characters 0-9 a-f, got '{fingerprint}'")
    return Known(
        fingerprint=fingerprint,
        channel=node.text("channel"),
        object=node.text("object"),
        command=node.word("command", Command),
        severity=node.word("severity", Severity),
        title=node.text("title"),
        personas=node.texts("personas"),
    )


def _gone(baseline: Baseline, report: Report) -> list[str]:
    """Fingerprints that the run looked for and did not find."""
    found = {finding.fingerprint for finding in report.findings}
    tried = (known for known in baseline.findings if was_tried(known.channel, report))
    return [known.fingerprint for known in tried if known.fingerprint not in found]


def _gone_note(path: str, gone: tuple[str, ...], baseline: Baseline) -> str:
    shown = ", ".join(gone[:3]) + (f" and {len(gone) - 3} more" if len(gone) > 3 else "")
    return (
        f"baseline {path}: {len(gone)} of {plural(len(baseline.findings), 'finding')} not found any more ({shown}): "
        f"`tenantproof baseline prune {shlex.quote(path)} RUN.json` takes out what is gone"
    )


def _require_same(baseline: Baseline, scenario: str) -> None:
    if baseline.scenario != scenario:
        raise UsageError(f"is of the scenario '{baseline.scenario}', not of '{scenario}'")


def _require_whole(report: Report) -> None:
    if report.interrupted:
        raise UsageError("the run was interrupted, so nobody knows what it would have found; make another")
