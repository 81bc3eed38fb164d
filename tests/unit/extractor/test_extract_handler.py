"""Bundles bear what their job says, in headers: payloads depend on the data alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

import pytest

from carebus_contracts.headers import Envelope
from carebus_contracts.jobs import ExtractJob
from carebus_contracts.slices import WorkSlice
from carebus_extractor.handlers import extract_slices
from carebus_extractor.ports import BundleMessage, SliceReport
from carebus_runtime.controls import JobControls
from carebus_runtime.offload import Offload
from carebus_runtime.producer import Producer
from carebus_runtime.received import Outgoing, Received


class TwoPersons:
    report = SliceReport(persons=2)

    def read_slice(self, work: WorkSlice) -> Iterator[BundleMessage]:
        yield from (BundleMessage(b"lab/%d" % n, b"{}") for n in (1, 2))

    def version_ms(self, work: WorkSlice) -> int:
        return work.accepted_ms


class Sending:
    def __init__(self) -> None:
        self.sent: list[Outgoing] = []

    async def send(self, messages: Sequence[Outgoing]) -> None:
        self.sent += messages


class Running:
    def cancelled(self, job_id: str) -> bool:
        return False


@pytest.mark.parametrize("filing", ["none", "wanted", "required"])
@pytest.mark.parametrize("dry_run", [False, True], ids=["for good", "dry run"])
async def test_headers_say_what_the_job_wants(filing: str, *, dry_run: bool) -> None:
    """Targets, dry run and documents for OpenEMR; version and number of the message."""
    job = ExtractJob.model_validate(
        {
            "kind": "extract", "source": "lab", "omop": {"format": "csv", "path": "/x"}, "dry_run": dry_run,
            "targets": ["openemr", "documents"], "openemr": {"documents": filing},
        }
    )  # fmt: skip
    work = WorkSlice(job_id="j", slice=3, kind="persons", fingerprint="f", accepted_ms=70, job=job)
    producer = Sending()
    handle = extract_slices(
        lambda _: cast("Any", TwoPersons()),
        producer=cast("Producer", producer),
        offload=Offload("test"),
        controls=cast("JobControls", Running()),
    )

    await handle([Received(work, Envelope(), "t", 0, 0, 0, b"j", 1)])

    told = [m.envelope for m in producer.sent]
    assert [(e.ordinal, e.slice, e.version.v, e.targets) for e in told] == [
        (n, 3, 70, ("openemr", "documents")) for n in (0, 1)
    ]
    assert {(e.dry_run, e.filing) for e in told} == {(dry_run, filing)}
