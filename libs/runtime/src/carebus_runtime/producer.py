"""Sending: idempotent, acknowledged by all replicas, zstd, claim checks for what is too large."""

from __future__ import annotations

import asyncio
import hmac
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from typing import Any
from uuid import uuid4

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from carebus_contracts.addressing import addressed
from carebus_contracts.errors import TransientError
from carebus_contracts.headers import Header, write_headers
from carebus_contracts.topics import CLAIM_CHECK_BYTES, MAX_MESSAGE_BYTES
from carebus_runtime import metric_names as metrics
from carebus_runtime.blobs import BlobStore
from carebus_runtime.logs import Log
from carebus_runtime.partitioning import partition_of
from carebus_runtime.received import Outgoing
from carebus_runtime.settings import KafkaSettings
from carebus_runtime.telemetry import current_traceparent

log = Log(__name__)

LINGER_MS = 5
BATCH_BYTES = 1024 * 1024
"""Before compression. A batch of documents, some 100 kB each, then costs a third less than one of 256 kB, and
weighs a fifth less."""
DELIVERY_TIMEOUT_MS = 30_000
"""After this a send counts as failed and the batch is tried again, which is harmless."""


class Producer:
    """One producer a worker. A send returns when Kafka has the message on all replicas."""

    def __init__(self, kafka: KafkaSettings, *, service: str, blobs: BlobStore, subject_key: bytes) -> None:
        self._kafka = kafka
        self._source = f"/carebus/{service}"
        self._blobs = blobs
        self._subject_key = subject_key
        self._producer: Any = None
        self._renewing = asyncio.Lock()
        self._run = uuid4().hex[:12]
        self._number = count()

    async def start(self) -> None:
        """Connect.

        Raises:
            TransientError: Kafka does not answer.
        """
        producer: Any = AIOKafkaProducer(
            **self._kafka.client(),
            acks="all",
            enable_idempotence=True,
            # aiokafka's lz4 costs four to six times as much as its zstd.
            compression_type="zstd",
            linger_ms=LINGER_MS,
            max_batch_size=BATCH_BYTES,
            max_request_size=MAX_MESSAGE_BYTES,
            request_timeout_ms=DELIVERY_TIMEOUT_MS,
        )
        try:
            await producer.start()
        except (KafkaError, OSError) as error:
            await producer.stop()
            raise TransientError(
                "Kafka does not answer", system=f"Kafka at {self._kafka.bootstrap}"
            ) from error
        self._producer = producer

    async def stop(self) -> None:
        """Send what waits, and disconnect."""
        if self._producer is not None:
            await self._producer.stop()

    async def send(self, messages: Sequence[Outgoing]) -> None:
        """Send messages, in order for each key, and wait until all are acknowledged.

        Raises:
            TransientError: At least one was not; which ones is unknown, so send all of them again.
        """
        if not messages:
            return
        if (producer := self._producer) is None:
            raise TransientError("the producer is not connected", system=f"Kafka at {self._kafka.bootstrap}")
        traceparent = current_traceparent()
        try:
            acknowledgements = []
            # aiokafka's own choice of a partition gathers those of the topic anew for each message.
            partitions = {
                topic: len(await producer.partitions_for(topic)) for topic in {m.topic for m in messages}
            }
            for message in messages:
                value, headers = await self._packed(message, traceparent)
                partition = _partition(message, partitions[message.topic])
                acknowledgements.append(
                    await producer.send(
                        message.topic, key=message.key, value=value, headers=headers, partition=partition
                    )
                )
            await asyncio.gather(*acknowledgements)
        except (KafkaError, OSError) as error:
            await self._renew(producer)
            raise TransientError(
                f"Kafka did not take a message: {type(error).__name__}",
                system=f"Kafka at {self._kafka.bootstrap}",
            ) from error
        _count(messages)

    async def _packed(self, message: Outgoing, traceparent: str) -> tuple[bytes | None, list[Header]]:
        value, envelope = message.value, message.envelope
        if len(value) > CLAIM_CHECK_BYTES:
            about = addressed(message.topic, message.key, envelope)
            value = (await self._blobs.check_in(value, about)).to_json()
            envelope = replace(envelope, claim=True)
        if traceparent:
            envelope = replace(envelope, traceparent=traceparent)
        headers = write_headers(
            envelope,
            event_type=message.topic,
            event_id=f"{self._run}-{next(self._number)}",
            source=self._source,
            subject=self._subject(message.key),
        )
        # Kafka's null: on a compacted topic it takes the key away, where an empty value would stay for ever.
        nothing = not value and message.key is not None
        return None if nothing else value, [*headers, *message.headers]

    def _subject(self, key: bytes | None) -> str:
        return hmac.digest(self._subject_key, key, "sha256").hex()[:32] if key else ""

    async def _renew(self, failed: Any) -> None:
        """Replace a producer that failed: after some errors its sequence numbers are beyond repair."""
        async with self._renewing:
            if self._producer is not failed:
                return
            self._producer = None
            try:
                await asyncio.wait_for(failed.stop(), 5)
            except (KafkaError, TimeoutError, OSError) as error:
                log.warning("producer_dropped", error=type(error).__name__)
            await self._reconnect()

    async def _reconnect(self) -> None:
        delay = 0.5
        while True:
            try:
                await self.start()
            except TransientError:
                log.warning("kafka_awaited", delay_s=delay)
                await asyncio.sleep(delay)
                delay = min(delay * 2, 10)
            else:
                return


def _partition(message: Outgoing, partitions: int) -> int | None:
    if message.spread is not None:
        return message.spread % partitions
    return partition_of(message.key, partitions) if message.key is not None else None


def _count(messages: Sequence[Outgoing]) -> None:
    sizes: Counter[str] = Counter()
    for message in messages:
        sizes[message.topic] += len(message.value)
    for topic, number in Counter(message.topic for message in messages).items():
        metrics.PRODUCED.labels(topic).inc(number)
        metrics.PRODUCED_BYTES.labels(topic).inc(sizes[topic])
