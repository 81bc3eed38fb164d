"""Cutting a generate job: reference rows, slices of patients, and the end of its files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from carebus_contracts.headers import Envelope
from carebus_contracts.jobs import GenerateJob
from carebus_contracts.slices import GenerateSlice
from carebus_contracts.topics import GENERATE_SLICES
from carebus_generator.adapters.disks import disk_warnings
from carebus_generator.data_sets import DataSets
from carebus_generator.domain.estimates import Estimate, estimate, readable
from carebus_generator.outputs import Outputs
from carebus_runtime.planning import Active
from carebus_runtime.received import Outgoing


@dataclass(frozen=True, slots=True)
class GeneratePlan:
    """How a job is cut. The same job gives the same plan."""

    fingerprint: str
    persons: int
    slice_patients: int
    """Whole chunks; the last slice of patients may have fewer."""
    files: bool
    """Whether there are files to put together in the end."""
    bundle_bytes: float
    """Of a patient's records, as estimated: for the window, until slices tell."""
    notes: tuple[str, ...] = ()

    @property
    def patient_slices(self) -> int:
        """Slices of patients."""
        return -(-self.persons // self.slice_patients)

    @property
    def slices(self) -> int:
        """Slices: the reference rows, patients, and the end of the files."""
        return 1 + self.patient_slices + self.files

    @property
    def planned_size(self) -> float:
        """Bytes of records in a slice."""
        return self.slice_patients * self.bundle_bytes

    @property
    def last_waits(self) -> bool:
        """Files are put together when all patients are written."""
        return self.files


def whole_chunks(patients: int, chunk: int) -> int:
    """Return patients a slice: as wanted, rounded up to whole chunks."""
    return -(-patients // chunk) * chunk


def plan_generate(
    data_sets: DataSets, outputs: Outputs, slice_patients: int
) -> Callable[[GenerateJob], GeneratePlan]:
    """Return what plans a job: checks all that can be wrong with it, and says what it will come to."""

    def plan(job: GenerateJob) -> GeneratePlan:
        data_set = data_sets.of(job)
        for sink in outputs.sinks(job, data_set):
            sink.finished()
        told = estimate(data_set.model)
        return GeneratePlan(
            fingerprint=data_set.made_from.fingerprint,
            persons=data_set.patients,
            slice_patients=whole_chunks(slice_patients, job.chunk_patients),
            files=bool(job.files),
            bundle_bytes=told.file_bytes("ndjson") / told.patients,
            notes=_notes(job, told, outputs),
        )

    return plan


def _notes(job: GenerateJob, told: Estimate, outputs: Outputs) -> tuple[str, ...]:
    """Return what is expected of the job, and which disks are too small for it."""
    seconds = told.seconds(["records", *(files.format for files in job.files)], cores=1)
    files = [
        (outputs.place(files, number), files.format, files.compression)
        for number, files in enumerate(job.files)
    ]
    sizes = [f"{form} files about {readable(told.file_bytes(form, packing))}" for _, form, packing in files]
    expected = [f"about {told.all_rows:,} rows", *sizes, f"about {seconds:,.0f} s of one processor core"]
    return (f"expected: {', '.join(expected)}", *disk_warnings(told, files))


def slice_message(active: Active[GenerateJob, GeneratePlan], number: int) -> Outgoing:
    """Return the message of a slice; slice 0 is the reference rows."""
    plan = active.plan
    common = {
        "job_id": active.job_id,
        "slice": number,
        "fingerprint": plan.fingerprint,
        "accepted_ms": active.accepted_ms,
        "job": active.job,
    }
    # By their number, so that those of a job go to workers by turns.
    spread: int | None = number
    if number == 0:
        work = GenerateSlice(kind="reference", **common)
    elif number > plan.patient_slices:
        work = GenerateSlice(kind="finish", **common)
        # By the job: jobs that began together end together, and would all wait for one worker.
        spread = None
    else:
        first = (number - 1) * plan.slice_patients
        count = min(plan.slice_patients, plan.persons - first)
        work = GenerateSlice(kind="patients", first=first, count=count, **common)
    envelope = Envelope(contract="GenerateSlice/1", job_id=active.job_id)
    return Outgoing(GENERATE_SLICES.name, active.job_id.encode(), work.to_json(), envelope, spread=spread)
