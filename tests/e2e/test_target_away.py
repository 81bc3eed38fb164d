"""A target is away for a minute: others are not disturbed, topics stay small, and nothing is lost."""

from __future__ import annotations

import time
from pathlib import Path

from aiokafka import AIOKafkaConsumer, TopicPartition

from carebus_contracts.topics import OMOP_RECORDS, plans
from carebus_demo.command import job_file
from carebus_runtime.settings import KafkaSettings
from carebus_stack import LocalStack
from support.suites import accounts_close, running_suite

AWAY_S = 60
WINDOW_MB = 4
SLICE_PERSONS = 50
"""About one megabyte of GiBleed."""
PERSONS = 900


async def test_a_target_away_for_a_minute_holds_up_only_itself(
    stack: LocalStack, gibleed: Path, tmp_path: Path
) -> None:
    """Postgres is really down for 60 s (this test takes about 100 s).

    Meanwhile a job to the documents completes; the job to Postgres says what it waits for, and its
    topics stop growing at the window of bytes; afterwards it completes, too.
    """
    kafka = KafkaSettings(bootstrap=stack.endpoints.kafka.bootstrap)
    with running_suite(
        stack, tmp_path, name="minute", roots=[gibleed.parent], port_offset=600,
        targets=("postgres", "documents"),
        more={"CAREBUS_EXTRACTOR_WINDOW_MB": str(WINDOW_MB), "CAREBUS_EXTRACTOR_WINDOW_SLICES": "100"},
    ) as suite:  # fmt: skip
        before = await written(kafka)
        stack.stop("postgres")
        began = time.monotonic()
        try:
            waiting = suite.submit(
                job_file(gibleed, PERSONS) | {"targets": ["postgres"], "slice_persons": SLICE_PERSONS}
            )
            suite.wait_for(waiting, lambda s: "postgres" in str(s.get("waiting", "")).lower())
            good = suite.run(job_file(gibleed, 100) | {"targets": ["documents"], "source": "other"}, 50)
            grown = [await written(kafka)]
            time.sleep(max(0, AWAY_S - 15 - (time.monotonic() - began)))
            grown.append(await written(kafka))
            time.sleep(max(0, AWAY_S - (time.monotonic() - began)))
            grown.append(await written(kafka))
            held = suite.state(waiting)
        finally:
            stack.start("postgres")
        done = suite.wait(waiting, 120)

    assert good["status"] == "completed"
    assert held["status"] == "running"
    assert grown[1] == grown[2], "the topics still grew"
    assert held["bytes_extracted"] <= 2 * WINDOW_MB * 1024 * 1024
    assert held["slices_issued"] < held["slices"]
    assert grown[2][plans("postgres").name] > before[plans("postgres").name]
    assert done["status"] == "completed"
    assert accounts_close(done)


async def written(kafka: KafkaSettings) -> dict[str, int]:
    """Return how many messages the topics of bundles and of plans for Postgres ever got."""
    consumer = AIOKafkaConsumer(**kafka.client())
    await consumer.start()
    try:
        found = {}
        for topic in (OMOP_RECORDS, plans("postgres")):
            places = [TopicPartition(topic.name, n) for n in range(topic.partitions)]
            found[topic.name] = sum((await consumer.end_offsets(places)).values())
        return found
    finally:
        await consumer.stop()
