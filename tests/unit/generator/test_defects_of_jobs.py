"""Defects of the generator that people used before, in its jobs: numbered as in our notes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from carebus_contracts.jobs import GenerateJob, SliceDone
from carebus_contracts.slices import GenerateSlice
from carebus_generator.adapters import local_run
from carebus_generator.data_sets import DataSets
from carebus_generator.domain.scenario import preset
from carebus_generator.handlers import SliceMaker
from carebus_generator.outputs import Outputs
from carebus_generator.settings import GeneratorSettings
from carebus_runtime.offload import Offload


class _Sent:
    """A producer that keeps what it is given, and whoever cancels the job once some of it is out."""

    def __init__(self, cancel_after: int) -> None:
        self.messages: list[Any] = []
        self._cancel_after = cancel_after

    async def send(self, outgoing: list[Any]) -> None:
        self.messages += outgoing

    def cancelled(self, _job_id: str) -> bool:
        return len(self.messages) >= self._cancel_after


async def _made(tmp_path: Path, cancel_after: int) -> tuple[SliceDone, int]:
    """Make a slice of 20 chunks of 100 patients; return its end, and how many patients went out."""
    job = GenerateJob(
        kind="generate", source="training", scenario="training", total=2_000, chunk_patients=100,
        targets=("postgres",),
    )  # fmt: skip
    work = GenerateSlice(
        job_id="j", slice=1, kind="patients", first=0, count=2_000, accepted_ms=1_700_000_000_000, job=job,
        fingerprint=DataSets(1).of(job).made_from.fingerprint,
    )  # fmt: skip
    sent, offload = _Sent(cancel_after), Offload("test")
    settings = GeneratorSettings(allowed_roots=(str(tmp_path),))
    maker = SliceMaker(
        DataSets(1), Outputs(settings), producer=cast(Any, sent), offload=offload, controls=cast(Any, sent)
    )
    outcomes = await maker.handler()([cast(Any, SimpleNamespace(payload=work))])
    offload.close()
    return SliceDone.from_json(outcomes.outgoing[0].value), len(sent.messages)


async def test_13_a_cancel_stops_the_work_within_a_chunk(tmp_path: Path) -> None:
    """Cancel changed a word in a table that no running task read. Here no chunk begins after it."""
    whole, all_of_them = await _made(tmp_path, cancel_after=10_000)
    stopped, some = await _made(tmp_path, cancel_after=250)

    assert (whole.persons, all_of_them) == (2_000, 2_000)
    assert 250 <= some <= 350
    assert (stopped.persons, stopped.messages) == (0, 0)


def test_13_progress_is_told_by_time_and_not_by_patient(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every patient wrote its progress. Here 100 chunks of 0.01 seconds each are told at most every quarter."""
    clock = iter(range(10**6))
    monkeypatch.setattr(local_run.time, "monotonic", lambda: next(clock) / 100)
    order = local_run.Order(
        preset("training").model_copy(update={"total": 100}), 1, "training", str(tmp_path), "ndjson",
        chunk_patients=1,
    )  # fmt: skip
    told: list[int] = []

    local_run.run(order, on_progress=lambda progress: told.append(progress.done))

    assert told[-1] == 100
    assert len(told) <= 100 / 25 + 1
