"""Dry runs: what a batch would do, found by reading alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import orjson

from carebus_contracts.plans import ALL_SUBJECTS
from carebus_loader.adapters.postgres import sql
from carebus_loader.adapters.postgres.errors import translated
from carebus_loader.adapters.postgres.ledger import Ledger
from carebus_loader.adapters.postgres.settings import PostgresSettings
from carebus_loader.adapters.tallies import Tally
from carebus_loader.domain.guard import Verdict
from carebus_loader.domain.warehouse.judging import Judgement, judge, retirement
from carebus_loader.domain.warehouse.row_text import json_rows
from carebus_loader.domain.warehouse.scopes import Scope, scope_of
from carebus_loader.domain.warehouse.tables import TABLES, WarehouseTable, table_of
from carebus_loader.ports import Delivery, Written


async def compare(connection: Any, settings: PostgresSettings, batch: Sequence[Delivery]) -> list[Written]:
    """Tell what ``load`` would answer; the transaction that is open reads only.

    Of a retirement the count of rows is not told: it would cost as much as the retirement.
    """
    ledger = Ledger(connection, settings.omop_schema)
    floors = await ledger.floors({d.plan.source for d in batch})
    plans = [(d, scope_of(d.plan)) for d in batch if d.plan.subject != ALL_SUBJECTS]
    entries = await ledger.read([(s.source, s.subject) for _, s in plans], lock=False)
    wanted: defaultdict[str, _Comparison] = defaultdict(_Comparison)
    done: dict[int, tuple[Judgement, Tally]] = {}
    for delivery, scope in plans:
        entry = entries.get((scope.source, scope.subject))
        standing = entry.standing() if entry else {}
        judgement = judge(delivery.plan, delivery.version, delivery.job_id, standing, floors)
        done[id(delivery)] = judgement, (tally := Tally())
        for write in delivery.plan.writes:
            table = table_of(write)
            if judgement.verdicts[table.name] is Verdict.WRITE:
                rows = json_rows(write, _tail(table, scope)) if judgement.statements[table.name].hash else b""
                wanted[table.name].add(scope, rows, tally)
    for name, comparison in wanted.items():
        with translated(settings, f"rows of {name}"):
            await comparison.run(connection, settings.omop_schema, TABLES[name])
    return [
        done[id(d)][1].written(done[id(d)][0].result)
        if id(d) in done
        else Written(retirement(d.plan, d.version, floors))
        for d in batch
    ]


class _Comparison:
    """One table's share of a dry run."""

    def __init__(self) -> None:
        self._scopes: dict[tuple[str, int], Tally] = {}
        self._rows: list[bytes] = []

    def add(self, scope: Scope, rows: bytes, tally: Tally) -> None:
        self._scopes[scope.source, scope.key] = tally
        if rows:
            self._rows.append(rows)

    async def run(self, connection: Any, schema: str, table: WarehouseTable) -> None:
        found = await connection.fetch(
            sql.compare_scopes(schema, table),
            [source for source, _ in self._scopes],
            [key for _, key in self._scopes],
            (b"[%b]" % b",".join(self._rows)).decode(),
        )
        for source, key, inserted, updated, deleted in found:
            self._scopes[source, key].add(table.name, inserted, updated, deleted)


def _tail(table: WarehouseTable, scope: Scope) -> bytes:
    own = b"" if len(table.tail) == 1 else b",%d" % scope.key
    return b",%b%b" % (orjson.dumps(scope.source), own)
