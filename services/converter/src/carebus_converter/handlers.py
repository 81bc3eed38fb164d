"""The Kafka edge of the converter: bundles in, documents and plans out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

from carebus_contracts.dead_letters import DeadLetterReason
from carebus_contracts.errors import RecordError
from carebus_contracts.headers import Envelope
from carebus_contracts.model import ranges_of
from carebus_contracts.omop.bundle import PersonRecords, ReferenceRecords
from carebus_contracts.receipts import Receipt, Result
from carebus_contracts.topics import plans
from carebus_contracts.versions import Version
from carebus_converter.domain.revision import MAPPING_REVISION
from carebus_runtime.logs import Log
from carebus_runtime.offload import Offload
from carebus_runtime.received import DeadLettered, Handler, Outcomes, Outgoing, Received

log = Log(__name__)

ONLY_AS_REFERRED = "only_as_referred"
"""Reference rows are at a target that takes persons only as far as the rows of persons refer to them."""

Records = PersonRecords | ReferenceRecords


class Convert(Protocol):
    """What makes messages of records."""

    def __call__(self, records: Records, target: str, *, filed: bool = False) -> bytes | None:
        """Return the message for a target; None when the target has no place for such records."""


class Discards(Protocol):
    """Knows the jobs whose queued messages are to be skipped."""

    def discarded(self, job_id: str) -> bool:
        """Whether to skip messages of this job."""


def convert_records(
    convert: Convert, *, offload: Offload, stage: str, controls: Discards
) -> Handler[Records]:
    """Return the handler of the records topic; conversion runs off the event loop."""

    async def handle(batch: Sequence[Received[Records]]) -> Outcomes:
        return await offload.run(lambda: _converted(batch, convert, stage, controls))

    return handle


def _converted(
    batch: Sequence[Received[Records]], convert: Convert, stage: str, controls: Discards
) -> Outcomes:
    outgoing: list[Outgoing] = []
    settled: list[_Settled] = []
    dead: list[DeadLettered] = []
    for index, message in enumerate(batch):
        envelope = message.envelope
        if controls.discarded(envelope.job_id):
            settled += [_Settled(envelope, t, Result.DISCARDED, "job cancelled") for t in envelope.targets]
            continue
        failed: dict[str, tuple[DeadLetterReason, str]] = {}
        for target in envelope.targets:
            try:
                value = convert(message.payload, target, filed=envelope.filing != "none")
            except RecordError as error:
                failed[target] = DeadLetterReason.UNMAPPABLE, str(error)
            except Exception as error:
                # One odd record must not cost its neighbours a second conversion each.
                log.error("conversion_failed", job_id=envelope.job_id, target=target, exc_info=True)
                failed[target] = DeadLetterReason.UNEXPECTED, type(error).__name__
            else:
                if value is None:
                    settled.append(_without_place(message, target))
                else:
                    outgoing.append(_message(message, target, value))
        if failed:
            # What one target cannot take is no reason to withhold the record from the others.
            reason, detail = next(iter(failed.values()))
            dead.append(DeadLettered(index, reason, detail, tuple(failed)))
    return Outcomes(outgoing, _receipts(settled, stage), dead)


def _message(message: Received[Records], target: str, value: bytes) -> Outgoing:
    envelope = message.envelope
    topic = plans(target)
    return Outgoing(
        topic.name,
        message.key,
        value,
        replace(
            envelope,
            contract=f"{topic.payload}/1",
            version=Version(envelope.version.v, MAPPING_REVISION),
            targets=(),
            claim=False,
            extra=(),
        ),
    )


class _Settled(NamedTuple):
    """What became of a message here, for one target."""

    envelope: Envelope
    target: str
    result: Result
    reason: str
    table: str = ""
    rows: int = 0
    """Rows of the table that have no place."""


def _without_place(message: Received[Records], target: str) -> _Settled:
    records = message.payload
    settled = _Settled(message.envelope, target, Result.UNCHANGED, "no place for reference rows")
    if isinstance(records, PersonRecords):
        return settled
    return settled._replace(table=records.table, rows=len(records.records))


def _receipts(settled: Sequence[_Settled], stage: str) -> list[Receipt]:
    books: dict[tuple[str, int, str, str, Result, str], list[_Settled]] = {}
    for one in settled:
        envelope = one.envelope
        if envelope.counted:
            key = envelope.job_id, envelope.slice, envelope.attempt, one.target, one.result, one.reason
            books.setdefault(key, []).append(one)
    return [
        Receipt(
            stage=stage,
            target=target,
            job_id=job_id,
            slice=number,
            attempt=attempt,
            ordinals=ranges_of(one.envelope.ordinal for one in found),
            result=result,
            not_mapped=_not_mapped(found),
            reason=reason,
        )
        for (job_id, number, attempt, target, result, reason), found in books.items()
    ]


def _not_mapped(settled: Sequence[_Settled]) -> dict[str, dict[str, int]]:
    rows = Counter[str]()
    for one in settled:
        rows[one.table] += one.rows
    return {table: {ONLY_AS_REFERRED: count} for table, count in sorted(rows.items()) if count}
