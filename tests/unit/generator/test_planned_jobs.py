"""Planned generate jobs: what cannot be fails with a sentence before a patient is made; how slices are dealt out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from carebus_contracts.errors import JobError
from carebus_contracts.jobs import GenerateJob
from carebus_generator.data_sets import DataSets
from carebus_generator.outputs import Outputs
from carebus_generator.planner import GeneratePlan, plan_generate, slice_message
from carebus_generator.settings import GeneratorSettings
from carebus_runtime.planning import Active

OWN = {
    "name": "own",
    "total": 200,
    "days": 4,
    "base_date": "2025-06-01",
    "warfare": ["urban"],
    "mix": {"battle": 0.5, "non_battle": 0.3, "disease": 0.2},
}


def plan(root: Path, **options: Any) -> GeneratePlan:
    """Plan a job that writes below a folder, where it may."""
    given = {"source": "lab", "scenario": OWN, "files": [{"format": "ndjson", "url": str(root / "out")}]}
    job = GenerateJob.model_validate({"kind": "generate", **given, **options})
    return plan_generate(DataSets(1), Outputs(GeneratorSettings(allowed_roots=(str(root),))), 8_000)(job)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"mix": {"battle": float("nan"), "non_battle": 0.3, "disease": 0.2}}, "mix.battle: is nan, must be a finite"),
        ({"total": 10**30}, "total: is 1,000,000,000,000,000,000,000,000,000,000, must be at most 1,000,000,000"),
        ({"total": -1}, "total: is -1, must be at least 1"),
        ({"days": 0}, "days: is 0, must be at least 1"),
        ({"warfare": ["urbn"]}, "there is no warfare type 'urbn' (did you mean urban?)"),
        (
            {"fronts": [{"name": "A", "share": 1.0, "nations": {"XX": 1.0}}]},
            "fronts[0].nations: there is no nation 'XX'",
        ),
        (
            {"special_events": [{"kind": "ambush", "day": 9, "start_hour": 3, "size": 5}]},
            "special_events[0].day: is 9, the scenario has 4 days",
        ),
    ],
    ids=["nan", "huge", "negative", "no days", "warfare", "nation", "event"],
)  # fmt: skip
def test_a_scenario_that_cannot_be_fails_with_its_place(
    tmp_path: Path, changed: dict[str, Any], sentence: str
) -> None:
    """The sentences are those of the command line."""
    with pytest.raises(JobError) as failed:
        plan(tmp_path, scenario=OWN | changed)

    assert str(failed.value).startswith("scenario own: ")
    assert sentence in str(failed.value)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("{root}/a\0b", "files.0.url: is no path of a folder on this machine"),
        ("~nobody-of-that-name/x", "files.0.url: is no path of a folder on this machine"),
        ("{root}/../elsewhere", "files.0.url: lies outside the places"),
        ("s3://bucket/x", "files.0.url: lies outside the places"),
    ],
    ids=["null byte", "home", "above", "remote"],
)
def test_a_place_that_cannot_be_fails_with_a_sentence(tmp_path: Path, url: str, sentence: str) -> None:
    """Whatever stands in a job's URL."""
    with pytest.raises(JobError) as failed:
        plan(tmp_path, files=[{"format": "ndjson", "url": url.format(root=tmp_path)}])

    assert str(failed.value).startswith(sentence)


def test_ids_that_do_not_fit_64_bits_are_refused(tmp_path: Path) -> None:
    """Record ids are a thousand times the person's."""
    assert plan(tmp_path, first_person_id=9_000_000_000_000_000 - 199).persons == 200
    with pytest.raises(JobError, match=r"first_person_id: is .*, must be at most 8,999,999,999,999,801"):
        plan(tmp_path, first_person_id=9_000_000_000_000_000 - 198)


def test_a_thousand_million_patients_are_warned_of(tmp_path: Path) -> None:
    """In the notes of the job, which people see before it is done."""
    notes = plan(tmp_path, scenario=OWN | {"total": 10**9}).notes

    assert notes[0].startswith("expected: about ")
    assert any(note.startswith("the files need about ") and note.endswith(" free") for note in notes)


def test_slices_go_to_workers_by_turns_and_the_ends_of_jobs_apart(tmp_path: Path) -> None:
    """By number; the last slice by the job, as jobs that began together would all end at one worker."""
    job = GenerateJob.model_validate(
        {"kind": "generate", "source": "lab", "scenario": OWN | {"total": 20_000}, "targets": ["postgres"]}
    )
    for files, spreads in ((False, [0, 1, 2, 3]), (True, [0, 1, 2, 3, None])):
        cut = GeneratePlan("f", 20_000, 8_000, files, 15_000.0)
        active = Active("job", job, cut, 1_700_000_000_000)
        assert [slice_message(active, n).spread for n in range(cut.slices)] == spreads
