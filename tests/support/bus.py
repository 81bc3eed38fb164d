"""A topic of its own to test on, and a worker around one subscription."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from carebus_contracts.topics import MAX_MESSAGE_BYTES, Topic
from carebus_runtime.settings import KafkaSettings, WorkerSettings
from carebus_runtime.subscription import Subscription
from carebus_runtime.worker import Worker


class Bus:
    """A topic of its own with its dead letters, and ways to look at both."""

    def __init__(self, kafka: KafkaSettings, topic: Topic, group: str) -> None:
        self.kafka, self.topic, self.group = kafka, topic, group
        self.dead_letters = topic.dead_letters(group)

    async def send(self, *values: bytes, headers: list[tuple[str, bytes]] | None = None) -> None:
        """Produce raw values, spread over the partitions."""
        producer = AIOKafkaProducer(**self.kafka.client(), max_request_size=MAX_MESSAGE_BYTES)
        await producer.start()
        try:
            for number, value in enumerate(values):
                await producer.send_and_wait(
                    self.topic.name,
                    value,
                    key=b"k%d" % number,
                    partition=number % self.topic.partitions,
                    headers=headers or [],
                )
        finally:
            await producer.stop()

    async def read(self, topic: str) -> list[Any]:
        """Return all records that stand in a topic."""
        consumer = AIOKafkaConsumer(**self.kafka.client(), auto_offset_reset="earliest")
        await consumer.start()
        try:
            metadata = await consumer._client.fetch_all_metadata()
            places = [TopicPartition(topic, p) for p in metadata.partitions_for_topic(topic) or ()]
            consumer.assign(places)
            ends = await consumer.end_offsets(places)
            records: list[Any] = []
            for place in places:
                await consumer.seek_to_beginning(place)
            while any([await consumer.position(p) < ends[p] for p in places]):
                for found in (await consumer.getmany(timeout_ms=200)).values():
                    records += found
            return records
        finally:
            await consumer.stop()

    async def lag(self) -> int:
        """Return how many messages the group has not committed yet."""
        admin = AIOKafkaAdminClient(**self.kafka.client())
        consumer = AIOKafkaConsumer(**self.kafka.client())
        await admin.start()
        await consumer.start()
        try:
            places = [TopicPartition(self.topic.name, p) for p in range(self.topic.partitions)]
            ends = await consumer.end_offsets(places)
            committed = await admin.list_consumer_group_offsets(self.group)
            return sum(end - max(0, committed[p].offset if p in committed else 0) for p, end in ends.items())
        finally:
            await consumer.stop()
            await admin.close()


@asynccontextmanager
async def working(
    bus: Bus, subscription: Subscription[Any], folder: Path, **settings: Any
) -> AsyncIterator[Worker]:
    """Run a worker in this process while the context is open; leaving it is a SIGTERM."""
    kafka = bus.kafka.model_copy(update={"claim_check_url": f"file://{folder / 'blobs'}"})
    told = WorkerSettings(retry_first_s=0.05, retry_longest_s=0.3, grace_s=5, **settings)
    worker = Worker("test", told, kafka)
    worker.subscribe(subscription)
    running = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        worker._stop.set()
        await asyncio.wait([running], timeout=60)
        if running.done() and (error := running.exception()):
            worker.outcome = error  # type: ignore[attr-defined]


async def until(condition: Callable[[], Awaitable[bool] | bool], timeout_s: float = 60) -> None:
    """Wait for a condition, with a deadline."""
    deadline = asyncio.get_running_loop().time() + timeout_s
    while True:
        held = condition()
        if held if isinstance(held, bool) else await held:
            return
        assert asyncio.get_running_loop().time() < deadline, "the condition did not come true in time"
        await asyncio.sleep(0.05)
