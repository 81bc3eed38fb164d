"""One batch of plans: rows first, scopes last, so that nothing shows before all of it is there."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson

from carebus_contracts.errors import ConstraintViolated, RecordError
from carebus_contracts.plans import ALL_SUBJECTS, PlannedTable
from carebus_contracts.receipts import Result
from carebus_contracts.versions import Version
from carebus_loader.adapters.clickhouse import sql
from carebus_loader.adapters.clickhouse.connection import Connection
from carebus_loader.adapters.clickhouse.row_versions import row_version
from carebus_loader.adapters.clickhouse.standing import (
    Known,
    Scopes,
    hides_below,
    read_floors,
    read_scopes,
)
from carebus_loader.domain.guard import Verdict
from carebus_loader.domain.warehouse.judging import (
    Floors,
    Judgement,
    floor_name,
    in_force,
    judge,
    retirement,
)
from carebus_loader.domain.warehouse.row_text import has_far_dates, has_long_numbers, json_rows
from carebus_loader.domain.warehouse.scopes import Scope, scope_of
from carebus_loader.domain.warehouse.tables import TABLES, WarehouseTable, table_of
from carebus_loader.domain.warehouse.tallies import Tally
from carebus_loader.ports import Delivery, Written


@dataclass(slots=True)
class Inserts:
    """What a batch inserts."""

    rows: defaultdict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    scopes: list[bytes] = field(default_factory=list)


async def load(
    connection: Connection, batch: Sequence[Delivery], *, narrow_dates: bool, dry_run: bool
) -> list[Written]:
    """Write a batch, or with ``dry_run`` tell what that would do; retirements come first."""
    floors = await read_floors(connection, {d.plan.source for d in batch})
    retiring = [d for d in batch if d.plan.subject == ALL_SUBJECTS]
    done = {id(d): await _retire(connection, d, floors, dry_run=dry_run) for d in retiring}
    plans = [(d, scope_of(d.plan)) for d in batch if d.plan.subject != ALL_SUBJECTS]
    for delivery, _ in plans:
        _refuse_odd_cells(delivery.plan.writes, narrow_dates)
    known = await read_scopes(connection, [(scope, d.plan.writes) for d, scope in plans])
    inserts = Inserts()
    for delivery, scope in plans:
        done[id(delivery)] = _collect(inserts, delivery, scope, known, floors)
    if not dry_run:
        await _insert(connection, inserts)
    return [done[id(delivery)] for delivery in batch]


def _refuse_odd_cells(writes: Sequence[PlannedTable], narrow_dates: bool) -> None:
    for write in writes:
        table = table_of(write)
        if has_long_numbers(write, table):
            raise ConstraintViolated(f"rows of {table.name}: a whole number has more than 64 bits")
        if narrow_dates and has_far_dates(write):
            raise ConstraintViolated(f"rows of {table.name}: this server has dates from 1900 to 2299 only")


def _collect(inserts: Inserts, delivery: Delivery, scope: Scope, known: Scopes, floors: Floors) -> Written:
    held = {w.table: known.get((scope.source, scope.key, w.table)) for w in delivery.plan.writes}
    judgement = judge(delivery, {t: k.standing for t, k in held.items() if k}, floors)
    tally = Tally()
    for write in delivery.plan.writes:
        before, table = held[write.table], TABLES[write.table]
        verdict = judgement.verdicts[write.table]
        if verdict in (Verdict.WRITE, Verdict.RAISE):
            row = _scope_row(delivery, scope, write, judgement, before)
            inserts.scopes.append(row)
        if verdict is Verdict.WRITE:
            content = judgement.statements[write.table].hash
            rows = write.count if content else 0
            if rows:
                tail = _tail(table, scope, row_version(delivery.version, content))
                inserts.rows[table.name].append(json_rows(write, tail))
            showed = _rows_showing(scope.source, before, floors)
            tally.add(
                table.name,
                inserted=max(0, rows - showed),
                updated=min(rows, showed),
                deleted=max(0, showed - rows),
            )
    return tally.written(judgement.result)


def _scope_row(
    delivery: Delivery, scope: Scope, write: PlannedTable, judgement: Judgement, before: Known | None
) -> bytes:
    content = judgement.statements[write.table].hash
    version = row_version(delivery.version, content)
    raised = before is not None and judgement.verdicts[write.table] is Verdict.RAISE
    return b'["%b",%b,%d,%d,"%b",%d,%d,%d,%b]' % (
        write.table.encode(),
        orjson.dumps(scope.source),
        scope.key,
        version,
        content.encode(),
        write.count if content else 0,
        before.data_version if raised and before else version,
        not content,
        orjson.dumps(delivery.job_id),
    )


def _rows_showing(source: str, known: Known | None, floors: Floors) -> int:
    if known is None:
        return 0
    held = in_force(source, known.standing, floors)
    return known.rows if held is not None and held.hash else 0


async def _insert(connection: Connection, inserts: Inserts) -> None:
    outcomes = await asyncio.gather(
        *(
            connection.insert(sql.rows_name(TABLES[name]), sql.stored(TABLES[name]), rows)
            for name, rows in inserts.rows.items()
        ),
        return_exceptions=True,
    )
    failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    # Where a server is going down, a complaint about rows proves nothing: trouble of its own comes first.
    for failure in sorted(failures, key=lambda f: isinstance(f, RecordError)):
        raise failure
    if inserts.scopes:
        await connection.insert(sql.SCOPES, sql.SCOPE_CELLS, inserts.scopes)


async def _retire(
    connection: Connection, delivery: Delivery, floors: dict[tuple[str, str], Version], *, dry_run: bool
) -> Written:
    """Raise a floor, which hides at once what is below it; ``tidy`` deletes it later."""
    plan = delivery.plan
    result = retirement(plan, delivery.version, floors)
    if result is not Result.APPLIED:
        return Written(result)
    what = floor_name(plan.of_job)
    limit = hides_below(what, delivery.version)
    tally = Tally()
    for table, rows in await connection.rows(
        sql.count_below(connection.database, plan.source, limit, plan.of_job), "retirement"
    ):
        tally.add(table, deleted=rows)
    if not dry_run:
        row = b"[%b,%b,%d]" % (orjson.dumps(plan.source), orjson.dumps(what), limit)
        await connection.insert(sql.FLOORS, sql.FLOOR_CELLS, [row])
        floors[plan.source, what] = delivery.version
    return tally.written(result)


def _tail(table: WarehouseTable, scope: Scope, version: int) -> bytes:
    own = b"" if len(table.tail) == 1 else b",%d" % scope.key
    return b",%b%b,%d" % (orjson.dumps(scope.source), own, version)
