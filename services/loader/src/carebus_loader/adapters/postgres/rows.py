"""Rows into tables: COPY where a scope holds none yet, staging and a guarded replacement where it does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from carebus_contracts.plans import PlannedTable
from carebus_loader.adapters.postgres import sql
from carebus_loader.adapters.postgres.errors import translated
from carebus_loader.adapters.postgres.settings import PostgresSettings
from carebus_loader.adapters.tallies import Tally
from carebus_loader.domain.warehouse.row_text import csv_cell, csv_rows
from carebus_loader.domain.warehouse.scopes import Scope
from carebus_loader.domain.warehouse.tables import TABLES, WarehouseTable
from carebus_loader.domain.warehouse.upserting import without

_COPY_CHUNK = 1 << 20


@dataclass(slots=True)
class TableChanges:
    """What a batch does to one table."""

    fresh: list[bytes] = field(default_factory=list)
    """Rows of scopes that hold none yet."""
    staged: list[bytes] = field(default_factory=list)
    scopes: dict[tuple[str, int], Tally] = field(default_factory=dict)
    """Scopes that hold rows, and are to hold exactly those in ``staged`` and ``kept``."""
    kept: list[Any] = field(default_factory=list)
    """Keys of rows in these scopes that stay as they are."""
    puts: dict[tuple[str, int], Tally] = field(default_factory=dict)
    """Scopes that hold rows, to which those in ``staged`` are added."""


class TakesChanges(Protocol):
    """What is told the changes of a batch, to carry them out or to compare."""

    def write(
        self,
        table: WarehouseTable,
        scope: Scope,
        rows: PlannedTable | None,
        *,
        holds: bool,
        tally: Tally,
        keep: Collection[str] = (),
    ) -> None:
        """Note that a scope is to hold exactly these rows.

        Args:
            table: Where.
            scope: Whose.
            rows: None, or a write without rows, empties the scope.
            holds: Whether the scope may hold rows now.
            tally: Where to count.
            keep: Keys of rows that stay whatever the new ones say (``upserting.Rows``).
        """

    def put(
        self, table: WarehouseTable, scope: Scope, rows: PlannedTable, *, holds: bool, tally: Tally
    ) -> None:
        """Note rows that are to be put among those of a scope; arguments as those of ``write``."""


@dataclass(slots=True)
class Changes:
    """What a batch does to all tables; see ``TakesChanges``."""

    tables: dict[str, TableChanges] = field(default_factory=dict)

    def write(
        self,
        table: WarehouseTable,
        scope: Scope,
        rows: PlannedTable | None,
        *,
        holds: bool,
        tally: Tally,
        keep: Collection[str] = (),
    ) -> None:
        """Note that a scope is to hold exactly these rows."""
        change = self.tables.setdefault(table.name, TableChanges())
        if keep:
            change.kept += ([scope.source, scope.key, *orjson.loads(key)] for key in keep)
            rows = without(rows, table, keep) if rows is not None else None
        text = csv_rows(rows, _tail(table, scope)) if rows is not None else b""
        if holds:
            change.scopes[scope.source, scope.key] = tally
            if text:
                change.staged.append(text)
        elif text and rows is not None:
            change.fresh.append(text)
            tally.add(table.name, inserted=rows.count)

    def put(
        self, table: WarehouseTable, scope: Scope, rows: PlannedTable, *, holds: bool, tally: Tally
    ) -> None:
        """Note rows that are to be put among those of a scope."""
        if not holds:
            self.write(table, scope, rows, holds=False, tally=tally)
        elif text := csv_rows(rows, _tail(table, scope)):
            change = self.tables.setdefault(table.name, TableChanges())
            change.staged.append(text)
            change.puts[scope.source, scope.key] = tally


async def apply(connection: Any, settings: PostgresSettings, changes: Changes) -> None:
    """Carry out changes, a few round trips a table whatever the number of rows."""
    schema = settings.omop_schema
    changed = [table for name, table in TABLES.items() if name in changes.tables]
    await _make_stages(connection, schema, [t for t in changed if _stages(changes.tables[t.name])])
    for table in changed:
        change = changes.tables[table.name]
        with translated(settings, f"rows of {table.name}"):
            if change.fresh:
                await copy(connection, table.name, table.columns, change.fresh, schema=schema)
            if change.staged:
                await copy(connection, sql.stage_name(table), table.columns, change.staged)
            if change.kept:
                await connection.execute(sql.keep_rows(schema, table), orjson.dumps(change.kept).decode())
            if change.scopes or change.puts:
                statement = sql.replace_scopes if _stages(change) else sql.delete_scopes
                await _count(connection, statement(schema, table), table, change)


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


def _stages(change: TableChanges) -> bool:
    return bool(change.staged or change.kept)


async def _make_stages(connection: Any, schema: str, tables: Sequence[WarehouseTable]) -> None:
    if tables:
        await connection.execute(";".join(sql.create_stage(schema, table) for table in tables))


async def _count(connection: Any, statement: str, table: WarehouseTable, change: TableChanges) -> None:
    scopes, tallies = change.scopes, change.scopes | change.puts
    rows = await connection.fetch(statement, [s for s, _ in scopes], [k for _, k in scopes])
    for source, key, inserted, updated, deleted in rows:
        tallies[source, key].add(table.name, inserted, updated, deleted)


def _tail(table: WarehouseTable, scope: Scope) -> bytes:
    own = b"" if len(table.tail) == 1 else b",%d" % scope.key
    return b",%b%b" % (csv_cell(scope.source), own)
