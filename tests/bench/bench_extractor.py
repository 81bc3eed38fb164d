"""The extractor process: plan, read and produce, on a source that is staged already."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from bench import bench_extract
from bench.measuring import median, spending
from carebus_contracts.jobs import JOB_EVENT, AcceptedJob, Planned, SliceDone, parse_request
from carebus_contracts.topics import JOB_ACCEPTED, JOB_EVENTS
from carebus_demo.command import eunomia, job_file
from carebus_demo.suite import common_settings
from carebus_demo.workers import Workers, WorkerSpec
from carebus_runtime.settings import KafkaSettings
from carebus_runtime.topic_admin import ensure_topics
from carebus_stack import LocalStack

PORT = 28_791


def run(stack: LocalStack, *, rounds: int = 3) -> dict[str, Any]:
    """Publish accepted jobs on GiBleed one after the other; the first stages the source and is not counted.

    In the same run, for comparison: reading alone, in this process and without Kafka.
    """
    kafka = KafkaSettings(bootstrap=stack.endpoints.kafka.bootstrap)
    asyncio.run(ensure_topics(kafka))
    per_cpu, per_wall, peaks = [], [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = common_settings(stack.endpoints.settings(), folder, [eunomia().parent])
        alone = [
            bench_extract.run(folder=folder, slice_persons=None)["persons_per_cpu_s"] for _ in range(rounds)
        ]
        spec = WorkerSpec("extractor", "carebus_extractor", {}, PORT)
        with Workers([spec], common=settings, logs=folder / "logs") as workers:
            workers.start()
            workers.wait_ready()
            pid = workers.processes["extractor"].pid
            asyncio.run(_job(kafka, "warm"))
            for number in range(rounds):
                with spending({"extractor": pid}) as spent:
                    persons = asyncio.run(_job(kafka, f"{number}"))
                per_cpu.append(persons / spent.cpu_s["extractor"])
                per_wall.append(persons / spent.wall_s)
                peaks.append(spent.peak_mb["extractor"])
    return {
        "persons_per_cpu_s": median(per_cpu),
        "persons_s": median(per_wall),
        "reading_alone_persons_per_cpu_s": median(alone),
        "runs": per_cpu,
        "peak_mb": max(peaks),
    }


async def _job(kafka: KafkaSettings, name: str) -> int:
    """Run one job to its last slice; return its persons."""
    job_id = f"bench-extract-{name}-{time.time_ns()}"
    request = parse_request(json.dumps(job_file(eunomia())).encode())
    consumer = AIOKafkaConsumer(JOB_EVENTS.name, **kafka.client(), auto_offset_reset="latest")
    producer = AIOKafkaProducer(**kafka.client())
    await consumer.start()
    await producer.start()
    try:
        await consumer.seek_to_end()
        for place in consumer.assignment():
            await consumer.position(place)
        job = AcceptedJob(job_id=job_id, request=request)
        await producer.send_and_wait(JOB_ACCEPTED.name, job.to_json(), key=job_id.encode())
        done: dict[int, int] = {}
        slices = 0
        async with asyncio.timeout(120):
            async for record in consumer:
                event = JOB_EVENT.validate_json(record.value)
                if event.job_id != job_id:
                    continue
                if isinstance(event, Planned):
                    slices = event.slices
                elif isinstance(event, SliceDone):
                    done[event.slice] = event.persons
                if slices and len(done) == slices:
                    break
        return sum(done.values())
    finally:
        await producer.stop()
        await consumer.stop()
