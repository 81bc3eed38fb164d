"""Real Kafka, MariaDB, Postgres and ClickHouse on loopback, without root and without images."""

from .endpoints import (
    ClickHouseEndpoint,
    Endpoints,
    KafkaEndpoint,
    MariaDbEndpoint,
    PostgresEndpoint,
)
from .errors import StackError
from .local_stack import LocalStack
from .ports import SERVERS, free_offset
from .status import ServerStatus

__all__ = [
    "SERVERS",
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
