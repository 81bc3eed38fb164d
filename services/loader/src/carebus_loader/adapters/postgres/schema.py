"""Making the tables with owner rights, and checking them with a loader's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from carebus_contracts.errors import ConfigurationError, SchemaFrozen
from carebus_loader.adapters.postgres import sql
from carebus_loader.adapters.postgres.errors import PREPARE
from carebus_loader.adapters.postgres.locks import advisory_key
from carebus_loader.adapters.postgres.settings import PostgresSettings

_FOUND = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND c.relname = ANY($2::text[])"""


async def check(connection: Any, settings: PostgresSettings) -> None:
    """Compare the tables with what we know.

    Raises:
        ConfigurationError: Nothing was prepared yet.
        SchemaFrozen: A table or column is missing or of another type.
    """
    found = await _found(connection, settings.omop_schema)
    if not found:
        raise ConfigurationError(
            f"schema {settings.omop_schema!r} (CAREBUS_POSTGRES_SCHEMA) is not prepared: {PREPARE}"
        )
    for table, columns in sql.COLUMNS.items():
        if table not in found:
            raise SchemaFrozen(f"table {settings.omop_schema}.{table} is missing: {PREPARE}")
        for column, kind in columns.items():
            there = found[table].get(column)
            if there is None:
                raise SchemaFrozen(f"column {settings.omop_schema}.{table}.{column} is missing: {PREPARE}")
            if there != kind and not (kind == "character varying" and there == "text"):
                raise SchemaFrozen(
                    f"column {settings.omop_schema}.{table}.{column} is {there} and not {kind}: "
                    f"move the table out of the way and {PREPARE}"
                )


async def make(connection: Any, settings: PostgresSettings) -> list[str]:
    """Make what is missing, and say what was made; two at once wait for each other."""
    schema = settings.omop_schema
    made: list[str] = []
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", advisory_key("prepare", schema))
        if not await connection.fetchval("SELECT 1 FROM pg_namespace WHERE nspname = $1", schema):
            await connection.execute(f"CREATE SCHEMA {sql.quoted(schema)}")
            made.append(f"postgres: made schema {schema}")
        found = await _found(connection, schema)
        for table, columns in sql.COLUMNS.items():
            if table not in found:
                await connection.execute(sql.create_table(schema, table))
                made.append(f"postgres: made table {schema}.{table}")
                continue
            for column, kind in columns.items():
                if column not in found[table]:
                    place = f"{sql.quoted(schema)}.{sql.quoted(table)}"
                    await connection.execute(f"ALTER TABLE {place} ADD COLUMN {sql.quoted(column)} {kind}")
                    made.append(f"postgres: added column {schema}.{table}.{column}")
        if settings.owner_user and settings.owner_user != settings.user:
            await _grant(connection, settings)
    return made


async def _found(connection: Any, schema: str) -> Mapping[str, Mapping[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for table, column, kind in await connection.fetch(_FOUND, schema, list(sql.COLUMNS)):
        found.setdefault(table, {})[column] = kind
    return found


async def _grant(connection: Any, settings: PostgresSettings) -> None:
    """Give the loader rights on rows; temporary tables are open to everybody by Postgres' default."""
    for statement in row_grants(settings, settings.user):
        await connection.execute(statement)


def row_grants(settings: PostgresSettings, user: str) -> list[str]:
    """Return the statements that give a user rights on rows, and none on tables."""
    schema, name = sql.quoted(settings.omop_schema), sql.quoted(user)
    tables = ", ".join(f"{schema}.{sql.quoted(table)}" for table in sql.COLUMNS)
    return [
        f"GRANT USAGE ON SCHEMA {schema} TO {name}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {tables} TO {name}",
    ]


def grants(settings: PostgresSettings, user: str) -> list[str]:
    """Return all that a loader's user needs, also where the defaults of Postgres were taken away."""
    database = f"GRANT CONNECT, TEMPORARY ON DATABASE {sql.quoted(settings.database)} TO {sql.quoted(user)}"
    return [database, *row_grants(settings, user)]
