"""Where topics end now."""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from carebus_contracts.errors import TransientError
from carebus_contracts.topics import Topic
from carebus_runtime.settings import KafkaSettings

PATIENCE_S = 10.0


class KafkaEnds:
    """Asks for the first and next offsets of topics."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._consumer: Any = None

    async def start(self) -> None:
        """Connect.

        Raises:
            TransientError: Kafka does not answer.
        """
        consumer: Any = AIOKafkaConsumer(**self._kafka.client(), enable_auto_commit=False)
        try:
            await consumer.start()
        except (KafkaError, OSError) as error:
            await consumer.stop()
            raise self._away() from error
        self._consumer = consumer

    async def stop(self) -> None:
        """Disconnect."""
        if self._consumer is not None:
            await self._consumer.stop()

    async def ping(self) -> None:
        """Ask for anything.

        Raises:
            TransientError: Kafka does not answer.
        """
        await self._asking(self._consumer._client.fetch_all_metadata())

    async def of(self, topic: Topic) -> dict[int, tuple[int, int]]:
        """Return first and next offset by partition; partitions without messages are left out.

        Raises:
            TransientError: Kafka does not answer.
        """
        places = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
        first = await self._asking(self._consumer.beginning_offsets(places))
        ends = await self._asking(self._consumer.end_offsets(places))
        return {p.partition: (first[p], ends[p]) for p in places if ends[p] > first[p]}

    async def _asking(self, question: Any) -> Any:
        try:
            return await asyncio.wait_for(question, PATIENCE_S)
        except (KafkaError, OSError, TimeoutError) as error:
            raise self._away() from error

    def _away(self) -> TransientError:
        return TransientError("Kafka does not answer", system=f"Kafka at {self._kafka.bootstrap}")
