"""Cutting an extract job: what its source says, and the messages of its slices."""

from __future__ import annotations

from collections.abc import Callable

from carebus_contracts.headers import Envelope
from carebus_contracts.jobs import ExtractJob
from carebus_contracts.slices import WorkSlice
from carebus_contracts.topics import EXTRACT_SLICES
from carebus_extractor.handlers import OpenSource
from carebus_extractor.ports import SourcePlan
from carebus_runtime.planning import Active
from carebus_runtime.received import Outgoing


def plan_extract(open_source: OpenSource) -> Callable[[ExtractJob], SourcePlan]:
    """Return what plans a job; it blocks, and raises ``JobError`` where the source is at fault."""
    return lambda job: open_source(job).plan(job)


def slice_message(active: Active[ExtractJob, SourcePlan], number: int) -> Outgoing:
    """Return the message of a slice; slice 0 is the reference rows."""
    common = {
        "job_id": active.job_id,
        "slice": number,
        "fingerprint": active.plan.fingerprint,
        "accepted_ms": active.accepted_ms,
        "job": active.job,
    }
    if number == 0:
        work = WorkSlice(kind="reference", **common)
    else:
        part = active.plan.ranges[number - 1]
        work = WorkSlice(kind="persons", after=part.after, up_to=part.up_to, ids=part.ids, **common)
    envelope = Envelope(contract="WorkSlice/1", job_id=active.job_id)
    return Outgoing(EXTRACT_SLICES.name, active.job_id.encode(), work.to_json(), envelope, spread=number)
