"""A loader with just the rights that `carebus targets grants postgres` names."""

from __future__ import annotations

from uuid import uuid4

import asyncpg
import pytest

from carebus_loader.adapters.postgres import PostgresSettings, PostgresTarget
from support.target_suite import put

from .plans import person_plan, retired_plan


async def test_loader_with_least_rights_loads_and_cannot_change_tables(postgres: PostgresSettings) -> None:
    """It writes, rewrites and retires; dropping, altering, emptying and making tables are refused."""
    user, password = f"least_{uuid4().hex[:8]}", uuid4().hex
    owner = await asyncpg.connect(**postgres.connection(owner=True))
    await owner.execute(f"CREATE ROLE {user} LOGIN PASSWORD '{password}'")
    try:
        for statement in PostgresTarget(postgres).grants(user):
            await owner.execute(statement)
        least = PostgresSettings(**{**postgres.model_dump(), "user": user, "password": password})
        target = PostgresTarget(least)
        await target.start()
        try:
            first = await put(target, person_plan("least", 1, ["a", "b"]))
            again = await put(target, person_plan("least", 1, ["a", "c"]), v=2)
            retired = await put(target, retired_plan("least", 1), v=3)
        finally:
            await target.stop()
        connection = await asyncpg.connect(**least.connection())
        schema = least.omop_schema
        for statement in (
            f"DROP TABLE {schema}.person",
            f"ALTER TABLE {schema}.person ADD COLUMN x INT",
            f"TRUNCATE {schema}.person",
            f"CREATE TABLE {schema}.mine (id INT)",
            f"DROP SCHEMA {schema} CASCADE",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
        await connection.close()
    finally:
        await owner.execute(f"DROP OWNED BY {user}; DROP ROLE {user}")
        await owner.close()

    assert [w.result.value for w in (first, again, retired)] == ["applied"] * 3
