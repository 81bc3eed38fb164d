"""The Kafka edge of the generator: slices become bundles and files."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache, partial
from typing import NamedTuple
from uuid import uuid4

import orjson

from carebus_contracts.errors import JobError
from carebus_contracts.headers import Envelope
from carebus_contracts.jobs import Failed, GenerateJob, SliceDone, TableCounts
from carebus_contracts.names import SyntheticNames
from carebus_contracts.omop.bundle import encode_reference
from carebus_contracts.slices import GenerateSlice
from carebus_contracts.topics import OMOP_RECORDS
from carebus_contracts.versions import Version
from carebus_generator.adapters.sinks import ChunkInWork
from carebus_generator.data_set import DataSet
from carebus_generator.data_sets import DataSets
from carebus_generator.domain.bundles import CDM_VERSION
from carebus_generator.domain.digest import added
from carebus_generator.domain.omop import OmopChunk
from carebus_generator.domain.omop.references import reference_tables
from carebus_generator.outputs import Outputs
from carebus_generator.showing.realism_files import realism_files
from carebus_runtime.controls import JobControls
from carebus_runtime.logs import Log
from carebus_runtime.offload import Offload
from carebus_runtime.producer import Producer
from carebus_runtime.received import Handler, Outcomes, Outgoing, Received
from carebus_runtime.telling import event_message

log = Log(__name__)

PERSON_CONTRACT, REFERENCE_CONTRACT = "PersonRecords/1", "ReferenceRecords/1"


class _Record(NamedTuple):
    key: bytes
    value: bytes
    contract: str


Steps = Generator[list[_Record], None, None]
"""Records of some patients at a time."""


@dataclass(slots=True)
class _Made:
    """What a slice has come to so far."""

    messages: int = 0
    persons: int = 0
    bytes: int = 0
    rows: Counter[str] = field(default_factory=Counter)
    digests: list[str] = field(default_factory=list)


class _Cancelled(Exception):
    """The job was cancelled while the slice was made."""


class SliceMaker:
    """Makes slices; each execution of one is an attempt of its own."""

    def __init__(
        self,
        data_sets: DataSets,
        outputs: Outputs,
        *,
        producer: Producer,
        offload: Offload,
        controls: JobControls,
    ) -> None:
        self._data_sets = data_sets
        self._outputs = outputs
        self._producer = producer
        self._offload = offload
        self._controls = controls

    def handler(self) -> Handler[GenerateSlice]:
        """Return the handler of the slices topic."""

        async def handle(batch: Sequence[Received[GenerateSlice]]) -> Outcomes:
            return Outcomes(outgoing=[event_message(await self._ended(message.payload)) for message in batch])

        return handle

    async def _ended(self, work: GenerateSlice) -> SliceDone | Failed:
        began, attempt, made = time.monotonic(), uuid4().hex, _Made()
        try:
            await self._make(work, attempt, made)
        except _Cancelled:
            log.info("slice_cancelled", job_id=work.job_id, slice=work.slice)
            # An attempt without messages; the one that was begun never ends, so it does not count.
            return SliceDone(job_id=work.job_id, slice=work.slice, attempt=uuid4().hex, messages=0)
        except JobError as error:
            log.warning("slice_failed", job_id=work.job_id, slice=work.slice, error=str(error))
            return Failed(job_id=work.job_id, reason=str(error))
        duration_ms = int((time.monotonic() - began) * 1000)
        log.info(
            "slice_made", job_id=work.job_id, slice=work.slice, persons=made.persons, duration_ms=duration_ms
        )
        return SliceDone(
            job_id=work.job_id,
            slice=work.slice,
            attempt=attempt,
            messages=made.messages,
            persons=made.persons,
            bytes=made.bytes,
            duration_ms=duration_ms,
            version_ms=work.accepted_ms if made.messages else 0,
            tables={table: TableCounts(read=n, emitted=n) for table, n in made.rows.items() if n},
            digest=added(made.digests) if made.digests else "",
        )

    async def _make(self, work: GenerateSlice, attempt: str, made: _Made) -> None:
        self._stop_if_cancelled(work)
        steps = self._steps(work, made)
        try:
            async for (records,) in self._offload.chunks(steps, 1):
                self._stop_if_cancelled(work)
                outgoing = []
                for record in records:
                    outgoing.append(_outgoing(record, work, attempt, made.messages))
                    made.messages += 1
                    made.bytes += len(record.value)
                if outgoing:
                    await self._producer.send(outgoing)
        finally:
            # In its own thread: a step may be under way. Files of a chunk that is not whole go.
            await self._offload.run(steps.close)

    def _stop_if_cancelled(self, work: GenerateSlice) -> None:
        if self._controls.cancelled(work.job_id):
            raise _Cancelled

    def _steps(self, work: GenerateSlice, made: _Made) -> Steps:
        """Do the slice step by step, and yield the records of each."""
        data_set = self._data_sets.planned(work.fingerprint, work.job)
        match work.kind:
            case "reference":
                yield from _references(data_set, work.job, made)
            case "patients":
                yield from self._patients(data_set, work, made)
            case "finish":
                report = cache(partial(realism_files, data_set.model))
                for sink in self._outputs.sinks(work.job, data_set):
                    sink.finish(sink.records(), report)
                    yield []

    def _patients(self, data_set: DataSet, work: GenerateSlice, made: _Made) -> Steps:
        job = work.job
        sinks = self._outputs.sinks(job, data_set)
        for first in range(work.first, work.first + work.count, job.chunk_patients):
            count = min(job.chunk_patients, work.first + work.count - first)
            # Looked up for each chunk, so that what is in use is never what the cache lets go.
            data_set = self._data_sets.planned(work.fingerprint, job)
            with ExitStack() as files:
                number = first // job.chunk_patients
                chunks = [files.enter_context(sink.writing(number, first, count)) for sink in sinks]
                for part in data_set.parts(first, count):
                    for chunk in chunks:
                        chunk.rows(part)
                    made.rows.update(part.counts)
                    yield from self._bundles(data_set, part, job, chunks, made)

    def _bundles(
        self, data_set: DataSet, part: OmopChunk, job: GenerateJob, chunks: Sequence[ChunkInWork], made: _Made
    ) -> Steps:
        person_id = part.persons.first
        for block, digest in data_set.blocks(part):
            for chunk in chunks:
                chunk.bundles(block, digest)
            made.digests.append(digest)
            made.persons += len(block)
            if job.targets:
                yield [
                    _Record(f"{job.source}/{person_id + n}".encode(), _named(bundle, job), PERSON_CONTRACT)
                    for n, bundle in enumerate(block)
                ]
            person_id += len(block)
        # Also without records: time to look whether the job was cancelled.
        yield []


def _references(data_set: DataSet, job: GenerateJob, made: _Made) -> Steps:
    """The rows that belong to no person; they are few, so a table is a chunk."""
    for table, rows in reference_tables(data_set.surroundings).items():
        made.rows[table] += len(rows)
        if job.targets and rows:
            value = encode_reference(
                source=job.source,
                table=table,
                chunk=0,
                cdm_version=CDM_VERSION,
                rows=orjson.dumps([[*row] for row in rows]),
                complete=table != "concept",
            )
            yield [_Record(f"{job.source}/{table}/0".encode(), value, REFERENCE_CONTRACT)]


def _named(bundle: bytes, job: GenerateJob) -> bytes:
    """Ask for a plausible name where the job does; files and hash are the same with either."""
    return bundle[:-1] + b',"name":{"synthetic":true}}' if isinstance(job.names, SyntheticNames) else bundle


def _outgoing(record: _Record, work: GenerateSlice, attempt: str, ordinal: int) -> Outgoing:
    envelope = Envelope(
        contract=record.contract,
        job_id=work.job_id,
        slice=work.slice,
        attempt=attempt,
        ordinal=ordinal,
        version=Version(work.accepted_ms),
        targets=work.job.targets,
        dry_run=work.job.dry_run,
        filing=work.job.openemr.documents,
    )
    return Outgoing(OMOP_RECORDS.name, record.key, record.value, envelope)
