"""Which partition a key belongs to: Kafka's own rule, so that every client puts a key in one place."""

from __future__ import annotations

from aiokafka.partitioner import murmur2


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of a key in a topic of so many.

    Source:
        The default partitioner of Kafka's clients: murmur2 of the key without its sign, modulo the number.
    """
    return int(murmur2(key) & 0x7FFFFFFF) % partitions
