"""The converter process on a full topic: decode, document, three plans, encode, produce."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from bench.measuring import median, spending
from carebus_contracts.headers import Envelope, write_headers
from carebus_contracts.topics import CONVERTER, OMOP_RECORDS, TARGETS
from carebus_contracts.versions import Version
from carebus_demo.suite import common_settings
from carebus_demo.workers import Workers, WorkerSpec
from carebus_runtime.settings import KafkaSettings
from carebus_runtime.topic_admin import ensure_topics
from carebus_stack import LocalStack
from support.bundles import gibleed_messages

PORT = 28_790


def run(stack: LocalStack, *, rounds: int = 3) -> dict[str, Any]:
    """Fill the records topic with GiBleed, start one converter, and measure until it has committed all."""
    kafka = KafkaSettings(bootstrap=stack.endpoints.kafka.bootstrap)
    asyncio.run(ensure_topics(kafka))
    persons_s, cpu_persons_s, peaks = [], [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        messages = gibleed_messages(folder)
        settings = common_settings(stack.endpoints.settings(), folder, [])
        spec = WorkerSpec("converter", "carebus_converter", {}, PORT)
        for number in range(rounds):
            with Workers([spec], common=settings, logs=folder / "logs") as workers:
                workers.start()
                workers.wait_ready()
                asyncio.run(_drained(kafka))
                with spending({"converter": workers.processes["converter"].pid}) as spent:
                    asyncio.run(_fill(kafka, messages, number))
                    asyncio.run(_drained(kafka))
                persons_s.append(len(messages) / spent.wall_s)
                cpu_persons_s.append(len(messages) / spent.cpu_s["converter"])
                peaks.append(spent.peak_mb["converter"])
    return {
        "persons_per_cpu_s": median(cpu_persons_s),
        "persons_s": median(persons_s),
        "runs": cpu_persons_s,
        "peak_mb": max(peaks),
    }


async def _fill(kafka: KafkaSettings, messages: list[tuple[bytes, bytes]], number: int) -> None:
    producer = AIOKafkaProducer(**kafka.client(), compression_type="zstd", max_batch_size=262_144)
    await producer.start()
    try:
        sent = []
        for ordinal, (key, value) in enumerate(messages):
            envelope = Envelope(
                contract="PersonRecords/1",
                job_id=f"bench-{number}",
                slice=1,
                attempt="bench",
                ordinal=ordinal,
                version=Version(number + 1),
                targets=TARGETS,
            )
            headers = write_headers(
                envelope, event_type=OMOP_RECORDS.name, event_id=str(ordinal), source="/bench"
            )
            sent.append(await producer.send(OMOP_RECORDS.name, value, key=key, headers=list(headers)))
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


async def _drained(kafka: KafkaSettings, timeout_s: float = 300) -> None:
    """Wait until the group has committed everything."""
    admin = AIOKafkaAdminClient(**kafka.client())
    consumer = AIOKafkaConsumer(**kafka.client())
    await admin.start()
    await consumer.start()
    try:
        places = [TopicPartition(OMOP_RECORDS.name, p) for p in range(OMOP_RECORDS.partitions)]
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            ends = await consumer.end_offsets(places)
            committed = await admin.list_consumer_group_offsets(CONVERTER)
            if all(end == 0 or (p in committed and committed[p].offset >= end) for p, end in ends.items()):
                return
            await asyncio.sleep(0.1)
        raise TimeoutError(f"the converter is not done after {timeout_s} s")
    finally:
        await consumer.stop()
        await admin.close()
