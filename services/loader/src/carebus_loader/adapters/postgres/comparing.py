"""Dry runs: what a batch would do, found by reading alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

import orjson

from carebus_contracts.plans import PlannedTable
from carebus_loader.adapters.postgres import sql
from carebus_loader.adapters.postgres.errors import translated
from carebus_loader.adapters.postgres.ledger import NOTHING, Ledger
from carebus_loader.adapters.postgres.loading import collect, written
from carebus_loader.adapters.postgres.retiring import would_retire
from carebus_loader.adapters.postgres.settings import PostgresSettings
from carebus_loader.adapters.tallies import Tally
from carebus_loader.domain.warehouse.judging import Judgement
from carebus_loader.domain.warehouse.row_text import json_rows
from carebus_loader.domain.warehouse.scopes import Scope, scope_of
from carebus_loader.domain.warehouse.tables import TABLES, WarehouseTable
from carebus_loader.domain.warehouse.upserting import Merge, without
from carebus_loader.ports import Delivery, Written


async def compare(connection: Any, settings: PostgresSettings, batch: Sequence[Delivery]) -> list[Written]:
    """Tell what ``load`` would answer; the transaction that is open reads only."""
    ledger = Ledger(connection, settings.omop_schema)
    floors = await ledger.floors({d.plan.source for d in batch})
    plans = [(d, scope_of(d.plan)) for d in batch if not d.plan.retires]
    entries = await ledger.read([(s.source, s.subject) for _, s in plans], lock=False)
    comparisons = _Comparisons()
    done: dict[int, tuple[Judgement | Merge, Tally]] = {}
    for delivery, scope in plans:
        entry = entries.get((scope.source, scope.subject)) or NOTHING
        tally = Tally()
        said, _ = collect(comparisons, delivery, scope, entry=entry, floors=floors, tally=tally)
        done[id(delivery)] = said, tally
    for name, comparison in comparisons.tables.items():
        with translated(settings, f"rows of {name}"):
            await comparison.run(connection, settings.omop_schema, TABLES[name])
    return [written(*done[id(d)]) if id(d) in done else await would_retire(ledger, d, floors) for d in batch]


class _Comparisons:
    """Takes the changes that a batch would make."""

    def __init__(self) -> None:
        self.tables: defaultdict[str, _Comparison] = defaultdict(_Comparison)

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
        new = rows and without(rows, table, keep) if keep else rows
        self.tables[table.name].add(table, scope, new, tally, stay=len(keep))

    def put(
        self, table: WarehouseTable, scope: Scope, rows: PlannedTable, *, holds: bool, tally: Tally
    ) -> None:
        self.tables[table.name].add(table, scope, rows, tally, stay=None)


class _Comparison:
    """One table's share of a dry run."""

    def __init__(self) -> None:
        self._scopes: dict[tuple[str, int], tuple[Tally, int | None]] = {}
        self._rows: list[bytes] = []

    def add(
        self,
        table: WarehouseTable,
        scope: Scope,
        rows: PlannedTable | None,
        tally: Tally,
        *,
        stay: int | None,
    ) -> None:
        """Take the rows of a scope; of those not among them so many stay, or (None) all."""
        self._scopes[scope.source, scope.key] = tally, stay
        if rows is not None and rows.count:
            self._rows.append(json_rows(rows, _tail(table, scope)))

    async def run(self, connection: Any, schema: str, table: WarehouseTable) -> None:
        """Ask the server, and count."""
        found = await connection.fetch(
            sql.compare_scopes(schema, table),
            [source for source, _ in self._scopes],
            [key for _, key in self._scopes],
            (b"[%b]" % b",".join(self._rows)).decode(),
        )
        for source, key, inserted, updated, others in found:
            tally, stay = self._scopes[source, key]
            tally.add(table.name, inserted, updated, 0 if stay is None else others - stay)


def _tail(table: WarehouseTable, scope: Scope) -> bytes:
    own = b"" if len(table.tail) == 1 else b",%d" % scope.key
    return b",%b%b" % (orjson.dumps(scope.source), own)
