"""A console in this process on real topics, and stand-ins for the workers around it."""

from __future__ import annotations

import asyncio
import socket
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from carebus_console.app import build
from carebus_console.settings import ConsoleSettings
from carebus_contracts.headers import Header
from carebus_contracts.topics import loader_group, plans
from carebus_runtime.settings import KafkaSettings
from carebus_runtime.topic_admin import ensure_topics


class Bus:
    """Reads and writes topics as other services do."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self.kafka = kafka

    async def send(
        self, topic: str, *values: bytes, key: bytes | None = None, headers: list[Header] | None = None
    ) -> list[Any]:
        """Produce values; returns where they stand."""
        async with AIOKafkaProducer(**self.kafka.client()) as producer:
            return [await producer.send_and_wait(topic, v, key=key, headers=headers or []) for v in values]

    async def read(self, topic: str) -> list[Any]:
        """Return all records that stand in a topic."""
        async with AIOKafkaConsumer(**self.kafka.client(), auto_offset_reset="earliest") as consumer:
            metadata = await consumer._client.fetch_all_metadata()
            places = [TopicPartition(topic, p) for p in metadata.partitions_for_topic(topic) or ()]
            consumer.assign(places)
            ends = await consumer.end_offsets(places)
            await consumer.seek_to_beginning(*places)
            records: list[Any] = []
            while any([await consumer.position(place) < ends[place] for place in places]):
                for found in (await consumer.getmany(timeout_ms=200)).values():
                    records += found
            return records

    async def clear(self, topic: str) -> None:
        """Delete all records that stand in a topic."""
        admin = AIOKafkaAdminClient(**self.kafka.client())
        await admin.start()
        try:
            places = {TopicPartition(topic, r.partition) for r in await self.read(topic)}
            # -1 is the end.
            await admin.delete_records({place: RecordsToDelete(before_offset=-1) for place in places})
        finally:
            await admin.close()


@pytest.fixture
async def bus(kafka: KafkaSettings) -> Bus:
    """The topics as declared, and ways to look at them."""
    await ensure_topics(kafka)
    return Bus(kafka)


@pytest.fixture
async def loaders(bus: Bus) -> AsyncIterator[None]:
    """Members in the groups of the Postgres and documents loaders, which is all that the console asks for."""
    members = [
        AIOKafkaConsumer(plans(target).name, **bus.kafka.client(), group_id=loader_group(target))
        for target in ("postgres", "documents")
    ]
    for member in members:
        await member.start()
    yield
    for member in members:
        await member.stop()


@asynccontextmanager
async def console(bus: Bus, folder: Path, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Run a console until the context is left, which is a SIGTERM to it."""
    told = ConsoleSettings(health_port=_free_port(), grace_s=5, **settings)
    kafka = bus.kafka.model_copy(update={"claim_check_url": f"file://{folder / 'blobs'}"})
    worker = build(told, kafka)
    running = asyncio.create_task(worker.run())
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{told.health_port}", timeout=30) as client:
        try:
            await until(lambda: _is_ready(client, running))
            yield client
        finally:
            worker._stop.set()
            await asyncio.wait_for(running, 30)


async def _is_ready(client: httpx.AsyncClient, running: asyncio.Task[None]) -> bool:
    if running.done():
        running.result()
    try:
        return (await client.get("/readyz")).status_code == 200
    except httpx.TransportError:
        return False


async def until(condition: Callable[[], Awaitable[Any]], timeout_s: float = 60) -> Any:
    """Wait for a condition, with a deadline."""
    deadline = asyncio.get_running_loop().time() + timeout_s
    while not (held := await condition()):
        assert asyncio.get_running_loop().time() < deadline, "the condition did not come true in time"
        await asyncio.sleep(0.05)
    return held


def an_id(prefix: str = "job") -> str:
    """Return an id that no earlier run has used; topics outlive tests."""
    return f"{prefix}-{uuid.uuid4().hex[:10]}"


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
