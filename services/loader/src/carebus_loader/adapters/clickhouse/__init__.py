"""OMOP 5.4 in ClickHouse: versioned rows, and a scope table that says which of them count."""

from carebus_loader.adapters.clickhouse.settings import ClickHouseSettings
from carebus_loader.adapters.clickhouse.target import ClickHouseTarget

__all__ = ["ClickHouseSettings", "ClickHouseTarget", "open_clickhouse"]


def open_clickhouse() -> ClickHouseTarget:
    """Make the target that the environment describes."""
    return ClickHouseTarget(ClickHouseSettings.load())
