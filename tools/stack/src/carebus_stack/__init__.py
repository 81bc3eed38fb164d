"""Real Kafka, MariaDB, Postgres and ClickHouse on loopback, without root and without images."""

from .endpoints import (
    ClickHouseEndpoint,
    Endpoints,
    KafkaEndpoint,
    MariaDbEndpoint,
    PostgresEndpoint,
)
from .errors import StackError
from .local_stack import LocalStack, ServerStatus
from .ports import free_offset

__all__ = [
    "ClickHouseEndpoint",
    "Endpoints",
    "KafkaEndpoint",
    "LocalStack",
    "MariaDbEndpoint",
    "PostgresEndpoint",
    "ServerStatus",
    "StackError",
    "free_offset",
]
