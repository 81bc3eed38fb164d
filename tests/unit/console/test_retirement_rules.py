"""Which dead letters a retirement makes void."""

from __future__ import annotations

from typing import Any

import pytest

from carebus_console.domain.retirement_rules import rules
from carebus_contracts.addressing import addressed
from carebus_contracts.headers import Envelope
from carebus_contracts.jobs import JobState
from carebus_contracts.topics import EXTRACT_SLICES, OMOP_RECORDS, plans
from carebus_contracts.versions import Version

WHOLE = JobState.model_validate(
    {
        "job_id": "whole",
        "status": "completed",
        "source": "lab",
        "version_ms": 50,
        "request": {
            "kind": "extract",
            "source": "lab",
            "omop": {"format": "csv", "path": "/data"},
            "targets": ["postgres"],
        },
    }
)
PLAN = plans("postgres").name


def a_retirement(status: str = "completed", **more: Any) -> JobState:
    request = {"kind": "retire", "source": "lab", "targets": ["postgres"]} | more
    return JobState.model_validate(
        {"job_id": "r", "status": status, "created_ms": 100, "source": "lab", "request": request}
    )


def is_void(retirement: JobState, *, topic: str = PLAN, key: str = "lab/7", **more: Any) -> bool:
    envelope = Envelope(**({"job_id": "nightly", "version": Version(40, 2), "targets": ("postgres",)} | more))
    about = addressed(topic, key.encode(), envelope)
    found = rules([retirement], {"whole": WHOLE}.get)
    return about is not None and any(rule.covers(about) for rule in found)


CASES = {
    "the source": (a_retirement(), {}, True),
    "another source": (a_retirement(), {"key": "ward/7"}, False),
    "newer than the retirement": (a_retirement(), {"version": Version(100, 0)}, False),
    "reference rows of the source": (a_retirement(), {"key": "lab/concept/3"}, True),
    "the person": (a_retirement(persons=[7]), {}, True),
    "a person below zero": (a_retirement(persons=[-7]), {"key": "lab/-7"}, True),
    "another person": (a_retirement(persons=[8]), {}, False),
    "the job": (a_retirement(of_job="nightly"), {}, True),
    "another job": (a_retirement(of_job="daily"), {}, False),
    "not in a job that is newer": (a_retirement(not_in_job="whole"), {}, True),
    "not in a job that is older": (a_retirement(not_in_job="whole"), {"version": Version(50, 0)}, False),
    "reference rows stay with vanished persons": (
        a_retirement(not_in_job="whole"),
        {"key": "lab/concept/3"},
        False,
    ),
    "not in a job that is forgotten": (a_retirement(not_in_job="gone"), {}, False),
    "records for this target": (a_retirement(), {"topic": OMOP_RECORDS.name}, True),
    "records for another target, too": (
        a_retirement(),
        {"topic": OMOP_RECORDS.name, "targets": ("postgres", "openemr")},
        False,
    ),
    "another target": (a_retirement(), {"topic": plans("openemr").name}, False),
    "a slice": (a_retirement(), {"topic": EXTRACT_SLICES.name}, False),
    "no key": (a_retirement(), {"key": ""}, False),
    "a survey": (a_retirement(not_in_job="whole", dry_run=True), {}, False),
    "a retirement that was rejected": (a_retirement("rejected"), {}, False),
    "a retirement under way": (a_retirement("running"), {}, True),
}


@pytest.mark.parametrize(("retirement", "letter", "void"), CASES.values(), ids=CASES.keys())
def test_letters_are_void_as_the_retirement_says(
    retirement: JobState, letter: dict[str, Any], void: bool
) -> None:
    """Source, person or job, version and target decide."""
    assert is_void(retirement, **letter) is void
