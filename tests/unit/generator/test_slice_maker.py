"""What a slice of a generate job puts on the bus."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from carebus_contracts.jobs import GenerateJob, SliceDone
from carebus_contracts.slices import GenerateSlice
from carebus_generator.data_set import DataSets
from carebus_generator.handlers import SliceMaker
from carebus_generator.outputs import Outputs
from carebus_generator.settings import GeneratorSettings
from carebus_runtime.offload import Offload
from carebus_runtime.received import Outgoing


class Bus:
    """A producer that keeps what it is given, batch by batch; nobody cancels anything."""

    def __init__(self) -> None:
        self.batches: list[list[Outgoing]] = []

    async def send(self, outgoing: list[Outgoing]) -> None:
        """Keep a batch."""
        self.batches.append(outgoing)

    def cancelled(self, _job_id: str) -> bool:
        """Never."""
        return False


async def slice_of(tmp_path: Path, *, count: int, **options: Any) -> tuple[SliceDone, list[list[Outgoing]]]:
    """Make the first patients of a job over the preset training, in one slice."""
    given = {"source": "training", "scenario": "training", "total": count, "targets": ("openemr",)} | options
    job = GenerateJob.model_validate({"kind": "generate", **given})
    work = GenerateSlice(
        job_id="j", slice=1, kind="patients", first=0, count=count, accepted_ms=1_700_000_000_000, job=job,
        fingerprint=DataSets(1).of(job).made_from.fingerprint,
    )  # fmt: skip
    bus, offload = Bus(), Offload("test")
    settings = GeneratorSettings(allowed_roots=(str(tmp_path),))
    maker = SliceMaker(
        DataSets(1), Outputs(settings), producer=cast(Any, bus), offload=offload, controls=cast(Any, bus)
    )
    outcomes = await maker.handler()([cast(Any, SimpleNamespace(payload=work))])
    offload.close()
    return SliceDone.from_json(outcomes.outgoing[0].value), bus.batches


@pytest.mark.parametrize("documents", ["none", "wanted", "required"])
async def test_every_patient_says_whether_documents_are_filed(tmp_path: Path, documents: str) -> None:
    """As records of an extract job do: the loader and the converter need not know the difference."""
    _, batches = await slice_of(tmp_path, count=100, openemr={"documents": documents})

    said = {one.envelope.filing for batch in batches for one in batch if one.envelope}
    assert said == {documents}
