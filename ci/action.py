"""
What the GitHub Action does (action.yml): `install` tenantproof from the action's own checkout, and `run` it.

Inputs come in variables (INPUT_…) and become arguments of a program, never the text of a script.  What the program
prints may hold names and values out of somebody's database, so GitHub is told to take no commands from it meanwhile.
Exits with the program's own exit code; of several runs, with the gravest.  Standard library only: it runs before
anything is installed.
"""

from __future__ import annotations

import glob
import hashlib
import html
import json
import os
import re
import secrets
import shlex
import signal
import subprocess
import sys
import unicodedata
import venv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

GRAVEST_FIRST = (1, 70, 3, 2, 5, 4, 130)
"""A leak is not hidden by a run beside it that could not be made.  The meaning of each: docs/cli.md."""

MEANINGS = {
    2: "the command line or the scenario is wrong",
    3: "no suitable database",
    4: "something that must be known is not",
    5: "nothing to check",
    70: "a bug in tenantproof",
    130: "interrupted",
}

VERBS = ("check", "fuzz")
SEVERITIES = ("info", "low", "medium", "high", "critical")
FORMATS = {"html": ".html", "json": ".json", "sarif": ".sarif", "junit": ".xml", "markdown": ".md", "github": ".txt"}
FOUND_BY_ITSELF = ("**/*.tenancy.yaml", "**/*.tenancy.yml")
LONGEST_SUMMARY = 1024 * 1024 - 4096
"""GitHub refuses a step's summary of more than 1 MiB."""

LONGEST_NAME = 60
"""Characters of a report's name, of which a file system takes 255 bytes."""

KEPT = Path(".tenantproof")
"""Examples and history, which the action's cache carries from run to run."""


class Wrong(Exception):
    """The action was called wrongly; the exit code goes with it."""

    def __init__(self, message: str, code: int = 2) -> None:
        super().__init__(message)
        self.code = code


def _words(said: str) -> list[str]:
    """The arguments in an input.  Raises Wrong for a quote that does not close."""
    try:
        return shlex.split(said)
    except ValueError as error:
        raise Wrong(f"the input args cannot be read: {error}: {said}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One verb on one scenario."""

    verb: str
    scenario: str
    name: str
    reports: Path

    def report(self, kind: str) -> Path:
        folder = self.reports / "sarif" if kind == "sarif" else self.reports  # code scanning takes a folder of them
        return folder / f"{self.name}{FORMATS[kind]}"

    def arguments(self) -> Iterator[str]:
        """The command line behind the program's name."""
        yield from (self.verb, self.scenario, "--fail-on", _fail_on())
        for option, value in self._options().items():
            if value:
                yield from (option, value)
        for kind in FORMATS:
            yield from ("--report", f"{kind}={self.report(kind)}")
        for said in (_given("args"), _given(f"{self.verb}-args")):
            yield from _words(said)

    def _options(self) -> dict[str, str]:
        options = {"--target": _given("target"), "--baseline": _given("baseline"), "--examples": str(KEPT / "examples")}
        if self.verb == "fuzz":
            return {**options, "--for": _given("for")}
        return {**options, "--history": str(KEPT / "history.ndjson")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a run ended: its exit code, and its report as json-v1, which a run that could not begin has none of."""

    run: Run
    code: int
    report: dict[str, object] | None


def install() -> int:
    """A virtual environment in the runner's folder, with tenantproof as it lies beside this file."""
    extras = "".join(_given("extras").split())
    if not re.fullmatch(r"[A-Za-z0-9_,-]*", extras):
        raise Wrong(f"extras: {extras!r} is no list of names, such as embedded,rest")
    checkout = Path(__file__).resolve().parents[1]
    venv.create(_home(), with_pip=True, clear=True)
    wanted = f"{checkout}[{extras}]" if extras else str(checkout)
    pip = [str(_home() / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wanted]
    return subprocess.run(pip, check=False).returncode


def run() -> int:
    """Run every verb on every scenario, and tell GitHub: annotations, summary, outputs.  Returns the exit code."""
    ended = []
    for one in _runs():
        ended.append(_ended(one))
        if ended[-1].code == 130:  # somebody cancelled the job
            break
    code = gravest([one.code for one in ended])
    _append("GITHUB_STEP_SUMMARY", summary(ended))
    _append("GITHUB_OUTPUT", "".join(f"{name}={value}\n" for name, value in outputs(ended, code).items()))
    return code


def _runs() -> list[Run]:
    verbs = _verbs()
    folder = _folder(_given("reports") or "tenantproof-reports")
    scenarios = _scenarios(_given("scenarios").splitlines())
    return [
        Run(verb=verb, scenario=path, name=f"{name}-{verb}", reports=folder)
        for path, name in zip(scenarios, names_of(scenarios), strict=True)
        for verb in verbs
    ]


def _folder(said: str) -> Path:
    """The folder for the reports.  Raises Wrong for one that is not below the working directory.

    All of it becomes an artifact, and what is outside is nobody's to write to or to publish.
    """
    here, there = Path.cwd().resolve(), Path(said).resolve()
    if not said.isprintable() or here not in there.parents:
        raise Wrong(f"reports: {said!r}: expected a folder of its own below the working directory")
    return Path(said)


def names_of(scenarios: Sequence[str]) -> list[str]:
    """How the reports of each scenario are called: by its stem, where two share one by its path.

    In letters, digits and what all file systems and the upload of artifacts take; no two differ by case alone.
    """
    paths = [re.sub(r"(\.tenancy)?\.ya?ml$", "", path) for path in scenarios]
    names = [_as_name(Path(path).name.split(".")[0]) for path in paths]
    names = _where_shared(names, [_as_name(path) for path in paths])
    marks = [hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:8] for path in scenarios]
    return _where_shared(names, [f"{name}-{mark}".lstrip("-") for name, mark in zip(names, marks, strict=True)])


def _as_name(text: str) -> str:
    plain = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode("utf-8"))
    return re.sub(r"[^\w.-]+", "-", plain).strip("-.")[:LONGEST_NAME]


def _where_shared(names: Sequence[str], instead: Sequence[str]) -> list[str]:
    """The names, those that are empty or stand twice replaced."""
    folded = [name.casefold() for name in names]
    return [
        name if name and folded.count(name.casefold()) == 1 else other
        for name, other in zip(names, instead, strict=True)
    ]


def _verbs() -> list[str]:
    verbs = _given("run").replace(",", " ").split() or ["check"]
    for verb in verbs:
        if verb not in VERBS:
            raise Wrong(f"run: {verb!r}: expected {' or '.join(VERBS)}, or both")
    return list(dict.fromkeys(verbs))


def _scenarios(lines: Sequence[str]) -> list[str]:
    """The files that the lines name, in order.  Raises Wrong where a line names none, or where there is none at all."""
    patterns = [line.strip() for line in lines if line.strip()]
    found: dict[str, str] = {}
    for pattern in patterns or FOUND_BY_ITSELF:
        paths = sorted(path for path in glob.glob(pattern, recursive=True) if "node_modules" not in Path(path).parts)
        if patterns and not paths:
            raise Wrong(f"scenarios: {pattern!r}: there is no such file in {Path.cwd()}")
        for path in paths:
            found.setdefault(os.path.normpath(path), _as_argument(path))
    if not found:
        raise Wrong("no *.tenancy.yaml here: `tenantproof init` drafts one, or say where it is: scenarios", 5)
    return list(found.values())


def _as_argument(path: str) -> str:
    if not path.isprintable():
        raise Wrong(f"scenarios: {path!r} has a name that no line can show")
    return f"./{path}" if path.startswith("-") else path


def _ended(one: Run) -> Ended:
    """Run it, with its output in a fold of the log, then its annotations."""
    command = [str(_home() / "bin" / "tenantproof"), *one.arguments()]
    for kind in FORMATS:
        one.report(kind).unlink(missing_ok=True)  # of an earlier run: this one may not come to a report
    stop = secrets.token_hex(16)
    print(f"::group::tenantproof {one.verb} {one.scenario}", flush=True)
    print(f"::stop-commands::{stop}", flush=True)
    code = _code_of(command)
    print(f"\n::{stop}::\n::endgroup::", flush=True)
    annotations = one.report("github")
    if annotations.is_file():
        print(annotations.read_text("utf-8"), end="", flush=True)
        annotations.unlink()
    if code in MEANINGS:
        print(f"::error title=tenantproof {one.verb}: exit {code}::{one.scenario}: {MEANINGS[code]}", flush=True)
    document = one.report("json")
    return Ended(run=one, code=code, report=json.loads(document.read_text("utf-8")) if document.is_file() else None)


def _code_of(command: Sequence[str]) -> int:
    """Run a program to its end.  A cancelled job's signals reach it once each: the first ends it with a report."""
    environment = {"COLUMNS": "120", **os.environ}
    with subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, start_new_session=True) as child:
        asking = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, lambda sent, _: child.send_signal(sent)) for number in asking}
        try:
            code = child.wait()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
    return code if code >= 0 else 128 - code


def gravest(codes: Sequence[int]) -> int:
    """The exit code of several runs.  One that nobody knows (a kill) counts as a bug does."""
    unknown = [code for code in codes if code not in (0, *GRAVEST_FIRST)]
    order = (1, *unknown, *GRAVEST_FIRST[1:])
    return next((code for code in order if code in codes), 0)


def summary(ended: Sequence[Ended]) -> str:
    """The Markdown of all runs, as much of it as GitHub takes."""
    parts, left = [], LONGEST_SUMMARY
    for one in ended:
        text = _section(one)
        if len(text.encode()) > left:
            parts.append(f"\n{_title(one)}\n\nToo long for this summary: see {one.run.report('markdown').name}.\n")
            continue
        left -= len(text.encode())
        parts.append(text)
    return "".join(parts)


def _section(one: Ended) -> str:
    document = one.run.report("markdown")
    if document.is_file():
        return document.read_text("utf-8") + "\n"
    why = MEANINGS.get(one.code, "it ended in an unknown way")
    return f"\n{_title(one)}\n\nExit {one.code}: {why}. The log of this step says more.\n"


def _title(one: Ended) -> str:
    return f"### tenantproof {one.run.verb} <code>{html.escape(one.run.scenario)}</code>"


def outputs(ended: Sequence[Ended], code: int) -> dict[str, object]:
    """What later steps can ask for.  Where no run came to a report, nobody knows how many leaks there are: not 0."""
    reports = [one.report for one in ended if one.report is not None]
    known = [one for one in ended if one.run.report("html").is_file()]
    worst = [one for one in known if one.code == code] or known
    folder = ended[0].run.reports
    return {
        "exit-code": code,
        "leaks": sum(len(_open(report)) for report in reports) if reports else "",
        "untested": sum(_untested(report) for report in reports) if reports else "",
        "report": worst[0].run.report("html") if worst else "",
        "reports": folder,
        "sarif": folder / "sarif" if any(one.run.report("sarif").is_file() for one in ended) else "",
    }


def _open(report: dict[str, object]) -> set[object]:
    """Findings that nobody accepted, from `fail-on` upwards (with `never`: all)."""
    least = _fail_on()
    severities = SEVERITIES[SEVERITIES.index(least) :] if least in SEVERITIES else SEVERITIES
    findings = report["findings"]
    assert isinstance(findings, list)
    return {known["fingerprint"] for known in findings if not known["accepted"] and known["severity"] in severities}


def _untested(report: dict[str, object]) -> int:
    counts = report["summary"]
    assert isinstance(counts, dict)
    return int(counts["untested"]) + int(counts["error"])


def _append(variable: str, text: str) -> None:
    with Path(os.environ[variable]).open("a", encoding="utf-8") as file:
        file.write(text)


def _fail_on() -> str:
    return _given("fail-on") or "medium"


def _given(name: str) -> str:
    return os.environ.get(f"INPUT_{name.upper().replace('-', '_')}", "").strip()


def _home() -> Path:
    return Path(os.environ["RUNNER_TEMP"]) / "tenantproof"


def main() -> int:
    try:
        return {"install": install, "run": run}[sys.argv[1]]()
    except Wrong as error:
        print(f"::error title=tenantproof::{error}", flush=True)
        if sys.argv[1] == "run":
            _append("GITHUB_OUTPUT", f"exit-code={error.code}\n")
            _append("GITHUB_STEP_SUMMARY", f"### tenantproof\n\nExit {error.code}: {html.escape(str(error))}\n")
        return error.code


if __name__ == "__main__":
    sys.exit(main())
