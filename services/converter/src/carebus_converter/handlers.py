"""The Kafka edge of the converter: bundles in, documents and plans out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

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

Records = PersonRecords | ReferenceRecords
Convert = Callable[[Records, str], bytes | None]
"""Records and a target to the message for it; None when the target has no place for such records."""


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
    settled: list[tuple[Envelope, str, Result, str]] = []
    dead: list[DeadLettered] = []
    for index, message in enumerate(batch):
        envelope = message.envelope
        if controls.discarded(envelope.job_id):
            settled += [(envelope, t, Result.DISCARDED, "job cancelled") for t in envelope.targets]
            continue
        failed: dict[str, tuple[DeadLetterReason, str]] = {}
        for target in envelope.targets:
            try:
                value = convert(message.payload, target)
            except RecordError as error:
                failed[target] = DeadLetterReason.UNMAPPABLE, str(error)
            except Exception as error:
                # One odd record must not cost its neighbours a second conversion each.
                log.error("conversion_failed", job_id=envelope.job_id, target=target, exc_info=True)
                failed[target] = DeadLetterReason.UNEXPECTED, type(error).__name__
            else:
                if value is None:
                    settled.append((envelope, target, Result.UNCHANGED, "no place for reference rows"))
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


def _receipts(settled: Sequence[tuple[Envelope, str, Result, str]], stage: str) -> list[Receipt]:
    ordinals: dict[tuple[str, int, str, str, Result, str], list[int]] = {}
    for envelope, target, result, reason in settled:
        if envelope.counted:
            key = (envelope.job_id, envelope.slice, envelope.attempt, target, result, reason)
            ordinals.setdefault(key, []).append(envelope.ordinal)
    return [
        Receipt(
            stage=stage,
            target=target,
            job_id=job_id,
            slice=number,
            attempt=attempt,
            ordinals=ranges_of(found),
            result=result,
            reason=reason,
        )
        for (job_id, number, attempt, target, result, reason), found in ordinals.items()
    ]
