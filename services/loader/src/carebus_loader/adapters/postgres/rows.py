"""Rows into tables: COPY where a scope holds none yet, staging and a guarded replacement where it does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from carebus_contracts.plans import PlannedTable
from carebus_loader.adapters.postgres import sql
from carebus_loader.adapters.postgres.errors import translated
from carebus_loader.adapters.postgres.settings import PostgresSettings
from carebus_loader.adapters.tallies import Tally
from carebus_loader.domain.warehouse.row_text import csv_cell, csv_rows
from carebus_loader.domain.warehouse.scopes import Scope
from carebus_loader.domain.warehouse.tables import TABLES, WarehouseTable

_COPY_CHUNK = 1 << 20


@dataclass(slots=True)
class TableChanges:
    """What a batch does to one table."""

    fresh: list[bytes] = field(default_factory=list)
    """Rows of scopes that hold none yet."""
    staged: list[bytes] = field(default_factory=list)
    scopes: dict[tuple[str, int], Tally] = field(default_factory=dict)
    """Scopes that hold rows, and are to hold exactly those in ``staged``."""


@dataclass(slots=True)
class Changes:
    """What a batch does to all tables."""

    tables: dict[str, TableChanges] = field(default_factory=dict)

    def write(
        self, table: WarehouseTable, scope: Scope, rows: PlannedTable | None, *, holds: bool, tally: Tally
    ) -> None:
        """Note that a scope is to hold exactly these rows.

        Args:
            table: Where.
            scope: Whose.
            rows: None, or a write without rows, empties the scope.
            holds: Whether the scope may hold rows now.
            tally: Where to count.
        """
        change = self.tables.setdefault(table.name, TableChanges())
        text = csv_rows(rows, _tail(table, scope)) if rows is not None else b""
        if holds:
            change.scopes[scope.source, scope.key] = tally
            if text:
                change.staged.append(text)
        elif text and rows is not None:
            change.fresh.append(text)
            tally.add(table.name, inserted=rows.count)


async def apply(connection: Any, settings: PostgresSettings, changes: Changes) -> None:
    """Carry out changes, a few round trips a table whatever the number of rows."""
    schema = settings.omop_schema
    changed = [table for name, table in TABLES.items() if name in changes.tables]
    await _make_stages(connection, schema, [t for t in changed if changes.tables[t.name].staged])
    for table in changed:
        change = changes.tables[table.name]
        with translated(settings, f"rows of {table.name}"):
            if change.fresh:
                await copy(connection, table.name, table.columns, change.fresh, schema=schema)
            if change.staged:
                await copy(connection, sql.stage_name(table), table.columns, change.staged)
            if change.scopes:
                statement = sql.replace_scopes if change.staged else sql.delete_scopes
                await _count(connection, statement(schema, table), table, change.scopes)


async def copy(
    connection: Any,
    table: str,
    columns: Iterable[str],
    rows: Sequence[bytes],
    *,
    schema: str | None = None,
) -> None:
    """Send rows as ``csv_rows`` writes them."""
    await connection.copy_to_table(
        table,
        schema_name=schema,
        columns=list(columns),
        source=_chunks(rows),
        format="csv",
        null="null",
        quote='"',
        escape="\\",
    )


async def _chunks(rows: Sequence[bytes]) -> AsyncIterator[bytes]:
    chunk: list[bytes] = []
    size = 0
    for text in rows:
        chunk.append(text)
        size += len(text)
        if size >= _COPY_CHUNK:
            yield b"".join(chunk)
            chunk, size = [], 0
    if chunk:
        yield b"".join(chunk)


async def _make_stages(connection: Any, schema: str, tables: Sequence[WarehouseTable]) -> None:
    if tables:
        await connection.execute(";".join(sql.create_stage(schema, table) for table in tables))


async def _count(
    connection: Any, statement: str, table: WarehouseTable, scopes: dict[tuple[str, int], Tally]
) -> None:
    rows = await connection.fetch(statement, [s for s, _ in scopes], [k for _, k in scopes])
    for source, key, inserted, updated, deleted in rows:
        scopes[source, key].add(table.name, inserted, updated, deleted)


def _tail(table: WarehouseTable, scope: Scope) -> bytes:
    own = b"" if len(table.tail) == 1 else b",%d" % scope.key
    return b",%b%b" % (csv_cell(scope.source), own)
