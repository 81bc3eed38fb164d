"""What a handler gets and gives: decoded messages in, outcomes and messages out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from carebus_contracts.dead_letters import DeadLetterReason
from carebus_contracts.headers import Envelope, Header
from carebus_contracts.receipts import Receipt

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Received(Generic[T_co]):
    """One decoded message and where it came from."""

    payload: T_co
    envelope: Envelope
    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    """Append time at the broker."""
    key: bytes | None
    size: int
    """Bytes of the payload."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message to produce before the batch is committed."""

    topic: str
    key: bytes | None
    value: bytes
    """Nothing under a key is sent as Kafka's null."""
    envelope: Envelope = field(default_factory=Envelope)
    headers: tuple[Header, ...] = ()
    """More headers, beside those of the envelope."""
    spread: int | None = None
    """Partition by this number instead of by the key: work for whoever is free."""


@dataclass(frozen=True, slots=True)
class DeadLettered:
    """A handler gives up on one message of its batch; the runtime writes the dead letter and the receipt."""

    index: int
    """Place in the batch."""
    reason: DeadLetterReason
    detail: str
    """One sentence without any value of the record."""
    targets: tuple[str, ...] = ()
    """The targets that it starves, where others got what is theirs; empty is all."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What a batch came to. What is not named as dead-lettered is done."""

    outgoing: Sequence[Outgoing] = ()
    receipts: Sequence[Receipt] = ()
    dead_letters: Sequence[DeadLettered] = ()


Handler = Callable[[Sequence[Received[T]]], Awaitable[Outcomes]]
"""Handles a batch in order. It may see any message twice, and it may raise: see ``contracts.errors``."""
