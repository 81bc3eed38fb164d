"""OMOP 5.4 in PostgreSQL: keyed tables, and a ledger in the same transaction."""

from carebus_loader.adapters.postgres.settings import PostgresSettings
from carebus_loader.adapters.postgres.target import PostgresTarget

__all__ = ["PostgresSettings", "PostgresTarget", "open_postgres"]


def open_postgres() -> PostgresTarget:
    """Make the target that the environment describes."""
    return PostgresTarget(PostgresSettings.load())
