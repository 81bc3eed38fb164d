"""What a message looks like when it reaches Kafka."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from carebus_runtime.blobs import BlobStore
from carebus_runtime.producer import Producer
from carebus_runtime.received import Outgoing
from carebus_runtime.settings import KafkaSettings


class FakeClient:
    """Takes what would go to the broker."""

    def __init__(self) -> None:
        self.values: list[bytes | None] = []

    async def partitions_for(self, topic: str) -> set[int]:
        return {0}

    async def send(self, topic: str, *, value: bytes | None, **rest: Any) -> asyncio.Future[None]:
        self.values.append(value)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done


@pytest.mark.parametrize(
    ("key", "value", "sent"),
    [
        pytest.param(b"job-1", b"", None, id="nothing under a key takes it away"),
        pytest.param(b"job-1", b"{}", b"{}", id="a value stays"),
        pytest.param(None, b"", b"", id="a message needs a key or a value"),
    ],
)
async def test_an_empty_value_is_a_tombstone(
    tmp_path: Path, key: bytes | None, value: bytes, sent: bytes | None
) -> None:
    """Compaction drops a key for null only."""
    client = FakeClient()
    producer = Producer(
        KafkaSettings(), service="test", blobs=BlobStore(f"file://{tmp_path}"), subject_key=b"k"
    )
    producer._producer = client

    await producer.send([Outgoing("a.topic", key, value)])

    assert client.values == [sent]
