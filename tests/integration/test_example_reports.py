"""reports/example/ is what the writers write today."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from tests import examples

from tenantproof.reports.registry import writers


@pytest.fixture(scope="module")
def written() -> Mapping[str, str]:
    return examples.documents(examples.example_report())


def test_there_is_one_file_per_format() -> None:
    names = {f"{name}{writer.suffix}" for name, writer in writers().items()} | {"terminal.txt"}
    assert {path.name for path in examples.FOLDER.iterdir()} == names


@pytest.mark.parametrize("name", sorted(path.name for path in examples.FOLDER.iterdir()))
def test_the_examples_are_current(written: Mapping[str, str], name: str) -> None:
    kept = (examples.FOLDER / name).read_text(encoding="utf-8")
    if examples.normal(kept) != examples.normal(written[name]):
        pytest.fail(f"reports/example/{name} is not what the writer writes: `make examples` writes it anew")


def test_a_change_is_noticed(written: Mapping[str, str]) -> None:
    assert examples.normal(written["markdown.md"].replace("leaks", "leak")) != examples.normal(written["markdown.md"])
