"""A schema and a database of these tests' own, prepared once and dropped at the end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import asyncpg
import clickhouse_connect
import pytest

from carebus_loader.adapters.clickhouse import ClickHouseSettings, ClickHouseTarget
from carebus_loader.adapters.postgres import PostgresSettings, PostgresTarget
from carebus_stack import LocalStack


def postgres_settings(stack: LocalStack, schema: str, **more: Any) -> PostgresSettings:
    """Settings of the stack's Postgres."""
    there = stack.endpoints.postgres
    return PostgresSettings(
        host=there.host, port=there.port, user=there.user, database=there.database,
        omop_schema=schema, **{"password": there.password_file.read_text().strip(), **more},
    )  # fmt: skip


def clickhouse_settings(stack: LocalStack, database: str, **more: Any) -> ClickHouseSettings:
    """Settings of the stack's ClickHouse."""
    there = stack.endpoints.clickhouse
    return ClickHouseSettings(host=there.host, port=there.port, database=database, **more)


@pytest.fixture(scope="session")
async def postgres(stack: LocalStack) -> AsyncIterator[PostgresSettings]:
    """A prepared schema."""
    settings = postgres_settings(stack, f"omop_{uuid4().hex[:8]}")
    await PostgresTarget(settings).prepare()
    yield settings
    connection = await asyncpg.connect(**settings.connection(owner=True))
    await connection.execute(f"DROP SCHEMA {settings.omop_schema} CASCADE")
    await connection.close()


@pytest.fixture(scope="session")
async def clickhouse(stack: LocalStack) -> AsyncIterator[ClickHouseSettings]:
    """A prepared database, where rows that no longer count are deleted at once."""
    settings = clickhouse_settings(stack, f"omop_{uuid4().hex[:8]}", tidy_after_s=0)
    await ClickHouseTarget(settings).prepare()
    yield settings
    client = clickhouse_connect.get_client(**settings.client())
    client.command(f"DROP DATABASE {settings.database}")
    client.close()


@pytest.fixture(scope="session")
async def pg(postgres: PostgresSettings) -> AsyncIterator[Any]:
    """A connection to look with."""
    connection = await asyncpg.connect(**postgres.connection())
    yield connection
    await connection.close()


@pytest.fixture(scope="session")
def ch(clickhouse: ClickHouseSettings) -> Any:
    """A client to look with."""
    return clickhouse_connect.get_client(**clickhouse.client())
