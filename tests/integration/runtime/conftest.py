"""A fresh topic for each test."""

from __future__ import annotations

from uuid import uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from carebus_contracts.topics import Topic
from carebus_runtime.settings import KafkaSettings
from carebus_runtime.topic_admin import ensure_topics
from support.bus import Bus


@pytest.fixture
async def bus(kafka: KafkaSettings) -> Bus:
    """A fresh topic of three partitions, and a group that nobody else uses."""
    await ensure_topics(kafka)
    name = uuid4().hex[:10]
    topic = Topic(f"test.{name}.v1", "any", "bytes", (f"carebus-test-{name}",), partitions=3)
    bus = Bus(kafka, topic, topic.readers[0])
    admin = AIOKafkaAdminClient(**kafka.client())
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic.name, 3, 1), NewTopic(bus.dead_letters, 1, 1)])
    finally:
        await admin.close()
    return bus
