"""Persons that vanished: those of a source whom a job over all of it did not mention, nor any newer one.

Targets know them by version: of somebody who was mentioned, something is as new as that job. So the job
must have told every person of the source, and the target must have heard of all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from carebus_contracts.jobs import ExtractJob, JobState, JobStatus, Persons, RetireJob
from carebus_contracts.receipts import Result
from carebus_contracts.versions import Version

REQUESTER = "carebus console"
_NOT_ARRIVED = (Result.REFUSED, Result.DEAD_LETTERED, Result.DISCARDED)
_LONGEST_ID = 128


def survey_id(job_id: str) -> str:
    """Name the survey that the console makes after a job over a whole source."""
    suffix = ".vanished"
    return f"{job_id[: _LONGEST_ID - len(suffix)]}{suffix}"


def since(state: JobState) -> Version | None:
    """Return the version that a person who was mentioned by a job has at least; None when it is not known.

    What files say has the time of the job as version, what a database says that of its own clock.
    """
    if state.version_ms:
        return Version(state.version_ms)
    of_files = isinstance(state.request, ExtractJob) and state.request.omop.format != "postgres"
    return Version(state.accepted_ms) if of_files and state.accepted_ms else None


def faults(request: RetireJob, state_of: Callable[[str], JobState | None]) -> Iterator[str]:
    """Say why the persons that ``request.not_in_job`` did not mention cannot be told, target by target."""
    job_id = request.not_in_job
    if job_id is None:
        return
    if request.persons or request.of_job:
        yield "not_in_job: cannot stand together with persons or of_job; give one of them"
    state = state_of(job_id)
    if state is None:
        yield f"not_in_job: no job {job_id!r} is known; see `carebus jobs list`"
        return
    if reason := _unfit(state, request.source):
        yield f"not_in_job: job {job_id!r} {reason}"
        return
    for number, target in enumerate(request.targets):
        if reason := _unheard(state, target):
            yield f"targets.{number}: {reason}"


def notes(request: RetireJob, state_of: Callable[[str], JobState | None]) -> Iterator[str]:
    """Say what to look at before persons are retired whom a job did not mention."""
    state = state_of(request.not_in_job) if request.not_in_job else None
    person = state.tables.get("person") if state else None
    if state and person and (unread := person.left_behind.get("malformed", 0)):
        yield (
            f"{unread} rows of PERSON had no readable person_id in job {state.job_id}: if these are persons "
            "whom the targets know, they seem to be missing"
        )


def survey_after(state: JobState) -> RetireJob | None:
    """Return the request to count who vanished, for a job that told all persons of its source."""
    if _unfit(state, state.source) is not None:
        return None
    targets = tuple(t for t in _targets(state) if _unheard(state, t) is None)
    if not targets:
        return None
    return RetireJob(
        kind="retire",
        job_id=survey_id(state.job_id),
        requester=REQUESTER,
        source=state.source,
        not_in_job=state.job_id,
        targets=targets,
        dry_run=True,
    )


def newest_whole(states: Iterable[JobState]) -> list[JobState]:
    """Return of each source the newest job that told all of its persons; older ones say nothing more."""
    found: dict[str, JobState] = {}
    for state in states:
        if _unfit(state, state.source) is None:
            known = found.get(state.source)
            if known is None or state.created_ms > known.created_ms:
                found[state.source] = state
    return list(found.values())


def _unfit(state: JobState, source: str) -> str | None:
    request = state.request
    if not isinstance(request, ExtractJob):
        return "is no extract job, so it mentions no persons"
    if state.source != source:
        return f"read source {state.source!r} and not {source!r}"
    if request.dry_run:
        return "was a dry run, so targets know nothing of it"
    if request.persons != Persons():
        return "took some persons only, so it does not tell who is missing; name one over the whole source"
    if state.status is not JobStatus.COMPLETED:
        return f"is {state.status.value}; only a completed job tells who is missing"
    if since(state) is None:
        return "does not say as of when it read its database; run it again with this version"
    return None


def _unheard(state: JobState, target: str) -> str | None:
    if target not in _targets(state):
        return f"job {state.job_id!r} did not go to {target!r}, where all persons would seem to be missing"
    progress = state.targets.get(target)
    outcomes = progress.outcomes if progress else {}
    lost = {result.value: n for result in _NOT_ARRIVED if (n := outcomes.get(result.value, 0))}
    if lost:
        told = ", ".join(f"{count} {name.replace('_', '-')}" for name, count in lost.items())
        return (
            f"messages of job {state.job_id!r} did not arrive at {target!r} ({told}), so persons would seem to "
            "be missing who are not; redrive them (`carebus deadletters`), or run the job again"
        )
    return None


def _targets(state: JobState) -> tuple[str, ...]:
    return state.request.targets if isinstance(state.request, ExtractJob) else ()
