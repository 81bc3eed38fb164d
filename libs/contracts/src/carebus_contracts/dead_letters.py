"""Dead letters: the original bytes, and headers that say why they are here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from carebus_contracts.headers import Header


class DeadLetterReason(StrEnum):
    """Why a message could not be handled; a public contract, for alerts and redrives."""

    UNDECODABLE = "undecodable"
    """The bytes do not fit the contract."""
    PAYLOAD_MISSING = "payload_missing"
    """A claim check points at nothing, or at other bytes."""
    UNMAPPABLE = "unmappable"
    """No rule says what the record becomes."""
    CONSTRAINT = "constraint"
    """The target refuses the record, and will refuse it again."""
    UNEXPECTED = "unexpected"
    """A fault of ours on this very record; the log has the trace."""


REASON = "carebus-dlq-reason"
DETAIL = "carebus-dlq-detail"
ORIGIN = "carebus-dlq-origin"
ATTEMPTS = "carebus-dlq-attempts"
SOFTWARE = "carebus-dlq-software"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What a dead-letter topic holds for one message: its key and value as they were, and these headers."""

    reason: DeadLetterReason
    detail: str
    """A sentence without any value of the record."""
    topic: str
    partition: int
    offset: int
    attempts: int
    software: str
    """Version of the worker that gave up."""
    original: tuple[Header, ...] = ()

    def headers(self) -> list[Header]:
        """The original headers, then ours."""
        ours = {REASON, DETAIL, ORIGIN, ATTEMPTS, SOFTWARE}
        return [
            *(h for h in self.original if h[0] not in ours),
            (REASON, self.reason.value.encode()),
            (DETAIL, self.detail.encode()),
            (ORIGIN, f"{self.topic}/{self.partition}/{self.offset}".encode()),
            (ATTEMPTS, str(self.attempts).encode()),
            (SOFTWARE, self.software.encode()),
        ]


def read_dead_letter(headers: tuple[Header, ...]) -> DeadLetter | None:
    """Read the headers of a dead letter; None when they are not ours."""
    found = {name: value.decode("utf-8", "replace") for name, value in headers if value is not None}
    try:
        topic, partition, offset = found[ORIGIN].rsplit("/", 2)
        return DeadLetter(
            DeadLetterReason(found[REASON]),
            found.get(DETAIL, ""),
            topic,
            int(partition),
            int(offset),
            int(found.get(ATTEMPTS, "1")),
            found.get(SOFTWARE, ""),
            tuple(h for h in headers if not h[0].startswith("carebus-dlq-")),
        )
    except (KeyError, ValueError):
        return None
