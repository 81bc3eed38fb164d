"""``carebus workers`` says what is wrong before it starts anything."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from carebus_demo.running import workers


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "Missing option '--root'"),
        (["--root", "{folder}/none"], "does not exist"),
        (
            ["--root", "{folder}", "--replicas", "reader=2"],
            "there is no worker reader; choose from extractor",
        ),
        (["--root", "{folder}", "--replicas", "extractor"], "extractor: say how many"),
        (["--root", "{folder}", "--replicas", "extractor=0"], "extractor: say how many"),
    ],
)
def test_wrong_options_are_named(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    """Exit status 2, and nothing is made."""
    told = [argument.format(folder=tmp_path) for argument in arguments]

    answer = CliRunner().invoke(workers, [*told, "--dir", str(tmp_path / "dir")])

    assert answer.exit_code == 2
    assert sentence in answer.output
    assert not (tmp_path / "dir").exists()
