"""Whether a request becomes a job: one clear sentence for each fault."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TypeAlias

import orjson

from carebus_console.domain import vanishing
from carebus_contracts.dead_letters import DeadLetterReason
from carebus_contracts.errors import InvalidMessage
from carebus_contracts.jobs import (
    JOB_ID,
    AcceptedJob,
    ExtractJob,
    GenerateJob,
    JobState,
    RedriveJob,
    Rejected,
    RetireJob,
    parse_request,
)
from carebus_contracts.omop.catalog import PERSON_TABLES, REFERENCE_TABLES

Request: TypeAlias = ExtractJob | GenerateJob | RedriveJob | RetireJob

MAX_REQUEST_BYTES = 1024 * 1024
"""Ten thousand person ids are a tenth of this."""
TABLES = (*PERSON_TABLES, *REFERENCE_TABLES)
_JOB_ID = re.compile(JOB_ID)


def _no_request(job_id: str) -> Request | None:
    return None


def _no_state(job_id: str) -> JobState | None:
    return None


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the request is judged against."""

    place: str
    """Where the request stands, ``<topic>-<partition>-<offset>``: the job's id when it names none."""
    request_of: Callable[[str], Request | None] = _no_request
    """The request of a job that was accepted before."""
    state_of: Callable[[str], JobState | None] = _no_state
    """The state of a job."""
    running: Mapping[str, Collection[str]] | None = None
    """Ids of the jobs that run, by source."""
    live_targets: Collection[str] | None = None
    """Targets that a loader serves; None when that could not be found out."""
    dead_letter_topics: Collection[str] = ()
    claimed: bool = True
    """The requester was not proved by a token."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """A new job."""

    job: AcceptedJob
    notes: tuple[str, ...] = ()
    """What the requester should know."""


@dataclass(frozen=True, slots=True)
class Known:
    """The same request as before: the same job."""

    job_id: str


Admission: TypeAlias = Admitted | Known | Rejected


def admit(body: bytes, now: Circumstances) -> Admission:
    """Judge a request. The same request at the same place is always judged to be the same job."""
    if len(body) > MAX_REQUEST_BYTES:
        return Rejected(job_id=now.place, reasons=(f"the job: is larger than {MAX_REQUEST_BYTES} bytes",))
    try:
        request = parse_request(body)
    except InvalidMessage as error:
        return Rejected(job_id=_free_id(body, now), reasons=_distinct(str(error).split("\n")))
    job_id = request.job_id or now.place
    request = request.model_copy(update={"job_id": job_id})
    if (known := now.request_of(job_id)) is not None:
        if known == request:
            return Known(job_id)
        # Under the job's own id the rejection would seem to be that job's.
        reason = f"job_id: {job_id!r} is the id of another job; choose another, or leave it out"
        return Rejected(job_id=now.place, reasons=(reason,))
    if faults := tuple(_faults(request, now)):
        return Rejected(job_id=job_id, reasons=faults)
    accepted = AcceptedJob(job_id=job_id, request=request, claimed=now.claimed)
    return Admitted(accepted, tuple(_notes(request, now)))


def _distinct(sentences: list[str]) -> tuple[str, ...]:
    """Without "too few items" where the items themselves are at fault: pydantic counts the good ones."""
    inner = {sentence.split(".", 1)[0] for sentence in sentences if "." in sentence.split(":", 1)[0]}
    return tuple(s for s in sentences if not ("at least" in s and s.split(":", 1)[0] in inner))


def _faults(request: Request, now: Circumstances) -> Iterator[str]:
    match request:
        case ExtractJob():
            yield from _target_faults(request.targets, now)
            yield from _table_faults(request.leave_out)
            yield from _filing_faults(request)
        case GenerateJob():
            yield from _target_faults(request.targets, now)
            yield from _filing_faults(request)
            if not request.targets and not request.files:
                yield "targets: are empty, and so are files; say where the patients shall go"
        case RetireJob():
            yield from _target_faults(request.targets, now)
            if request.persons and request.of_job:
                yield "persons: cannot stand together with of_job; give one of them"
            if request.dry_run and request.persons:
                yield "dry_run: of persons who are named there is nothing to find out; leave one of them out"
            yield from vanishing.faults(request, now.state_of)
        case RedriveJob():
            if request.topic not in now.dead_letter_topics:
                near = get_close_matches(request.topic, now.dead_letter_topics, n=1)
                meant = f"; did you mean {near[0]!r}?" if near else "; see `carebus deadletters list`"
                yield f"topic: {request.topic!r} is no dead-letter topic{meant}"
            if request.reason is not None and request.reason not in tuple(DeadLetterReason):
                yield f"reason: must be one of {', '.join(DeadLetterReason)} (given: {request.reason!r})"


def _target_faults(targets: tuple[str, ...], now: Circumstances) -> Iterator[str]:
    for number, target in enumerate(targets):
        if target in targets[:number]:
            yield f"targets.{number}: {target!r} stands there twice"
        elif now.live_targets is not None and target not in now.live_targets:
            yield (
                f"targets.{number}: no loader for {target!r} is running; start one "
                f"(carebus-loader --target {target}) or leave it out"
            )


def _filing_faults(request: ExtractJob | GenerateJob) -> Iterator[str]:
    if request.openemr.documents != "none" and "openemr" not in request.targets:
        yield "openemr.documents: needs 'openemr' among the targets; add it, or leave openemr.documents out"


def _table_faults(tables: tuple[str, ...]) -> Iterator[str]:
    for number, table in enumerate(tables):
        if table not in TABLES:
            near = get_close_matches(table, TABLES, n=1)
            meant = f"; did you mean {near[0]!r}?" if near else ""
            yield f"leave_out.{number}: {table!r} is no table of the OMOP CDM{meant}"


def _notes(request: Request, now: Circumstances) -> Iterator[str]:
    source = getattr(request, "source", "")
    if isinstance(request, RetireJob):
        yield from vanishing.notes(request, now.state_of)
    for other in sorted((now.running or {}).get(source, ())):
        yield (
            f"job {other} runs on source {source!r} as well: both go on, and for each person the newer "
            "job's records stand in the end"
        )


def _free_id(body: bytes, now: Circumstances) -> str:
    """The id that a faulty request names, where it can be read and is no other job's."""
    try:
        raw = orjson.loads(body)
    except orjson.JSONDecodeError:
        return now.place
    job_id = raw.get("job_id") if isinstance(raw, dict) else None
    free = isinstance(job_id, str) and _JOB_ID.fullmatch(job_id) and now.request_of(job_id) is None
    return str(job_id) if free else now.place
