"""The configuration: which file it is, and what a person reads who wrote it wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from tenantproof.config import find_config, read_config
from tenantproof.core.errors import UsageError
from tenantproof.core.ports import Writes
from tenantproof.core.settings import Sequences


def repository(folder: Path) -> Path:
    (folder / ".git").mkdir()
    deep = folder / "a" / "b"
    deep.mkdir(parents=True)
    return deep


def test_the_nearest_file_counts_up_to_the_repository(tmp_path: Path) -> None:
    deep = repository(tmp_path)
    assert find_config(deep) is None
    (tmp_path / "pyproject.toml").write_text("[tool.tenantproof.targets.x]\ndsn = 'x'\n")
    assert find_config(deep) == tmp_path / "pyproject.toml"
    (tmp_path / "tenantproof.toml").write_text("")
    assert find_config(deep) == tmp_path / "tenantproof.toml"
    (tmp_path / "a" / "pyproject.toml").write_text("[tool.other]\n")  # somebody else's
    assert find_config(deep) == tmp_path / "tenantproof.toml"
    (tmp_path / "a" / "tenantproof.toml").write_text("")
    assert find_config(deep) == tmp_path / "a" / "tenantproof.toml"


def test_what_lies_above_a_repository_or_without_one_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "tenantproof.toml").write_text("")
    (tmp_path / "alone").mkdir()
    assert find_config(tmp_path / "alone") is None
    inside = tmp_path / "repository"
    inside.mkdir()
    assert find_config(repository(inside)) is None
    assert find_config(tmp_path) == tmp_path / "tenantproof.toml"


def test_a_target_with_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "tenantproof.toml"
    path.write_text(
        '[targets.staging]\ndsn = "postgresql://me:${SECRET}@h/db"\nwrites = "canary"\nenvironment = "staging"\n'
        'expect_host = "h"\nallow_triggers = ["public.tell"]\nconnections = 1\nlargest = 5\nsequences = "leave"\n'
        "search_seconds = 7\n"
        '[targets.other]\ndsn = "${NOT_SET}"\n'
    )
    monkeypatch.setenv("SECRET", "hunter2")
    found = read_config(path).target("staging")
    assert found.dsn == "postgresql://me:hunter2@h/db"
    assert (found.writes, found.sequences, found.connections) == (Writes.CANARY, Sequences.LEAVE, 1)
    assert (found.largest, found.search_seconds, found.allow_triggers) == (5, 7, ("public.tell",))
    assert "hunter2" not in repr(found)
    with pytest.raises(UsageError, match=r"targets\.other\.dsn: the environment variable NOT_SET is not set"):
        read_config(path).target("other")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("targts = 1", "targts: did you mean 'targets'?"),
        ("targets = 1", "targets: expected a table"),
        ("[targets.x]\ndsn = 'd'\nexpect_hots = 'h'", "targets.x.expect_hots: did you mean 'expect_host'?"),
        ("[targets.x]\nwrites = 'never'", "targets.x: a target needs its dsn"),
        ("[targets.x]\ndsn = 'd'\nwrites = 'seed'", 'targets.x.writes: expected "never" or "rollback" or "canary"'),
        ("[targets.x]\ndsn = 'd'\nconnections = 0", "targets.x.connections: expected a whole number above 0"),
        ("[targets.x]\ndsn = 'd'\nallow_triggers = 'one'", "targets.x.allow_triggers: expected a list of strings"),
        ("[targets.x]\ndsn = 1", "targets.x.dsn: expected a string"),
        ("[targets.embedded]\ndsn = 'd'", "targets.embedded: this name has a meaning of its own"),
        ("[targets", "this is no valid TOML"),
    ],
)
def test_wrong_files(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "tenantproof.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as raised:
        read_config(path)
    assert said in str(raised.value)
    assert str(path) in str(raised.value)
