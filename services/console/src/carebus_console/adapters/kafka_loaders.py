"""Which loaders run: those whose consumer group has a member."""

from __future__ import annotations

import asyncio
import time

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from carebus_contracts.topics import TARGETS, loader_group
from carebus_runtime.logs import Log
from carebus_runtime.settings import KafkaSettings

log = Log(__name__)

CACHE_S = 3.0
"""A loader that was killed stays a member for its session of 10 s; asking more often tells no more."""
PATIENCE_S = 10.0


class KafkaLoaders:
    """Asks Kafka for the members of the loaders' groups; nothing else has to announce itself."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._lock = asyncio.Lock()
        self._found: frozenset[str] = frozenset()
        self._asked_at = float("-inf")

    async def targets(self) -> frozenset[str] | None:
        """Return the targets that a loader serves, seconds old at most; None when Kafka does not say."""
        async with self._lock:
            if time.monotonic() - self._asked_at > CACHE_S:
                try:
                    self._found = await asyncio.wait_for(self._ask(), PATIENCE_S)
                except (KafkaError, OSError, TimeoutError, ValueError) as error:
                    log.warning("loaders_not_known", error=type(error).__name__)
                    return None
                self._asked_at = time.monotonic()
            return self._found

    async def _ask(self) -> frozenset[str]:
        groups = {loader_group(target): target for target in TARGETS}
        admin = AIOKafkaAdminClient(**self._kafka.client())
        try:
            await admin.start()
            # One group a question: aiokafka 0.14 reads answers of version 3 with the schema of version
            # 2, which lacks a field after each group, so that only the first group comes out right.
            answers = [await admin.describe_consumer_groups([group]) for group in groups]
        finally:
            await admin.close()
        # Each is (error, group, state, protocol type, protocol, members, ...); an unknown group has none.
        described = [group for (answer,) in answers for group in answer.groups]
        return frozenset(
            groups[name] for error, name, _, _, _, members, *_ in described if not error and members
        )
