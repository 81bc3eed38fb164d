"""Reading topics without a group: every replica sees every message, from the first or from a position."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from carebus_contracts.errors import TransientError
from carebus_contracts.topics import Topic
from carebus_runtime.logs import Log
from carebus_runtime.settings import KafkaSettings

log = Log(__name__)

Positions = Mapping[tuple[str, int], int]
"""Next offset by topic and partition."""
OnRecords = Callable[[Sequence[Any]], Awaitable[None]]
"""Gets aiokafka's records of one partition, in order; those that it raised at come again."""


class Follower:
    """Follows topics. ``caught_up`` is set once all that stood there at the start was seen."""

    def __init__(
        self, kafka: KafkaSettings, topics: Sequence[Topic], on_records: OnRecords, *, wait_ms: int = 200
    ) -> None:
        self._kafka = kafka
        self._topics = topics
        self._on_records = on_records
        self._wait_ms = wait_ms
        self.caught_up = asyncio.Event()
        self.positions: dict[tuple[str, int], int] = {}

    async def run(self, start: Positions | None = None) -> None:
        """Read until cancelled; a broker that is away is waited for, as is what ``on_records`` needs."""
        self.positions |= start or {}
        while True:
            try:
                await self._read()
            except (KafkaError, OSError, TransientError) as error:
                log.warning("following_interrupted", error=type(error).__name__)
                await asyncio.sleep(1)

    async def _read(self) -> None:
        consumer = AIOKafkaConsumer(
            **self._kafka.client(),
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=self._wait_ms,
            max_partition_fetch_bytes=4 * 1024 * 1024,
        )
        try:
            await consumer.start()
            places = await self._assign(consumer)
            ends = await consumer.end_offsets(places)
            while True:
                for place, records in (await consumer.getmany(timeout_ms=self._wait_ms)).items():
                    await self._on_records(records)
                    self.positions[place.topic, place.partition] = records[-1].offset + 1
                if not self.caught_up.is_set():
                    # Transaction markers take offsets that no record has: ask the consumer.
                    positions = [(await consumer.position(place), place) for place in places]
                    if all(position >= ends[place] for position, place in positions):
                        self.caught_up.set()
        finally:
            await consumer.stop()

    async def _assign(self, consumer: AIOKafkaConsumer) -> list[TopicPartition]:
        places = []
        for topic in self._topics:
            while not (partitions := await _partitions(consumer, topic.name)):
                log.warning("topic_awaited", topic=topic.name)
                await asyncio.sleep(1)
            places += [TopicPartition(topic.name, partition) for partition in sorted(partitions)]
        consumer.assign(places)
        for place in places:
            if (position := self.positions.get((place.topic, place.partition))) is not None:
                consumer.seek(place, position)
            else:
                await consumer.seek_to_beginning(place)
        return places


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> set[int]:
    client = consumer._client  # the public call answers from a cache that knows subscribed topics only
    await client.force_metadata_update()
    metadata = await client.fetch_all_metadata()
    return set(metadata.partitions_for_topic(topic) or ())
