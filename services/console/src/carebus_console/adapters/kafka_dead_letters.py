"""Dead-letter topics, read on demand and no more of them than was asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from carebus_console.ports import LetterCount, StoredLetter
from carebus_contracts.dead_letters import read_dead_letter
from carebus_contracts.errors import TransientError
from carebus_contracts.headers import read_headers
from carebus_contracts.topics import dead_letter_topics
from carebus_runtime.settings import KafkaSettings

BATCH = 100
PATIENCE_S = 20.0
PARTITION = 0
"""Dead-letter topics have one partition, so that an offset names a letter."""


class KafkaDeadLetters:
    """Dead letters with what became of them: ``redriven`` tells the offsets that were sent back."""

    def __init__(self, kafka: KafkaSettings, redriven: Callable[[str], Collection[int]]) -> None:
        self._kafka = kafka
        self._redriven = redriven

    async def counts(self) -> list[LetterCount]:
        """Count the letters of every dead-letter topic that exists.

        Raises:
            TransientError: Kafka does not answer.
        """
        async with self._consumer() as consumer:
            there = set((await consumer._client.fetch_all_metadata()).topics())
            names = [topic.name for topic in dead_letter_topics() if topic.name in there]
            places = [TopicPartition(name, PARTITION) for name in names]
            first, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
        return [
            LetterCount(
                place.topic,
                ends[place] - first[place],
                sum(offset >= first[place] for offset in self._redriven(place.topic)),
            )
            for place in places
        ]

    async def newest(self, topic: str, *, limit: int, before: int | None = None) -> list[StoredLetter]:
        """Return letters without key and value, newest first.

        Raises:
            TransientError: Kafka does not answer.
        """
        async with self._consumer() as consumer:
            first, end = await _bounds(consumer, topic)
            end = end if before is None else min(end, before)
            found = [
                self._stored(record, whole=False)
                async for records in _between(consumer, topic, max(first, end - limit), end)
                for record in records
            ]
        return found[::-1]

    async def letter(self, topic: str, offset: int) -> StoredLetter | None:
        """Return one letter, None when there is none.

        Raises:
            TransientError: Kafka does not answer.
        """
        async with self._consumer() as consumer:
            first, end = await _bounds(consumer, topic)
            if not first <= offset < end:
                return None
            async for records in _between(consumer, topic, offset, offset + 1):
                return self._stored(records[0], whole=True)
        return None

    async def all(self, topic: str) -> AsyncGenerator[Sequence[StoredLetter], None]:
        """Yield those that stand there now, in order, in bounded batches.

        Raises:
            TransientError: Kafka does not answer.
        """
        async with self._consumer() as consumer:
            first, end = await _bounds(consumer, topic)
            async for records in _between(consumer, topic, first, end):
                yield [self._stored(record, whole=True) for record in records]

    def _stored(self, record: Any, *, whole: bool) -> StoredLetter:
        headers = tuple(record.headers)
        return StoredLetter(
            offset=record.offset,
            at_ms=record.timestamp,
            job_id=read_headers(headers).job_id,
            size=len(record.value or b""),
            letter=read_dead_letter(headers),
            redriven=record.offset in self._redriven(record.topic),
            key=record.key if whole else None,
            value=(record.value or b"") if whole else b"",
            headers=headers if whole else (),
        )

    @asynccontextmanager
    async def _consumer(self) -> AsyncIterator[Any]:
        consumer: Any = AIOKafkaConsumer(
            **self._kafka.client(),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            max_partition_fetch_bytes=4 * 1024 * 1024,
        )
        try:
            async with asyncio.timeout(PATIENCE_S):
                await consumer.start()
            yield consumer
        except (KafkaError, OSError, TimeoutError) as error:
            raise TransientError(
                f"Kafka did not show dead letters: {type(error).__name__}",
                system=f"Kafka at {self._kafka.bootstrap}",
            ) from error
        finally:
            await consumer.stop()


async def _bounds(consumer: Any, topic: str) -> tuple[int, int]:
    place = TopicPartition(topic, PARTITION)
    async with asyncio.timeout(PATIENCE_S):
        first = await consumer.beginning_offsets([place])
        ends = await consumer.end_offsets([place])
    return first[place], ends[place]


async def _between(consumer: Any, topic: str, first: int, end: int) -> AsyncIterator[list[Any]]:
    """Yield the records of offsets ``first`` to ``end - 1``; offsets without a record are stepped over."""
    if first >= end:
        return
    place = TopicPartition(topic, PARTITION)
    consumer.assign([place])
    consumer.seek(place, first)
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    while await consumer.position(place) < end:
        fetched = await consumer.getmany(place, timeout_ms=500, max_records=BATCH)
        records = [record for record in fetched.get(place, ()) if record.offset < end]
        if records:
            deadline = asyncio.get_running_loop().time() + PATIENCE_S
            yield records
        elif asyncio.get_running_loop().time() > deadline:
            raise TimeoutError
