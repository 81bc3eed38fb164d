"""Giving up on a message: what the dead letter says, and the receipts that are owed for it."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

from carebus_contracts.dead_letters import DeadLetter, DeadLetterReason
from carebus_contracts.errors import (
    ConstraintViolated,
    InvalidMessage,
    PayloadMissing,
    UnmappableRecord,
)
from carebus_contracts.headers import Envelope
from carebus_contracts.receipts import Receipt, Result

try:
    SOFTWARE = f"carebus/{version('carebus-runtime')}"
except PackageNotFoundError:  # run from a source tree that was never installed
    SOFTWARE = "carebus/unknown"

_REASONS: tuple[tuple[type[Exception], DeadLetterReason], ...] = (
    (PayloadMissing, DeadLetterReason.PAYLOAD_MISSING),
    (InvalidMessage, DeadLetterReason.UNDECODABLE),
    (UnmappableRecord, DeadLetterReason.UNMAPPABLE),
    (ConstraintViolated, DeadLetterReason.CONSTRAINT),
)


def reason_of(error: Exception) -> tuple[DeadLetterReason, str]:
    """Return the reason for a dead letter, and a sentence that is safe to store and show."""
    for kind, reason in _REASONS:
        if isinstance(error, kind):
            return reason, str(error)
    # The text of a foreign exception may hold values of the record; its type does not.
    return DeadLetterReason.UNEXPECTED, type(error).__name__


def dead_letter_for(
    reason: DeadLetterReason,
    detail: str,
    *,
    topic: str,
    partition: int,
    offset: int,
    headers: Iterable[tuple[str, bytes]],
    attempts: int = 1,
) -> DeadLetter:
    """Return the dead letter of a message that came from this place with these headers."""
    return DeadLetter(reason, detail[:500], topic, partition, offset, attempts, SOFTWARE, tuple(headers))


def receipts_for(
    envelope: Envelope, reason: DeadLetterReason, *, stage: str, targets: Iterable[str]
) -> list[Receipt]:
    """Return the receipts owed for a dead letter: one for each target that it starves."""
    if not envelope.counted:
        return []
    return [
        Receipt(
            stage=stage,
            target=target,
            job_id=envelope.job_id,
            slice=envelope.slice,
            attempt=envelope.attempt,
            ordinals=((envelope.ordinal, envelope.ordinal),),
            result=Result.DEAD_LETTERED,
            reason=reason.value,
        )
        for target in targets
    ]
