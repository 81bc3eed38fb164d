"""What a slice of a generate job puts on the bus."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from carebus_contracts.jobs import JOB_EVENT, Failed, GenerateJob, SliceDone
from carebus_contracts.slices import GenerateSlice
from carebus_generator.data_sets import DataSets
from carebus_generator.domain.bundles import BLOCK_PATIENTS
from carebus_generator.handlers import SliceMaker
from carebus_generator.outputs import Outputs
from carebus_generator.settings import GeneratorSettings
from carebus_runtime.offload import Offload
from carebus_runtime.received import Outgoing


class Bus:
    """A producer that keeps what it is given, batch by batch; the job is cancelled after some of them."""

    def __init__(self, cancel_after: int) -> None:
        self.batches: list[list[Outgoing]] = []
        self._cancel_after = cancel_after

    async def send(self, outgoing: list[Outgoing]) -> None:
        """Keep a batch."""
        self.batches.append(outgoing)

    def cancelled(self, _job_id: str) -> bool:
        """After that many batches."""
        return len(self.batches) >= self._cancel_after


async def slice_of(tmp_path: Path, **options: Any) -> tuple[SliceDone, list[list[Outgoing]]]:
    """Make the first patients of a job over the preset training, in one slice that ends well."""
    event, batches = await attempt_at(tmp_path, **options)
    assert isinstance(event, SliceDone)
    return event, batches


async def attempt_at(
    tmp_path: Path, *, count: int, cancel_after: int = 10**9, **options: Any
) -> tuple[Any, list[list[Outgoing]]]:
    """Return the event with which a slice ends, and what went out before."""
    given = {"source": "training", "scenario": "training", "total": count, "targets": ("openemr",)} | options
    job = GenerateJob.model_validate({"kind": "generate", **given})
    work = GenerateSlice(
        job_id="j", slice=1, kind="patients", first=0, count=count, accepted_ms=1_700_000_000_000, job=job,
        fingerprint=DataSets(1).of(job).made_from.fingerprint,
    )  # fmt: skip
    bus, offload = Bus(cancel_after), Offload("test")
    settings = GeneratorSettings(allowed_roots=(str(tmp_path),))
    maker = SliceMaker(
        DataSets(1), Outputs(settings), producer=cast(Any, bus), offload=offload, controls=cast(Any, bus)
    )
    outcomes = await maker.handler()([cast(Any, SimpleNamespace(payload=work))])
    offload.close()
    return JOB_EVENT.validate_json(outcomes.outgoing[0].value), bus.batches


@pytest.mark.parametrize("documents", ["none", "wanted", "required"])
async def test_every_patient_says_whether_documents_are_filed(tmp_path: Path, documents: str) -> None:
    """As records of an extract job do: the loader and the converter need not know the difference."""
    _, batches = await slice_of(tmp_path, count=100, openemr={"documents": documents})

    said = {one.envelope.filing for batch in batches for one in batch if one.envelope}
    assert said == {documents}


async def test_records_go_out_a_few_at_a_time(tmp_path: Path) -> None:
    """However large the chunk: a worker's memory is that of some patients. All go out once, in order."""
    done, batches = await slice_of(tmp_path, count=3_000, chunk_patients=3_000, targets=["postgres"])

    assert max(len(batch) for batch in batches) <= BLOCK_PATIENTS
    assert [one.key for batch in batches for one in batch] == [
        f"training/{person_id}".encode() for person_id in range(1, 3_001)
    ]
    assert (done.persons, done.messages, done.tables["person"].emitted) == (3_000, 3_000, 3_000)


async def test_the_chunk_changes_no_record_and_no_hash(tmp_path: Path) -> None:
    """Chunks are made in parts of another size; files are written on the way."""
    files = [{"format": "ndjson", "url": str(tmp_path / "a")}, {"format": "csv", "url": str(tmp_path / "b")}]
    one, some = await slice_of(tmp_path, count=2_500, chunk_patients=2_500, files=files)
    other, others = await slice_of(tmp_path, count=2_500, chunk_patients=300)

    assert one.digest == other.digest
    assert [m.value for batch in some for m in batch] == [m.value for batch in others for m in batch]


async def test_a_cancel_within_a_chunk_leaves_no_files_of_it(tmp_path: Path) -> None:
    """Nothing under a final name, and nothing temporary."""
    files = [{"format": form, "url": str(tmp_path / form)} for form in ("ndjson", "json", "csv", "parquet")]
    done, batches = await slice_of(tmp_path, count=1_000, chunk_patients=1_000, files=files, cancel_after=2)

    assert (done.persons, len(batches)) == (0, 2)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("form", ["ndjson", "json", "csv", "parquet"])
async def test_a_full_disk_fails_the_job_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """It says which file, where, and what to do; nothing is left of the chunk."""

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    event, _ = await attempt_at(tmp_path, count=200, files=[{"format": form, "url": str(tmp_path / "set")}])

    assert isinstance(event, Failed)
    assert event.reason.startswith("cannot write ")
    assert event.reason.endswith(
        f" in {tmp_path / 'set'}: the disk is full; free some space and run the same again, finished chunks are kept"
    )
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
