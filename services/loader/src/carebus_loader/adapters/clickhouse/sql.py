"""The SQL of the ClickHouse target. Identifiers come from our catalog and one setting, and are quoted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from carebus_loader.domain.warehouse.tables import CHUNK, SOURCE, TABLES, Kind, WarehouseTable

SCOPES = "carebus_scope"
FLOORS = "carebus_floor"
VERSION = "_version"
TYPES: Mapping[Kind, str] = MappingProxyType(
    {
        "whole": "Int64",
        "number": "Float64",
        "text": "String",
        "date": "Date32",
        "timestamp": "DateTime64(6, 'UTC')",
    }
)
_BOOKS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        SCOPES: {
            "table": "LowCardinality(String)",
            "source": "LowCardinality(String)",
            "scope_key": "Int64",
            "version": "UInt128",
            "hash": "String",
            "rows": "UInt64",
            "data_version": "UInt128",
            "tombstone": "UInt8",
            "last_job": "String",
            "written_at": "DateTime DEFAULT now()",
        },
        FLOORS: {
            "source": "LowCardinality(String)",
            "what": "String",
            "hides_below": "UInt128",
            "written_at": "DateTime DEFAULT now()",
        },
    }
)
_KEYS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {SCOPES: ("table", "source", "scope_key"), FLOORS: ("source", "what")}
)
SCOPE_CELLS = tuple(column for column in _BOOKS[SCOPES] if column != "written_at")
FLOOR_CELLS = tuple(column for column in _BOOKS[FLOORS] if column != "written_at")


def rows_name(table: WarehouseTable) -> str:
    """Name the table under a view."""
    return f"{table.name}_rows"


def upserts_name(table: WarehouseTable) -> str:
    """Name the table of the rows that were put one by one; reference tables have one."""
    return f"{table.name}_upserts"


def stored(table: WarehouseTable) -> tuple[str, ...]:
    """Return the columns in the order in which rows are sent."""
    return (*table.columns, VERSION)


def _types(table: WarehouseTable) -> dict[str, str]:
    types = {
        column: TYPES[kind] if column in table.key else f"Nullable({TYPES[kind]})"
        for column, kind in table.kinds.items()
    }
    return types | {SOURCE: "LowCardinality(String)", VERSION: "UInt128"}


REFERENCE = tuple(table for table in TABLES.values() if table.scope == CHUNK)
COLUMNS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    dict(_BOOKS)
    | {rows_name(table): _types(table) for table in TABLES.values()}
    | {upserts_name(table): _types(table) for table in REFERENCE}
)
"""Columns and types of every table that we need."""


def quoted(name: str) -> str:
    """Quote an identifier."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def literal(text: str) -> str:
    """Quote a string."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def place(database: str, table: str) -> str:
    """Name a table with its database."""
    return f"{quoted(database)}.{quoted(table)}"


def listed(names: Iterable[str], prefix: str = "") -> str:
    """Quote identifiers and part them by commas."""
    return ", ".join(prefix + quoted(name) for name in names)


def create_book(database: str, book: str) -> str:
    """Write the DDL of a bookkeeping table; of rows with one key the newest counts."""
    version = "version" if book == SCOPES else "hides_below"
    columns = ", ".join(f"{quoted(name)} {kind}" for name, kind in _BOOKS[book].items())
    return (
        f"CREATE TABLE IF NOT EXISTS {place(database, book)} ({columns}) "
        f"ENGINE = ReplacingMergeTree({version}) ORDER BY ({listed(_KEYS[book])})"
    )


def create_rows(database: str, table: WarehouseTable) -> str:
    """Write the DDL of a table of rows.

    The version is part of the key, so that rows of another version never push out those that count
    (docs/adr/0002); what merges is the same row written twice.
    """
    columns = ", ".join(f"{quoted(name)} {kind}" for name, kind in _types(table).items())
    return (
        f"CREATE TABLE IF NOT EXISTS {place(database, rows_name(table))} ({columns}) "
        f"ENGINE = ReplacingMergeTree({VERSION}) ORDER BY ({listed((*table.key, VERSION))})"
    )


def create_upserts(database: str, table: WarehouseTable) -> str:
    """Write the DDL of a table of rows that were put one by one: of each the newest stays."""
    columns = ", ".join(f"{quoted(name)} {kind}" for name, kind in _types(table).items())
    return (
        f"CREATE TABLE IF NOT EXISTS {place(database, upserts_name(table))} ({columns}) "
        f"ENGINE = ReplacingMergeTree({VERSION}) ORDER BY ({listed(table.key)})"
    )


def create_view(database: str, table: WarehouseTable) -> str:
    """Write the DDL of the view that shows exactly the rows that count.

    A join and not an IN, because a condition on the person then reaches both sides. A row that was
    put stands before one of the same key that came with its whole chunk.
    """
    select = (
        f"SELECT {', '.join(f'r.{quoted(c)} AS {quoted(c)}' for c in table.columns)} "
        f"FROM {place(database, rows_name(table))} AS r FINAL "
        f"INNER JOIN ({counting_scopes(database, table)}) AS s "
        f"USING ({listed((SOURCE, table.scope, VERSION))})"
    )
    if table.scope == CHUNK:
        select += (
            f" WHERE ({listed(table.key, 'r.')}) NOT IN ({counting_upserts(database, table, table.key)}) "
            f"UNION ALL {counting_upserts(database, table, table.columns)}"
        )
    return f"CREATE OR REPLACE VIEW {place(database, table.name)} AS {select}"


def counting_upserts(
    database: str, table: WarehouseTable, columns: Iterable[str], *, but_not: bool = False, since: str = "1"
) -> str:
    """Write the query for those rows of ``<table>_upserts`` that count, or do not.

    Those count that are newer than the last statement about their whole chunk, and than the
    retirement of their source. Retired jobs are of no account: what one put may serve all others.
    """
    ground = (
        f"SELECT source, scope_key AS {quoted(table.scope)}, bitShiftRight(version, 32) AS ground "
        f"FROM {place(database, SCOPES)} FINAL WHERE `table` = {literal(table.name)} AND {since}"
    )
    counts = (
        f"bitShiftRight(u.{VERSION}, 32) > "
        "greatest(ifNull(g.ground, 0), bitShiftRight(floors[concat(u.source, '/*')], 32))"
    )
    return (
        f"{_floors(database, since)} "
        f"SELECT {', '.join(f'u.{quoted(c)} AS {quoted(c)}' for c in columns)} "
        f"FROM {place(database, upserts_name(table))} AS u FINAL "
        f"LEFT JOIN ({ground}) AS g USING ({listed((SOURCE, table.scope))}) "
        f"WHERE {'NOT ' if but_not else ''}({counts})"
    )


def delete_upserts(database: str, table: WarehouseTable, seconds: int) -> str:
    """Write the mutation that deletes rows that were put and have not counted for some time."""
    return (
        f"ALTER TABLE {place(database, upserts_name(table))} DELETE "
        f"WHERE ({listed((*table.key, VERSION))}) IN ({lost_upserts(database, table, seconds)})"
    )


def lost_upserts(database: str, table: WarehouseTable, seconds: int) -> str:
    """Write the query for key and version of those rows."""
    since = f"written_at <= now() - {seconds}"
    return counting_upserts(database, table, (*table.key, VERSION), but_not=True, since=since)


def read_upserts(database: str, table: WarehouseTable, source: str, keys: Iterable[int]) -> str:
    """Write the query for chunk, version and record key of all rows that were put into these chunks."""
    cells = listed((table.scope, *table.key[2:]))
    return (
        f"SELECT toString({VERSION}), {cells} FROM {place(database, upserts_name(table))} FINAL "
        f"WHERE source = {literal(source)} AND {quoted(table.scope)} IN ({', '.join(map(str, keys))})"
    )


def read_chunks(database: str, table: WarehouseTable, source: str, keys: Iterable[int]) -> str:
    """Write the query for chunk and cells, in the order of a plan, of the rows that these chunks show."""
    return (
        f"SELECT {listed((table.scope, *table.planned))} FROM {place(database, table.name)} "
        f"WHERE source = {literal(source)} AND {quoted(table.scope)} IN ({', '.join(map(str, keys))})"
    )


def count_mixed_chunks(database: str, table: WarehouseTable, source: str, keys: Iterable[int]) -> str:
    """Write the query for how many rows those of these chunks show into which rows were put."""
    chunks = f"{quoted(table.scope)} IN ({', '.join(map(str, keys))})"
    put = (
        f"SELECT {quoted(table.scope)} FROM {place(database, upserts_name(table))} "
        f"WHERE source = {literal(source)} AND {chunks}"
    )
    return (
        f"SELECT {quoted(table.scope)}, count() FROM {place(database, table.name)} "
        f"WHERE source = {literal(source)} AND {quoted(table.scope)} IN ({put}) GROUP BY {quoted(table.scope)}"
    )


def count_upserts(database: str, source: str, limit: int) -> str:
    """Write the query for how many rows that were put the floor of a source would hide."""
    return " UNION ALL ".join(
        f"SELECT {literal(table.name)} AS t, count() AS n "
        f"FROM ({counting_upserts(database, table, (SOURCE, VERSION))}) "
        f"WHERE source = {literal(source)} AND {VERSION} < {limit} HAVING n > 0"
        for table in REFERENCE
    )


def counting_scopes(database: str, table: WarehouseTable) -> str:
    """Write the query for source, scope and version of the rows that count."""
    return (
        f"{_floors(database)} SELECT source, scope_key AS {quoted(table.scope)}, data_version AS {VERSION} "
        f"FROM {place(database, SCOPES)} FINAL "
        f"WHERE `table` = {literal(table.name)} AND tombstone = 0 AND {_ABOVE_FLOORS}"
    )


def superseded_rows(database: str, table: WarehouseTable, seconds: int) -> str:
    """Write the query for source, scope and version of rows that have not counted for some time.

    Rows newer than their scope stay: they belong to a batch whose scope is yet to be written.
    """
    key = (SOURCE, table.scope)
    since = f"written_at <= now() - {seconds}"
    return (
        f"SELECT r.source, r.{quoted(table.scope)}, r.{VERSION} FROM "
        f"(SELECT DISTINCT {listed((*key, VERSION))} FROM {place(database, rows_name(table))}) AS r "
        f"INNER JOIN ({_floors(database, since)} "
        f"SELECT source, scope_key AS {quoted(table.scope)}, version, data_version, "
        f"tombstone = 0 AND {_ABOVE_FLOORS} AS counts FROM {place(database, SCOPES)} FINAL "
        f"WHERE `table` = {literal(table.name)} AND {since}) AS s USING ({listed(key)}) "
        f"WHERE r.{VERSION} <= s.version AND NOT (s.counts AND r.{VERSION} = s.data_version)"
    )


def delete_superseded(database: str, table: WarehouseTable, seconds: int) -> str:
    """Write the mutation that deletes those rows."""
    return (
        f"ALTER TABLE {place(database, rows_name(table))} DELETE "
        f"WHERE ({listed((SOURCE, table.scope, VERSION))}) IN ({superseded_rows(database, table, seconds)})"
    )


def read_scopes(database: str, source: str, tables: Iterable[str], keys: Iterable[int]) -> str:
    """Write the query for what is held of these scopes in these tables."""
    names = ", ".join(literal(table) for table in tables)
    numbers = ", ".join(map(str, keys))
    return (
        "SELECT source, `table`, scope_key, toUInt64(bitShiftRight(version, 64)), "
        "toUInt32(bitAnd(bitShiftRight(version, 32), 4294967295)), hash, rows, "
        "toString(data_version), last_job "
        f"FROM {place(database, SCOPES)} FINAL "
        f"WHERE `table` IN ({names}) AND source = {literal(source)} AND scope_key IN ({numbers})"
    )


def read_floors(database: str, sources: Iterable[str]) -> str:
    """Write the query for the floors of these sources."""
    names = ", ".join(literal(source) for source in sources)
    return (
        f"SELECT source, what, toString(hides_below) FROM {place(database, FLOORS)} FINAL "
        f"WHERE source IN ({names})"
    )


def count_below(database: str, source: str, limit: int, last_job: str) -> str:
    """Write the query for the persons that a floor would hide, and for how many rows table by table."""
    of_job = f" AND last_job = {literal(last_job)}" if last_job else ""
    hidden = (
        f"FROM {place(database, SCOPES)} FINAL WHERE source = {literal(source)} AND version < {limit} "
        f"AND tombstone = 0{of_job} AND {_ABOVE_FLOORS}"
    )
    return (
        f"{_floors(database)} SELECT '' AS t, uniqExact(scope_key) AS n {hidden} AND {_OF_PERSONS} UNION ALL "
        f"{_floors(database)} SELECT `table` AS t, sum(rows) AS n {hidden} "
        "GROUP BY `table` HAVING sum(rows) > 0"
    )


def vanished(database: str, source: str, limit: int) -> str:
    """Write the query for the persons who are there, and of whom nothing is as new as ``limit``."""
    return (
        f"{_floors(database)} SELECT scope_key FROM {place(database, SCOPES)} FINAL "
        f"WHERE source = {literal(source)} AND {_OF_PERSONS} GROUP BY scope_key "
        f"HAVING max(version) < {limit} AND countIf(tombstone = 0 AND {_ABOVE_FLOORS}) > 0"
    )


def count_vanished(database: str, source: str, limit: int) -> str:
    """Write the query for the persons of ``vanished``, and for their rows table by table."""
    gone = vanished(database, source, limit)
    return (
        f"SELECT '' AS t, count() AS n FROM ({gone}) UNION ALL "
        f"{_floors(database)} SELECT `table` AS t, sum(rows) AS n FROM {place(database, SCOPES)} FINAL "
        f"WHERE source = {literal(source)} AND {_OF_PERSONS} AND tombstone = 0 AND {_ABOVE_FLOORS} "
        f"AND scope_key IN ({gone}) GROUP BY `table` HAVING sum(rows) > 0"
    )


def retire_vanished(database: str, source: str, limit: int, job_id: str) -> str:
    """Write the statement that says of the persons of ``vanished`` that no table holds rows."""
    cells = f"`table`, source, scope_key, {limit}, '', 0, {limit}, 1, {literal(job_id)}"
    return (
        f"INSERT INTO {place(database, SCOPES)} ({listed(SCOPE_CELLS)}) "
        f"SELECT {cells} FROM {place(database, SCOPES)} FINAL "
        f"WHERE source = {literal(source)} AND {_OF_PERSONS} "
        f"AND scope_key IN ({vanished(database, source, limit)})"
    )


_OF_PERSONS = "`table` IN ({})".format(
    ", ".join(literal(t.name) for t in TABLES.values() if t.scope != CHUNK)
)
_ABOVE_FLOORS = "version >= greatest(floors[concat(source, '/*')], floors[concat(source, '/job/', last_job)])"


def _floors(database: str, condition: str = "1") -> str:
    return (
        "WITH (SELECT mapFromArrays(groupArray(concat(source, '/', what)), groupArray(hides_below)) "
        f"FROM {place(database, FLOORS)} FINAL WHERE {condition}) AS floors"
    )
