"""Rows that are put among others of their chunk, in tables where the newest of each key stays."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from carebus_contracts.plans import PlannedTable
from carebus_loader.adapters.clickhouse import sql
from carebus_loader.adapters.clickhouse.connection import Connection
from carebus_loader.adapters.clickhouse.row_versions import hash_bits, held_of, row_version
from carebus_loader.adapters.clickhouse.standing import Scopes
from carebus_loader.adapters.tallies import Tally
from carebus_loader.domain.guard import Held
from carebus_loader.domain.warehouse.judging import Floors
from carebus_loader.domain.warehouse.scopes import Scope
from carebus_loader.domain.warehouse.tables import TABLES, Kind, WarehouseTable, table_of
from carebus_loader.domain.warehouse.upserting import (
    above,
    ground_of,
    hashes,
    keyed,
    merge,
    record_key,
    upsert_of,
)
from carebus_loader.ports import Delivery, Written

_VERSION_DIGITS = 8
"""Of a row's hash stand in its version; two contents of one version that share them are as good as one."""
_MIDNIGHT = "0000-00-00 00:00:00.000000"


@dataclass(frozen=True, slots=True)
class Chunks:
    """What stands in the chunks that a batch puts rows into."""

    rows: Mapping[tuple[str, str, int], Mapping[str, Held]]
    """By table, source and chunk: the rows that were put, by their key."""
    shown: Mapping[tuple[str, str, int], Mapping[str, Sequence[Any]]]
    """The cells that people see, by key."""


async def read_chunks(connection: Connection, plans: Iterable[tuple[Delivery, Scope]]) -> Chunks:
    """Read what stands where these plans put rows, two queries a table and source."""
    wanted: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for delivery, scope in plans:
        if write := upsert_of(delivery.plan):
            wanted[write.table, scope.source].append(scope.key)
    rows: defaultdict[tuple[str, str, int], dict[str, Held]] = defaultdict(dict)
    shown: defaultdict[tuple[str, str, int], dict[str, Sequence[Any]]] = defaultdict(dict)
    for (name, source), keys in wanted.items():
        table = TABLES[name]
        query = sql.read_upserts(connection.database, table, source, keys)
        for version, chunk, *key in await connection.rows(query, f"rows of {name}"):
            rows[name, source, chunk][orjson.dumps(key).decode()] = held_of(int(version))
        places = [table.planned.index(column) for column in record_key(table)]
        query = sql.read_chunks(connection.database, table, source, keys)
        for chunk, *cells in await connection.rows(query, f"rows of {name}"):
            shown[name, source, chunk][orjson.dumps([cells[p] for p in places]).decode()] = cells
    return Chunks(rows, shown)


def collect(
    delivery: Delivery, write: PlannedTable, scope: Scope, *, known: Scopes, floors: Floors, chunks: Chunks
) -> tuple[list[bytes], Written]:
    """Return the rows to insert for an upsert, and what becomes of it.

    A row that says the same as before is inserted with its newer version, and counts as unchanged.
    """
    table = table_of(write)
    place = table.name, scope.source, scope.key
    before = known.get((scope.source, scope.key, table.name))
    ground = ground_of(scope.source, before.standing if before else None, floors)
    standing = chunks.rows.get(place, {})
    merged = merge(
        standing if ground is None else above(standing, ground),
        ground,
        delivery.version,
        {key: content[:_VERSION_DIGITS] for key, content in hashes(write, table).items()},
    )
    lines: list[bytes] = []
    tally = Tally()
    version, shown = row_version(delivery.version), chunks.shown.get(place, {})
    tail = b",%b,%d," % (orjson.dumps(scope.source), scope.key)
    for key, line in keyed(write, table):
        if key not in merged.put and key not in merged.raised:
            continue
        lines.append(b"%b%b%d]" % (line[:-1], tail, version | hash_bits(merged.noted[key].hash)))
        if key not in shown:
            tally.add(table.name, inserted=1)
        elif not _same(table, orjson.loads(line), shown[key]):
            tally.add(table.name, updated=1)
    return lines, tally.written(merged.result(changed=bool(tally.inserted + tally.updated)))


async def count_shown(
    connection: Connection, plans: Iterable[tuple[Delivery, Scope]]
) -> dict[tuple[str, str, int], int]:
    """Count what chunks show that these plans replace and into which rows were put."""
    wanted: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for delivery, scope in plans:
        for write in delivery.plan.writes:
            if write.kind != "upsert":
                wanted[write.table, scope.source].append(scope.key)
    return {
        (name, source, chunk): count
        for (name, source), keys in wanted.items()
        for chunk, count in await connection.rows(
            sql.count_mixed_chunks(connection.database, TABLES[name], source, keys), f"rows of {name}"
        )
    }


def _same(table: WarehouseTable, said: Sequence[Any], shown: Sequence[Any]) -> bool:
    return all(
        _plain(table.kinds[column], one) == _plain(table.kinds[column], other)
        for column, one, other in zip(table.planned, said, shown, strict=True)
    )


def _plain(kind: Kind, cell: Any) -> Any:
    """Return a cell of a plan or of the server's JSON so that equal ones compare as equal."""
    if cell is None:
        return None
    if kind == "number":
        return float(cell)
    if kind == "timestamp":
        text = str(cell).replace("T", " ")
        return text + _MIDNIGHT[len(text) :]
    return cell
