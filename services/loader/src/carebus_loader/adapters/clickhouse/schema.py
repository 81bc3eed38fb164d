"""Making tables and views with owner rights, and checking them with a loader's."""

from __future__ import annotations

from collections.abc import Mapping

from carebus_contracts.errors import ConfigurationError, SchemaFrozen
from carebus_loader.adapters.clickhouse import sql
from carebus_loader.adapters.clickhouse.connection import Connection
from carebus_loader.adapters.clickhouse.errors import PREPARE
from carebus_loader.adapters.clickhouse.settings import ClickHouseSettings
from carebus_loader.domain.warehouse.tables import TABLES


async def check(connection: Connection) -> None:
    """Compare the tables with what we know.

    Raises:
        ConfigurationError: Nothing was prepared yet.
        SchemaFrozen: A table, view or column is missing or of another type.
    """
    database = connection.database
    found = await _found(connection)
    if not found:
        raise ConfigurationError(
            f"database {database!r} (CAREBUS_CLICKHOUSE_DATABASE) is not prepared: {PREPARE}"
        )
    for table, columns in sql.COLUMNS.items():
        if table not in found:
            raise SchemaFrozen(f"table {database}.{table} is missing: {PREPARE}")
        for column, kind in columns.items():
            there, wanted = found[table].get(column), kind.partition(" DEFAULT")[0]
            if there is None:
                raise SchemaFrozen(f"column {database}.{table}.{column} is missing: {PREPARE}")
            if there != wanted:
                raise SchemaFrozen(
                    f"column {database}.{table}.{column} is {there} and not {wanted}: "
                    f"move the table out of the way and {PREPARE}"
                )
    for view in TABLES:
        if view not in found:
            raise SchemaFrozen(f"view {database}.{view} is missing: {PREPARE}")


async def has_narrow_dates(connection: Connection) -> bool:
    """Whether this server cuts dates before 1900 in silence, as releases did for long."""
    rows = await connection.rows("SELECT toString(toDate32('1850-03-04'))", "start", starting=True)
    return rows != [["1850-03-04"]]


async def make(connection: Connection) -> list[str]:
    """Make what is missing, and say what was made; every statement may run twice, and twice at once."""
    database = connection.database
    before = await _found(connection)
    if not before:
        await _make(connection, f"CREATE DATABASE IF NOT EXISTS {sql.quoted(database)}")
    made = [f"clickhouse: made {database}.{name}" for name in (*sql.COLUMNS, *TABLES) if name not in before]
    for book in (sql.SCOPES, sql.FLOORS):
        await _make(connection, sql.create_book(database, book))
    for table in TABLES.values():
        await _make(connection, sql.create_rows(database, table))
    for table in sql.REFERENCE:
        await _make(connection, sql.create_upserts(database, table))
    for name, columns in sql.COLUMNS.items():
        for column in columns.keys() - before.get(name, columns).keys():
            add = f"ADD COLUMN IF NOT EXISTS {sql.quoted(column)} {columns[column]}"
            await _make(connection, f"ALTER TABLE {sql.place(database, name)} {add}")
            made.append(f"clickhouse: added column {database}.{name}.{column}")
    for table in TABLES.values():
        await _make(connection, sql.create_view(database, table))
    settings = connection.settings
    if settings.owner_user and settings.owner_user != settings.user:
        for statement in grants(settings, settings.user):
            await _make(connection, statement)
    return made


def grants(settings: ClickHouseSettings, user: str) -> list[str]:
    """Return the statements that give a user the rights of a loader; deleting is for `targets prepare`."""
    return [f"GRANT SELECT, INSERT ON {sql.quoted(settings.database)}.* TO {sql.quoted(user)}"]


async def tidy(connection: Connection) -> list[str]:
    """Delete rows that have not counted for some time: superseded, retired or left by a crash."""
    removed: list[str] = []
    after = connection.settings.tidy_after_s
    for table in TABLES.values():
        found = await connection.rows(
            f"SELECT count() FROM ({sql.superseded_rows(connection.database, table, after)})", "tidying"
        )
        if found[0][0]:
            statement = sql.delete_superseded(connection.database, table, after)
            await connection.command(statement, "tidying", mutations_sync=1)
            removed.append(
                f"clickhouse: deleted what no longer counts of {found[0][0]} scopes in {table.name}"
            )
    for table in sql.REFERENCE:
        lost = sql.lost_upserts(connection.database, table, after)
        found = await connection.rows(f"SELECT count() FROM ({lost})", "tidying")
        if found[0][0]:
            statement = sql.delete_upserts(connection.database, table, after)
            await connection.command(statement, "tidying", mutations_sync=1)
            removed.append(f"clickhouse: deleted {found[0][0]} rows that no longer count in {table.name}")
    return removed


async def _make(connection: Connection, statement: str) -> None:
    await connection.command(statement, "prepare", starting=True)


async def _found(connection: Connection) -> Mapping[str, Mapping[str, str]]:
    rows = await connection.rows(
        f"SELECT table, name, type FROM system.columns WHERE database = {sql.literal(connection.database)}",
        "start",
        starting=True,
    )
    found: dict[str, dict[str, str]] = {}
    for table, column, kind in rows:
        found.setdefault(table, {})[column] = kind
    return found
