"""Making the topics as the contracts declare them."""

from __future__ import annotations

from collections.abc import Sequence

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.errors import KafkaError, KafkaTimeoutError, TopicAlreadyExistsError

from carebus_contracts.errors import ConfigurationError, TargetUnavailable
from carebus_contracts.topics import TOPICS, Topic, dead_letter_topics
from carebus_runtime.settings import KafkaSettings


def declared() -> tuple[Topic, ...]:
    """All topics of carebus, dead letters included."""
    return (*TOPICS, *dead_letter_topics())


async def ensure_topics(
    kafka: KafkaSettings, *, replication: int = 1, partitions: int | None = None
) -> list[str]:
    """Make topics that are missing and add partitions where there are fewer than declared.

    Partitions are never taken away: Kafka cannot, and keys would move.

    Args:
        kafka: The cluster.
        replication: Copies of each partition.
        partitions: For data topics instead of the declared number.

    Returns:
        One sentence for each change.

    Raises:
        TargetUnavailable: Kafka does not answer.
        ConfigurationError: It does not make a topic so; the sentence says what it says.
    """
    admin = AIOKafkaAdminClient(**kafka.client())
    try:
        await admin.start()
        there = {t["topic"]: len(t["partitions"]) for t in await admin.describe_topics()}
        wanted = {t.name: _partitions(t, partitions) for t in declared()}
        missing = [t for t in declared() if t.name not in there]
        done = await _create(admin, missing, wanted, replication)
        for name, count in wanted.items():
            if 0 < there.get(name, 0) < count:
                await admin.create_partitions({name: NewPartitions(total_count=count)})
                done.append(f"{name}: {there[name]} → {count} partitions")
    except (KafkaError, OSError) as error:
        if isinstance(error, KafkaError) and not (error.retriable or isinstance(error, KafkaTimeoutError)):
            raise ConfigurationError(f"Kafka at {kafka.bootstrap} refused: {error}") from error
        raise TargetUnavailable(
            f"Kafka at {kafka.bootstrap} does not answer: start it, or set CAREBUS_KAFKA_BOOTSTRAP",
            system=f"Kafka at {kafka.bootstrap}",
        ) from error
    finally:
        await admin.close()
    return done


async def _create(
    admin: AIOKafkaAdminClient, missing: Sequence[Topic], wanted: dict[str, int], replication: int
) -> list[str]:
    if not missing:
        return []
    answer = await admin.create_topics(
        [
            NewTopic(
                name=topic.name,
                num_partitions=wanted[topic.name],
                replication_factor=replication,
                topic_configs=topic_configs(topic),
            )
            for topic in missing
        ]
    )
    # Errors come in the answer, not as exceptions; "exists" means that somebody was quicker.
    for name, code, *message in answer.topic_errors:
        if code not in (0, TopicAlreadyExistsError.errno):
            why = " ".join(filter(None, message)) or f"error {code}"
            raise KafkaError(f"{name} cannot be made: {why}")
    return [f"{topic.name}: made with {wanted[topic.name]} partitions" for topic in missing]


def topic_configs(topic: Topic) -> dict[str, str]:
    """Kafka's settings of one topic."""
    configs = {
        "cleanup.policy": topic.cleanup,
        "max.message.bytes": str(topic.max_bytes),
        # The append time of an accepted job is its version: the broker's clock, nobody else's.
        "message.timestamp.type": "LogAppendTime",
    }
    if topic.cleanup == "delete":
        configs["retention.ms"] = str(topic.retention_ms)
    else:
        configs["min.cleanable.dirty.ratio"] = "0.1"
    return configs


def _partitions(topic: Topic, data_partitions: int | None) -> int:
    return data_partitions if data_partitions and topic.partitions == 12 else topic.partitions
