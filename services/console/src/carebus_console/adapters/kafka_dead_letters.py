"""Dead-letter topics, read on demand and no more of them than was asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.errors import KafkaError

from carebus_console.domain.retirement_rules import Rule
from carebus_console.ports import LetterCount, StoredLetter
from carebus_contracts.addressing import addressed
from carebus_contracts.dead_letters import read_dead_letter
from carebus_contracts.errors import TransientError
from carebus_contracts.headers import read_headers
from carebus_contracts.topics import OMOP_RECORDS, TARGETS, dead_letter_topics, plans
from carebus_runtime.settings import KafkaSettings

BATCH = 100
PATIENCE_S = 20.0
PARTITION = 0
"""Dead-letter topics have one partition, so that an offset names a letter."""


class KafkaDeadLetters:
    """Dead letters with what became of them; those of retired subjects are passed over.

    ``redriven`` tells the offsets that were sent back, ``void`` the rules of all retirements.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        redriven: Callable[[str], Collection[int]],
        void: Callable[[], Sequence[Rule]],
    ) -> None:
        self._kafka = kafka
        self._redriven = redriven
        self._void = void

    async def counts(self) -> list[LetterCount]:
        """Count the letters of every dead-letter topic that exists.

        Raises:
            TransientError: Kafka does not answer.
        """
        async with self._consumer() as consumer:
            there = set((await consumer._client.fetch_all_metadata()).topics())
            names = [topic.name for topic in dead_letter_topics() if topic.name in there]
            bounds = await _all_bounds(consumer, names)
        return [
            LetterCount(topic, end - first, sum(offset >= first for offset in self._redriven(topic)))
            for topic, (first, end) in bounds.items()
        ]

    async def newest(self, topic: str, *, limit: int, before: int | None = None) -> list[StoredLetter]:
        """Return letters without key and value, newest first.

        Raises:
            TransientError: Kafka does not answer.
        """
        async with self._consumer() as consumer:
            first, end = await _bounds(consumer, topic)
            end = end if before is None else min(end, before)
            rules, found = self._void(), list[StoredLetter]()
            while end > first and len(found) < limit:
                begin = max(first, end - limit)
                page = [
                    self._stored(record, whole=False)
                    async for records in _between(consumer, topic, begin, end)
                    for record in records
                    if not _is_void(record, rules)
                ]
                found, end = [*found, *page[::-1]], begin
        return found[:limit]

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
                void = _is_void(records[0], self._void())
                return None if void else self._stored(records[0], whole=True)
        return None

    async def all(self, topic: str) -> AsyncGenerator[Sequence[StoredLetter], None]:
        """Yield those that stand there now, in order, in bounded batches.

        Raises:
            TransientError: Kafka does not answer.
        """
        async with self._consumer() as consumer:
            first, end = await _bounds(consumer, topic)
            async for records in _between(consumer, topic, first, end):
                rules = self._void()
                if chosen := [self._stored(r, whole=True) for r in records if not _is_void(r, rules)]:
                    yield chosen

    async def delete_retired(self) -> int:
        """Delete retired letters from the beginning of each topic; return how many letters went.

        Kafka deletes up to an offset only: what lies behind a letter that still counts waits until that
        was sent back, or for the topic's retention.

        Raises:
            TransientError: Kafka does not answer, or does not allow it.
        """
        rules, deleted = self._void(), 0
        if not rules:
            return 0
        async with self._consumer() as consumer:
            there = set((await consumer._client.fetch_all_metadata()).topics())
            names = [t.name for t in dead_letter_topics() if t.name in there and _holds_records(t.name)]
            # Before anything is read: a fetch that waits for records makes other requests wait.
            for topic, (first, end) in (await _all_bounds(consumer, names)).items():
                keep = await self._behind_retired(consumer, topic, first, end, rules)
                if keep > first:
                    await self._delete_before(topic, keep)
                    deleted += keep - first
        return deleted

    async def _behind_retired(
        self, consumer: Any, topic: str, first: int, end: int, rules: Sequence[Rule]
    ) -> int:
        """Return the offset behind the last retired letter that no letter that counts stands before."""
        redriven, behind = self._redriven(topic), first
        async for records in _between(consumer, topic, first, end):
            for record in records:
                if _is_void(record, rules):
                    behind = int(record.offset) + 1
                elif record.offset not in redriven:
                    return behind
        return behind

    async def _delete_before(self, topic: str, offset: int) -> None:
        admin = AIOKafkaAdminClient(**self._kafka.client())
        try:
            await admin.start()
            await admin.delete_records(
                {TopicPartition(topic, PARTITION): RecordsToDelete(before_offset=offset)}
            )
        finally:
            await admin.close()

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


def _is_void(record: Any, rules: Sequence[Rule]) -> bool:
    headers = tuple(record.headers)
    letter = read_dead_letter(headers)
    if not rules or letter is None:
        return False
    about = addressed(letter.topic, record.key, read_headers(headers))
    return about is not None and any(rule.covers(about) for rule in rules)


def _holds_records(topic: str) -> bool:
    """Whether letters there are records of persons; the book of jobs follows some of the others."""
    return topic.startswith(tuple(f"{t.name}." for t in (OMOP_RECORDS, *map(plans, TARGETS))))


async def _bounds(consumer: Any, topic: str) -> tuple[int, int]:
    return (await _all_bounds(consumer, [topic]))[topic]


async def _all_bounds(consumer: Any, topics: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Return first and next offset of each topic."""
    places = [TopicPartition(topic, PARTITION) for topic in topics]
    async with asyncio.timeout(PATIENCE_S):
        first = await consumer.beginning_offsets(places)
        ends = await consumer.end_offsets(places)
    return {place.topic: (first[place], ends[place]) for place in places}


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
