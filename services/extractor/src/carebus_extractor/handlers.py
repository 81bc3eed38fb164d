"""The Kafka edge of the extractor: accepted jobs become plans, slices become bundles."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from uuid import uuid4

from carebus_contracts.errors import JobError
from carebus_contracts.headers import Envelope
from carebus_contracts.jobs import ExtractJob, Failed, SliceDone
from carebus_contracts.slices import WorkSlice
from carebus_contracts.topics import OMOP_RECORDS
from carebus_contracts.versions import Version
from carebus_extractor.ports import BundleMessage, OmopSource
from carebus_runtime.controls import JobControls
from carebus_runtime.logs import Log
from carebus_runtime.offload import Offload
from carebus_runtime.producer import Producer
from carebus_runtime.received import Handler, Outcomes, Outgoing, Received
from carebus_runtime.telling import event_message

log = Log(__name__)

CHUNK_MESSAGES = 200
"""Bundles in memory at once, beside what the engine holds. They fall on all partitions of the topic, and each
partition's share is compressed and sent as one: with 50 a person cost a tenth more."""
CHUNK_BYTES = 8 * 1024 * 1024
"""... and no more than about this, so that a chunk of large persons is sent early."""

OpenSource = Callable[[ExtractJob], OmopSource]


def extract_slices(
    open_source: OpenSource, *, producer: Producer, offload: Offload, controls: JobControls
) -> Handler[WorkSlice]:
    """Return the handler of the slices topic; each execution of a slice is an attempt of its own."""

    async def handle(batch: Sequence[Received[WorkSlice]]) -> Outcomes:
        events: list[Outgoing] = []
        for message in batch:
            work = message.payload
            if controls.cancelled(work.job_id):
                done = SliceDone(job_id=work.job_id, slice=work.slice, attempt=uuid4().hex, messages=0)
                events.append(event_message(done))
                continue
            try:
                events.append(event_message(await _extract(work, open_source, producer, offload)))
            except JobError as error:
                log.warning("slice_failed", job_id=work.job_id, slice=work.slice, error=str(error))
                events.append(event_message(Failed(job_id=work.job_id, reason=str(error))))
        return Outcomes(outgoing=events)

    return handle


async def _extract(
    work: WorkSlice, open_source: OpenSource, producer: Producer, offload: Offload
) -> SliceDone:
    began = time.monotonic()
    attempt = uuid4().hex
    source = await offload.run(lambda: open_source(work.job))
    read = source.read_reference(work) if work.kind == "reference" else source.read_slice(work)
    version: Version | None = None
    ordinal = size = 0
    async for chunk in offload.chunks(_sized(read), 1):
        if version is None:
            # A database's clock is read inside the snapshot, so only once reading has begun.
            version = Version(source.version_ms(work))
        (messages,) = chunk
        outgoing = []
        for message in messages:
            outgoing.append(_outgoing(message, work, attempt, ordinal, version))
            ordinal += 1
            size += len(message.value)
        await producer.send(outgoing)
    report = source.report
    duration_ms = int((time.monotonic() - began) * 1000)
    log.info(
        "slice_extracted", job_id=work.job_id, slice=work.slice, messages=ordinal, duration_ms=duration_ms
    )
    return SliceDone(
        job_id=work.job_id,
        slice=work.slice,
        attempt=attempt,
        messages=ordinal,
        persons=report.persons,
        bytes=size,
        duration_ms=duration_ms,
        version_ms=version.v if version else 0,
        tables=report.tables,
    )


def _sized(messages: Iterator[BundleMessage]) -> Iterator[list[BundleMessage]]:
    """Gather messages into chunks bounded by number and by bytes."""
    chunk: list[BundleMessage] = []
    size = 0
    for message in messages:
        chunk.append(message)
        size += len(message.value)
        if len(chunk) >= CHUNK_MESSAGES or size >= CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _outgoing(
    message: BundleMessage, work: WorkSlice, attempt: str, ordinal: int, version: Version
) -> Outgoing:
    return Outgoing(
        OMOP_RECORDS.name,
        message.key,
        message.value,
        Envelope(
            contract=message.contract,
            job_id=work.job_id,
            slice=work.slice,
            attempt=attempt,
            ordinal=ordinal,
            version=version,
            targets=work.job.targets,
            dry_run=work.job.dry_run,
            filing=work.job.openemr.documents,
        ),
    )
