"""What a worker reads and how: the declaration of one subscription."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from carebus_contracts.headers import Envelope
from carebus_contracts.topics import Topic
from carebus_runtime.received import Handler

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Batching:
    """How much a handler gets at once.

    The broker makes the batches: a fast reader would otherwise be handed whatever trickles in,
    and a target pays for each batch. It costs up to ``wait_ms`` of latency.
    """

    records: int = 200
    min_bytes: int = 1
    wait_ms: int = 500
    max_bytes: int = 24 * 1024 * 1024
    """Bytes in flight at most, all partitions together (compressed, as Kafka counts)."""
    partition_bytes: int = 4 * 1024 * 1024
    part_bytes: int = 32 * 1024 * 1024
    """What a handler gets at once at most, unless one message alone is larger (payloads, as they are). 1,000
    plans of some 23 kB, GiBleed's, are one part: ClickHouse pays for each insert."""


def no_targets(envelope: Envelope) -> tuple[str, ...]:
    """For stages whose failures starve no target."""
    return ()


@dataclass(frozen=True, slots=True)
class Subscription(Generic[T]):
    """One topic, read by one group: every message is handled at least once, then committed."""

    topic: Topic
    group: str
    decode: Callable[[bytes], T]
    """Reads a payload; raises ``InvalidMessage``."""
    handler: Handler[T]
    batching: Batching = field(default_factory=Batching)
    starves: Callable[[Envelope], tuple[str, ...]] = no_targets
    """Targets that get nothing when a message is given up here."""
    longest_batch_s: float = 240
    """Above the longest time that one batch may take; Kafka waits so long in a rebalance."""
