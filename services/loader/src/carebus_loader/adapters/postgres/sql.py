"""The SQL of the Postgres target. Identifiers come from our catalog and one setting, and are quoted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from carebus_loader.domain.warehouse.tables import SOURCE, TABLES, Kind, WarehouseTable

LEDGER = "carebus_subject"
UPSERTED = "carebus_upserted"
FLOORS = "carebus_floor"
TYPES: Mapping[Kind, str] = MappingProxyType(
    {
        "whole": "bigint",
        "number": "numeric",
        "text": "character varying",
        "date": "date",
        "timestamp": "timestamp without time zone",
    }
)
"""As ``format_type`` spells them."""
_BYTEWISE = 'COLLATE "C"'
"""Keys are compared by byte: half the time of a locale's rules, and the same on every server."""

LEDGER_COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "source": "character varying",
        "subject": "character varying",
        "held": "text",
        "tombstone": "boolean",
        "jobs": "text",
        "updated_at": "timestamp with time zone",
    }
)
UPSERTED_COLUMNS: Mapping[str, str] = MappingProxyType(
    {"source": "character varying", "subject": "character varying", "held": "text"}
)
FLOOR_COLUMNS: Mapping[str, str] = MappingProxyType(
    {"source": "character varying", "what": "character varying", "v": "bigint", "ord": "bigint"}
)
COLUMNS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {LEDGER: LEDGER_COLUMNS, UPSERTED: UPSERTED_COLUMNS, FLOORS: FLOOR_COLUMNS}
    | {t.name: {column: TYPES[kind] for column, kind in t.kinds.items()} for t in TABLES.values()}
)
"""Columns and types of every table that we need."""
_KEYS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {LEDGER: ("source", "subject"), UPSERTED: ("source", "subject"), FLOORS: ("source", "what")}
    | {t.name: t.key for t in TABLES.values()}
)


def quoted(name: str) -> str:
    """Quote an identifier."""
    return '"' + name.replace('"', '""') + '"'


def listed(names: Iterable[str], prefix: str = "") -> str:
    """Quote identifiers and part them by commas."""
    return ", ".join(prefix + quoted(name) for name in names)


def create_table(schema: str, table: str) -> str:
    """Write the DDL of one of our tables, as OMOP has it plus key columns."""
    key = _KEYS[table]
    lines = [
        f"{quoted(column)} {kind}"
        + (f" {_BYTEWISE}" if column in key and kind == TYPES["text"] else "")
        + (" NOT NULL" if column in key or (table == LEDGER and column != "updated_at") else "")
        + (" DEFAULT now()" if column == "updated_at" else "")
        for column, kind in COLUMNS[table].items()
    ]
    return f"CREATE TABLE {quoted(schema)}.{quoted(table)} ({', '.join(lines)}, PRIMARY KEY ({listed(key)}))"


def stage_name(table: WarehouseTable) -> str:
    """Name the temporary table in which changed rows wait."""
    return f"carebus_stage_{table.name}"


def create_stage(schema: str, table: WarehouseTable) -> str:
    """Write the DDL of a staging table: of this connection only, and empty after each transaction."""
    return (
        f"CREATE TEMPORARY TABLE IF NOT EXISTS {quoted(stage_name(table))} "
        f"(LIKE {quoted(schema)}.{quoted(table.name)}) ON COMMIT DELETE ROWS"
    )


def replace_scopes(schema: str, table: WarehouseTable) -> str:
    """Write the statement that makes scopes ($1 sources, $2 keys) hold exactly the staged rows.

    Staged rows of other scopes are put among what those hold. Rows that are as staged are not touched.
    The rows of the scopes are read once, by the key's index where the table is large. The statement
    returns source, key, inserted, updated, deleted.
    """
    target, scope = f"{quoted(schema)}.{quoted(table.name)}", quoted(table.scope)
    cells = [column for column in table.columns if column not in table.key]
    same_key = " AND ".join(f"m.{quoted(c)} = x.{quoted(c)}" for c in table.key)
    differ = _differ(cells, "m.", "x.")
    conflict = (
        f"DO UPDATE SET {', '.join(f'{quoted(c)} = excluded.{quoted(c)}' for c in cells)} "
        f"WHERE {_differ(cells, 't.', 'excluded.')}"
        if cells
        else "DO NOTHING"
    )
    return f"""
WITH scopes AS (SELECT * FROM unnest($1::varchar[], $2::bigint[]) AS s(source, key)),
mine AS MATERIALIZED (
  SELECT t.ctid AS row_place, t.* FROM scopes s JOIN {target} t ON t.source = s.source AND t.{scope} = s.key
),
gone AS (
  DELETE FROM {target} t USING (
    SELECT m.row_place FROM mine m LEFT JOIN {stage_name(table)} x ON {same_key} WHERE x.source IS NULL
  ) m WHERE t.ctid = m.row_place
  RETURNING t.source, t.{scope} AS key
),
kept AS (
  INSERT INTO {target} AS t ({listed(table.columns)})
  SELECT {listed(table.columns, "x.")} FROM {stage_name(table)} x
  LEFT JOIN mine m ON {same_key} WHERE m.source IS NULL OR {differ}
  ON CONFLICT ({listed(table.key)}) {conflict}
  RETURNING t.source, t.{scope} AS key, t.xmax = 0 AS fresh
)
SELECT source, key, count(*) FILTER (WHERE fresh), count(*) FILTER (WHERE NOT fresh), 0
FROM kept GROUP BY source, key
UNION ALL SELECT source, key, 0, 0, count(*) FROM gone GROUP BY source, key"""


def keep_rows(schema: str, table: WarehouseTable) -> str:
    """Write the statement that stages rows as they stand, so that a replacement leaves them alone.

    They are named by their keys, as JSON arrays ($1).
    """
    cells = ", ".join(
        f"(e->>{place})::{TYPES[table.kinds[column]]} AS {quoted(column)}"
        for place, column in enumerate(table.key)
    )
    same_key = " AND ".join(f"t.{quoted(c)} = k.{quoted(c)}" for c in table.key)
    return f"""
INSERT INTO {stage_name(table)} ({listed(table.columns)})
SELECT {listed(table.columns, "t.")} FROM {quoted(schema)}.{quoted(table.name)} t
JOIN (SELECT {cells} FROM json_array_elements($1::json) e) k ON {same_key}"""


def compare_scopes(schema: str, table: WarehouseTable) -> str:
    """Write the query that tells what ``replace_scopes`` would do with rows given as JSON arrays ($3)."""
    target, scope = f"{quoted(schema)}.{quoted(table.name)}", quoted(table.scope)
    cells = [column for column in table.columns if column not in table.key]
    staged = ", ".join(
        f"(e->>{place})::{TYPES[kind]} AS {quoted(column)}"
        for place, (column, kind) in enumerate(table.kinds.items())
    )
    same_key = " AND ".join(f"t.{quoted(c)} = x.{quoted(c)}" for c in table.key)
    return f"""
WITH x AS (SELECT {staged} FROM json_array_elements($3::json) e),
t AS (
  SELECT t.* FROM {target} t
  JOIN unnest($1::varchar[], $2::bigint[]) AS s(source, key) ON t.source = s.source AND t.{scope} = s.key
)
SELECT coalesce(x.source, t.source), coalesce(x.{scope}, t.{scope}),
  count(*) FILTER (WHERE t.source IS NULL),
  count(*) FILTER (WHERE t.source IS NOT NULL AND x.source IS NOT NULL AND {_differ(cells, "t.", "x.")}),
  count(*) FILTER (WHERE x.source IS NULL)
FROM x FULL JOIN t ON {same_key} GROUP BY 1, 2"""


def delete_scopes(schema: str, table: WarehouseTable) -> str:
    """Write the statement that empties scopes ($1 sources, $2 keys); it returns source, key, deleted."""
    scope = quoted(table.scope)
    return f"""
WITH gone AS (
  DELETE FROM {quoted(schema)}.{quoted(table.name)} t
  USING unnest($1::varchar[], $2::bigint[]) AS s(source, key)
  WHERE t.{quoted(SOURCE)} = s.source AND t.{scope} = s.key RETURNING t.source, t.{scope} AS key
)
SELECT source, key, 0, 0, count(*) FROM gone GROUP BY source, key"""


def _differ(cells: Sequence[str], one: str, other: str) -> str:
    if not cells:
        return "false"
    return f"ROW({listed(cells, one)}) IS DISTINCT FROM ROW({listed(cells, other)})"
