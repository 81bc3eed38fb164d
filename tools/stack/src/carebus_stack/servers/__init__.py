"""The four servers, by name."""

from collections.abc import Mapping
from types import MappingProxyType

from .base import Launch, Server, Surroundings
from .clickhouse import ClickHouse
from .kafka import Kafka
from .mariadb import MariaDb
from .postgres import Postgres

SERVER_CLASSES: Mapping[str, type[Server]] = MappingProxyType(
    {"kafka": Kafka, "mariadb": MariaDb, "postgres": Postgres, "clickhouse": ClickHouse}
)

__all__ = ["SERVER_CLASSES", "Launch", "Server", "Surroundings"]
