"""Retiring many subjects: a source, what one job wrote last, or the persons that a source no longer has."""

from __future__ import annotations

import orjson

from carebus_contracts.plans import ALL_PERSONS
from carebus_contracts.receipts import Result
from carebus_contracts.versions import Version
from carebus_loader.adapters.clickhouse import sql
from carebus_loader.adapters.clickhouse.connection import Connection
from carebus_loader.adapters.clickhouse.standing import hides_below
from carebus_loader.adapters.tallies import Tally
from carebus_loader.domain.warehouse.judging import floor_of, retirement
from carebus_loader.ports import Delivery, Written


async def retire(
    connection: Connection, delivery: Delivery, floors: dict[tuple[str, str], Version], *, dry_run: bool
) -> Written:
    """Raise a floor, which hides at once what is below it; ``tidy`` deletes it later.

    Vanished persons get tombstones, as a floor cannot tell them from those who are there.
    """
    plan = delivery.plan
    result = retirement(plan, delivery.version, floors)
    if result is Result.STALE or (result is Result.UNCHANGED and plan.subject != ALL_PERSONS):
        return Written(result)
    limit = hides_below(floor_of(plan), delivery.version)
    tally = await _count(connection, delivery, limit)
    if not dry_run:
        row = b"[%b,%b,%d]" % (orjson.dumps(plan.source), orjson.dumps(floor_of(plan)), limit)
        await connection.insert(sql.FLOORS, sql.FLOOR_CELLS, [row])
        floors[plan.source, floor_of(plan)] = delivery.version
        if plan.subject == ALL_PERSONS and tally.persons:
            statement = sql.retire_vanished(connection.database, plan.source, limit, delivery.job_id)
            await connection.command(statement, "retirement", async_insert=0)
    return tally.written(Result.APPLIED if tally.persons else result)


async def _count(connection: Connection, delivery: Delivery, limit: int) -> Tally:
    plan, tally = delivery.plan, Tally()
    if plan.subject == ALL_PERSONS:
        query = sql.count_vanished(connection.database, plan.source, limit)
    else:
        query = sql.count_below(connection.database, plan.source, limit, plan.of_job)
    for table, count in await connection.rows(query, "retirement"):
        if table:
            tally.add(table, deleted=count)
        else:
            tally.persons = count
    if plan.subject != ALL_PERSONS and not plan.of_job:
        query = sql.count_upserts(connection.database, plan.source, limit)
        for table, count in await connection.rows(query, "retirement"):
            tally.add(table, deleted=count)
    return tally
