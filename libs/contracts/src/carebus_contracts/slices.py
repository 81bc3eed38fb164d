"""A slice: about two seconds of one job's work, taken by whichever replica is free."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from carebus_contracts.jobs import ExtractJob, GenerateJob
from carebus_contracts.model import WireModel


class WorkSlice(WireModel):
    """One piece of an extract job. It holds all that a replica needs, so that replicas keep no state."""

    job_id: str
    slice: int = Field(description="Number within the job, from 0; slice 0 is the reference rows.")
    kind: Literal["persons", "reference"]
    after: int | None = Field(
        default=None,
        description="Persons with a greater id; nothing means from the lowest, orphans included.",
    )
    up_to: int | None = Field(
        default=None, description="Persons up to this id; nothing means to the highest, orphans included."
    )
    ids: tuple[int, ...] = Field(default=(), description="Exactly these persons, where the job names them.")
    fingerprint: str = Field(
        description="State of the source when the job was planned; a slice that finds another fails the job."
    )
    accepted_ms: int = Field(description="Append time of the accepted job: the version v of file sources.")
    job: ExtractJob


class GenerateSlice(WireModel):
    """One piece of a generate job. Any replica makes the same of it, any number of times."""

    job_id: str
    slice: int = Field(description="Number within the job, from 0; slice 0 is the reference rows.")
    kind: Literal["reference", "patients", "finish"] = Field(
        description="``finish``, the last one, puts files together once all others are done."
    )
    first: int = Field(default=0, description="Index of its first patient, from 0.")
    count: int = Field(default=0, description="Its patients.")
    fingerprint: str = Field(
        description="Scenario, model and catalogue; a worker of another version fails the job."
    )
    accepted_ms: int = Field(description="Append time of the accepted job: version v of the records.")
    job: GenerateJob
