"""Who vanished: which jobs tell it, at which targets, and as of when."""

from __future__ import annotations

from typing import Any

import pytest

from carebus_console.domain.report import report_of
from carebus_console.domain.vanishing import faults, newest_whole, notes, since, survey_after, survey_id
from carebus_contracts.jobs import ExtractJob, JobState, RetireJob, TableCounts, TargetProgress
from carebus_contracts.versions import Version

CSV = {"format": "csv", "path": "/data"}
POSTGRES = {"format": "postgres", "connection": "lab_omop"}


def a_state(job_id: str = "whole", *, status: str = "completed", job: Any = None, **more: Any) -> JobState:
    """Return the state of a job that brought two persons to two targets."""
    request = ExtractJob.model_validate(
        {"kind": "extract", "source": "lab", "omop": CSV, "targets": ("postgres", "documents")} | (job or {})
    )
    fields = {
        "kind": "extract",
        "source": request.source,
        "request": request,
        "accepted_ms": 500,
        "version_ms": 500,
        "targets": {t: TargetProgress(outcomes={"applied": 1, "unchanged": 1}) for t in request.targets},
    }
    return JobState.model_validate({"job_id": job_id, "status": status} | fields | more)


def a_request(*targets: str, **more: Any) -> RetireJob:
    told = {"kind": "retire", "source": "lab", "not_in_job": "whole", "targets": targets or ("postgres",)}
    return RetireJob.model_validate(told | more)


def test_a_whole_job_that_arrived_everywhere_tells_who_vanished() -> None:
    """There is nothing to complain of, and the survey asks at all of its targets without writing."""
    state = a_state()

    survey = survey_after(state)

    assert list(faults(a_request("postgres", "documents"), {"whole": state}.get)) == []
    assert survey is not None
    assert (survey.not_in_job, survey.dry_run, survey.targets) == ("whole", True, ("postgres", "documents"))
    assert survey.job_id == "whole.vanished"


UNFIT = {
    "unknown": (None, "not_in_job: no job 'whole' is known; see `carebus jobs list`"),
    "another source": (
        a_state(job={"source": "ward"}),
        "not_in_job: job 'whole' read source 'ward' and not 'lab'",
    ),
    "dry run": (
        a_state(job={"dry_run": True}),
        "not_in_job: job 'whole' was a dry run, so targets know nothing of it",
    ),
    "still running": (
        a_state(status="running"),
        "not_in_job: job 'whole' is running; only a completed job tells who is missing",
    ),
    "clock unknown": (
        a_state(job={"omop": POSTGRES}, version_ms=0),
        "not_in_job: job 'whole' does not say as of when it read its database; run it again with this version",
    ),
    **{
        f"persons {name}": (
            a_state(job={"persons": {name: value}}),
            "not_in_job: job 'whole' took some persons only, so it does not tell who is missing; "
            "name one over the whole source",
        )
        for name, value in {"limit": 9, "start_after": 0, "ids": [1], "sample": 0.5}.items()
    },
}


@pytest.mark.parametrize(("state", "sentence"), UNFIT.values(), ids=UNFIT.keys())
def test_any_other_job_is_refused_with_the_reason(state: JobState | None, sentence: str) -> None:
    """And it is followed by no survey."""
    assert list(faults(a_request(), lambda _: state)) == [sentence]
    if state is not None and state.source == "lab":
        assert survey_after(state) is None


def test_a_target_must_have_heard_of_all_persons() -> None:
    """One that the job did not go to, or where messages were lost, would miss persons who are there."""
    lost = TargetProgress(outcomes={"applied": 1, "dead_lettered": 2, "refused": 1})
    state = a_state(targets={"postgres": TargetProgress(outcomes={"applied": 2}), "documents": lost})

    found = list(faults(a_request("postgres", "clickhouse", "documents"), lambda _: state))
    survey = survey_after(state)

    assert found == [
        "targets.1: job 'whole' did not go to 'clickhouse', where all persons would seem to be missing",
        "targets.2: messages of job 'whole' did not arrive at 'documents' (1 refused, 2 dead-lettered), so "
        "persons would seem to be missing who are not; redrive them (`carebus deadletters`), or run the job "
        "again",
    ]
    assert survey is not None
    assert survey.targets == ("postgres",)


def test_persons_stand_alone() -> None:
    """A request has one way to say who."""
    state = a_state()

    both = [list(faults(a_request(**more), lambda _: state)) for more in ({"persons": (1,)}, {"of_job": "x"})]

    assert both == [["not_in_job: cannot stand together with persons or of_job; give one of them"]] * 2


def test_unreadable_person_rows_are_told() -> None:
    """Whoever retires should know that somebody may be missing for a typing mistake."""
    state = a_state(tables={"person": TableCounts(read=3, emitted=2, left_behind={"malformed": 1})})

    (note,) = notes(a_request(), lambda _: state)

    assert note.startswith("1 rows of PERSON had no readable person_id in job whole")
    assert list(notes(a_request(), lambda _: a_state())) == []


def test_versions_are_those_of_the_messages() -> None:
    """A database has a clock of its own; files have the job's time."""
    assert since(a_state(version_ms=499)) == Version(499)
    assert since(a_state(version_ms=0)) == Version(500)
    assert since(a_state(job={"omop": POSTGRES}, version_ms=0)) is None


def test_only_the_newest_whole_job_of_a_source_counts() -> None:
    """Later jobs over some persons, and those that failed, do not take its place."""
    states = [
        a_state("old", created_ms=1),
        a_state("new", created_ms=2),
        a_state("part", created_ms=3, job={"persons": {"limit": 1}}),
        a_state("failed", created_ms=4, status="failed"),
        a_state("ward", created_ms=1, job={"source": "ward"}),
    ]

    assert sorted(state.job_id for state in newest_whole(states)) == ["new", "ward"]


def test_a_long_job_id_still_gives_a_job_id() -> None:
    """Ids have 128 characters at most."""
    assert len(survey_id("x" * 128)) == 128
    assert survey_id("x" * 128).endswith(".vanished")


def test_the_report_tells_the_counts_once_the_survey_is_done() -> None:
    """Before that it tells how the survey stands; without one there is nothing."""
    told = {"postgres": TargetProgress(outcomes={"applied": 1}, persons_retired=3)}
    running, done = (a_state("whole.vanished", status=s, targets=told) for s in ("running", "completed"))

    found = [report_of(a_state(), survey=survey)["vanished"] for survey in (None, running, done)]

    assert found == [
        None,
        {"survey": "whole.vanished", "status": "running", "persons": {}},
        {"survey": "whole.vanished", "status": "completed", "persons": {"postgres": 3}},
    ]
