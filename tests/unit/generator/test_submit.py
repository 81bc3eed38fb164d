"""``carebus generate submit``: what it refuses before anything is sent."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from carebus_generator.command import generate
from carebus_generator.jobs_command import _job


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["baltic_defens", "--targets", "openemr"], "there is no such preset or file"),
        (["training", "--targets", "mars"], "targets.0"),
        (["training", "--targets", "openemr", "--openemr-documents", "yes"], "--openemr-documents"),
        (["training", "--files", "parquet"], "say FORMAT=URL"),
        (["training", "--files", "xlsx=/data"], "files.0.format"),
    ],
    ids=["preset", "target", "documents", "place", "format"],
)
def test_what_cannot_be_is_refused_with_a_sentence(arguments: list[str], sentence: str) -> None:
    """Before a console is asked."""
    result = CliRunner().invoke(generate, ["submit", *arguments])

    assert result.exit_code != 0
    assert sentence in result.output


def test_a_scenario_file_travels_in_the_job(tmp_path: Path) -> None:
    """The worker need not have it."""
    path = tmp_path / "own.toml"
    path.write_text(
        'name = "own"\ntotal = 20\ndays = 2\nbase_date = 2025-01-01\nwarfare = ["urban"]\n'
        "[mix]\nbattle = 1.0\nnon_battle = 0.0\ndisease = 0.0\n"
    )
    job = _job(str(path), source=None, total=30, targets=["documents"], seed=5)

    assert isinstance(job.scenario, dict)
    assert (job.source, job.scenario["total"], job.scenario["days"]) == ("own", 30, 2)
