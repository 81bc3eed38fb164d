"""Every metric, once: name, kind, unit, meaning."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

MESSAGES = Counter("carebus_messages", "Messages handled, by what became of them.", ["topic", "outcome"])
MESSAGE_BYTES = Counter("carebus_message_bytes", "Payload bytes handled.", ["topic"])
BATCH_SECONDS = Histogram(
    "carebus_batch_seconds",
    "Seconds from the first byte of a batch to its commit.",
    ["topic"],
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
PRODUCED = Counter("carebus_produced_messages", "Messages acknowledged by Kafka.", ["topic"])
PRODUCED_BYTES = Counter("carebus_produced_bytes", "Payload bytes acknowledged by Kafka.", ["topic"])
DEAD_LETTERS = Counter("carebus_dead_letters", "Messages given up, by reason.", ["topic", "reason"])
RETRIES = Counter("carebus_retries", "Times that a batch was tried again.", ["topic"])
WAITING = Gauge("carebus_waiting", "1 while a subscription waits for another system.", ["topic"])
REBALANCES = Counter("carebus_rebalances", "Times that partitions were taken or given.", ["topic"])
LOCK_SECONDS = Histogram(
    "carebus_lock_seconds",
    "Seconds that a lock was held for which other loaders wait, by what it is for.",
    ["purpose"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 10),
)
