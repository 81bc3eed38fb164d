"""Preparing, and what a start says when something is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import asyncpg
import clickhouse_connect
import pytest

from carebus_contracts.errors import ConfigurationError, SchemaFrozen, TargetUnavailable
from carebus_loader.adapters.clickhouse import ClickHouseSettings, ClickHouseTarget
from carebus_loader.adapters.postgres import PostgresSettings, PostgresTarget
from carebus_stack import LocalStack
from support.target_suite import put

from .conftest import clickhouse_settings, postgres_settings
from .plans import person_plan


@pytest.fixture
async def empty_schema(stack: LocalStack) -> AsyncIterator[PostgresSettings]:
    """A name that no schema has yet."""
    settings = postgres_settings(stack, f'odd "name" {uuid4().hex[:6]}')
    yield settings
    connection = await asyncpg.connect(**settings.connection())
    quoted = settings.omop_schema.replace('"', '""')
    await connection.execute(f'DROP SCHEMA IF EXISTS "{quoted}" CASCADE')
    await connection.close()


@pytest.fixture
def empty_database(stack: LocalStack) -> Any:
    """A name that no database has yet."""
    settings = clickhouse_settings(stack, f"omop_{uuid4().hex[:6]}")
    yield settings
    client = clickhouse_connect.get_client(**settings.client())
    client.command(f"DROP DATABASE IF EXISTS {settings.database}")


async def test_postgres_that_is_not_prepared_says_how(empty_schema: PostgresSettings) -> None:
    """One sentence with the setting and the command."""
    with pytest.raises(ConfigurationError, match=r"CAREBUS_POSTGRES_SCHEMA.*targets prepare postgres"):
        await PostgresTarget(empty_schema).start()


async def test_clickhouse_that_is_not_prepared_says_how(empty_database: ClickHouseSettings) -> None:
    """One sentence with the setting and the command."""
    with pytest.raises(ConfigurationError, match=r"CAREBUS_CLICKHOUSE_DATABASE.*targets prepare clickhouse"):
        await ClickHouseTarget(empty_database).start()


async def test_two_prepare_postgres_at_once(empty_schema: PostgresSettings) -> None:
    """Both succeed, one of them makes all, and a third finds nothing to do."""
    made = await asyncio.gather(*(PostgresTarget(empty_schema).prepare() for _ in range(2)))
    again = await PostgresTarget(empty_schema).prepare()

    assert sorted(map(bool, made)) == [False, True]
    assert again == []


async def test_two_prepare_clickhouse_at_once(empty_database: ClickHouseSettings) -> None:
    """Both succeed, and a third finds nothing to do."""
    await asyncio.gather(*(ClickHouseTarget(empty_database).prepare() for _ in range(2)))

    assert await ClickHouseTarget(empty_database).prepare() == []


async def test_lost_postgres_column_is_named_and_comes_back(empty_schema: PostgresSettings) -> None:
    """The start says which one; preparing again mends it."""
    target = PostgresTarget(empty_schema)
    await target.prepare()
    connection = await asyncpg.connect(**empty_schema.connection())
    quoted = empty_schema.omop_schema.replace('"', '""')
    await connection.execute(f'ALTER TABLE "{quoted}".drug_exposure DROP COLUMN lot_number')
    await connection.close()

    with pytest.raises(SchemaFrozen, match=r"drug_exposure\.lot_number is missing.*targets prepare"):
        await target.start()
    made = await target.prepare()
    await target.start()
    await target.stop()

    assert len(made) == 1


async def test_lost_clickhouse_column_is_named_and_comes_back(empty_database: ClickHouseSettings) -> None:
    """The start says which one; preparing again mends it."""
    target = ClickHouseTarget(empty_database)
    await target.prepare()
    client = clickhouse_connect.get_client(**empty_database.client())
    client.command(f"ALTER TABLE {empty_database.database}.drug_exposure_rows DROP COLUMN lot_number")

    with pytest.raises(SchemaFrozen, match=r"drug_exposure_rows\.lot_number is missing.*targets prepare"):
        await target.start()
    made = await target.prepare()
    await target.start()
    await target.stop()

    assert len(made) == 1


async def test_postgres_column_of_another_type_is_named(empty_schema: PostgresSettings) -> None:
    """Somebody's own person table is not written to."""
    target = PostgresTarget(empty_schema)
    await target.prepare()
    connection = await asyncpg.connect(**empty_schema.connection())
    quoted = empty_schema.omop_schema.replace('"', '""')
    await connection.execute(f'ALTER TABLE "{quoted}".person ALTER year_of_birth TYPE text')
    await connection.close()

    with pytest.raises(SchemaFrozen, match=r"person\.year_of_birth is .* and not bigint"):
        await target.start()


async def test_wrong_postgres_login_names_the_setting(stack: LocalStack) -> None:
    """At start it is a setting; nobody waits for it to become right."""
    settings = postgres_settings(stack, "omop", password="wrong")

    with pytest.raises(ConfigurationError, match="CAREBUS_POSTGRES_PASSWORD") as refusal:
        await PostgresTarget(settings).start()

    assert "wrong" not in str(refusal.value)


async def test_unknown_postgres_database_names_the_setting(stack: LocalStack) -> None:
    """The same for a database that is not there."""
    settings = postgres_settings(stack, "omop").model_copy(update={"database": "nowhere"})

    with pytest.raises(ConfigurationError, match="CAREBUS_POSTGRES_DATABASE"):
        await PostgresTarget(settings).start()


@pytest.mark.parametrize(
    "target",
    [
        pytest.param(PostgresTarget(PostgresSettings(port=1)), id="postgres"),
        pytest.param(ClickHouseTarget(ClickHouseSettings(port=1)), id="clickhouse"),
    ],
)
async def test_server_that_does_not_answer_is_waited_for(target: Any) -> None:
    """The name of the system is in the error, for the state "waiting for"."""
    with pytest.raises(TargetUnavailable) as refusal:
        await target.start()

    assert refusal.value.system == f"{target.name} at 127.0.0.1:1"


async def test_loader_works_with_rights_on_rows_only(
    stack: LocalStack, empty_schema: PostgresSettings
) -> None:
    """Preparing as owner grants what a loader needs; it can load, and cannot alter a table."""
    role, connection = f"loader_{uuid4().hex[:6]}", await asyncpg.connect(**empty_schema.connection())
    await connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'loads'")
    owner = stack.endpoints.postgres
    settings = postgres_settings(
        stack, empty_schema.omop_schema, password="loads",
        owner_user=owner.user, owner_password=owner.password_file.read_text().strip(),
    ).model_copy(update={"user": role})  # fmt: skip
    target = PostgresTarget(settings)
    try:
        await target.prepare()
        await target.start()
        await put(target, person_plan("s", 1, ["a"]))
        written = await put(target, person_plan("s", 1, ["b"]), v=2)
        await target.stop()
        as_loader = await asyncpg.connect(**settings.connection())
        quoted = settings.omop_schema.replace('"', '""')
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await as_loader.execute(f'ALTER TABLE "{quoted}".person ADD COLUMN x int')
        await as_loader.close()
    finally:
        await connection.execute(f"DROP OWNED BY {role}")
        await connection.execute(f"DROP ROLE {role}")
        await connection.close()

    assert written.updated == 1
