"""The ClickHouse target against raw inserts of the same rows into the same tables, turn about.

PYTHONPATH=tests CAREBUS_TEST_STACK_DIR=.carebus/stack python -m bench.bench_clickhouse
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from typing import Any

import clickhouse_connect

from bench.measuring import median
from bench.warehouse_rounds import SOURCE, Plans, Stopwatch, gibleed_plans
from carebus_contracts.plans import ReadPlan
from carebus_contracts.versions import Version
from carebus_loader.adapters.clickhouse import ClickHouseSettings, ClickHouseTarget
from carebus_loader.adapters.clickhouse.connection import Connection
from carebus_loader.adapters.clickhouse.sql import rows_name, stored
from carebus_loader.domain.warehouse.row_text import json_rows
from carebus_loader.domain.warehouse.tables import TABLES
from carebus_loader.ports import Delivery
from carebus_stack import LocalStack
from support.stack import running_stack

BATCHES = (1_000, 2_000)
"""Persons an insert round; the loader's default is the larger."""


def run(stack: LocalStack, *, rounds: int = 3) -> dict[str, Any]:
    """Measure in a database of its own; rates are rows a second of wall clock, medians of the rounds.

    ``raw``: the same blocks, one insert after the other, nothing else. ``raw_parallel``: as many at once as
    the loader has. ``new``: unknown persons.
    ``again``: the same plans. ``newer``: the same content, newer version. ``changed``: a cell in every
    table of every person. Then the time to count the rows of all views.
    """
    there = stack.endpoints.clickhouse
    settings = ClickHouseSettings(host=there.host, port=there.port, database="omop_bench")
    plans = gibleed_plans()
    return {
        "persons": len(plans.persons),
        "rows": plans.rows,
        **{f"batches_of_{batch}": asyncio.run(_run(settings, plans, rounds, batch)) for batch in BATCHES},
    }


async def _run(settings: ClickHouseSettings, plans: Plans, rounds: int, batch: int) -> dict[str, Any]:
    watch = Stopwatch(settings.port)
    counts: list[float] = []
    client = clickhouse_connect.get_client(**settings.client())
    try:
        for _ in range(rounds):
            await _fresh(client, settings)
            await _raw(settings, plans, watch, batch)
            await _fresh(client, settings)
            await _loader(settings, plans, watch, batch)
            counts.append(_count_views(client, settings, plans))
    finally:
        client.command(f"DROP DATABASE IF EXISTS {settings.database}")
        client.close()
    figures = watch.figures(plans.rows, len(plans.persons))
    shares = {
        f"share_of_{raw}": {
            name: round(it["rows_s"] / figures[raw]["rows_s"], 2) for name, it in figures.items()
        }
        for raw in ("raw", "raw_parallel")
    }
    return {**shares, "count_all_views_s": round(median(counts), 3), **figures}


def _blocks(plans: Plans, batch: int) -> list[list[tuple[str, bytes]]]:
    """Return table and rows of each insert, by round."""
    tail = b',"%b",%d' % (SOURCE.encode(), 1 << 64)
    blocks: list[list[tuple[str, bytes]]] = []
    for part in _parts(plans.persons, batch):
        rows: dict[str, list[bytes]] = {}
        for write in (write for plan in part for write in plan.writes if write.count):
            rows.setdefault(write.table, []).append(json_rows(write, tail))
        blocks.append([(table, b",\n".join(texts)) for table, texts in rows.items()])
    return blocks


async def _raw(settings: ClickHouseSettings, plans: Plans, watch: Stopwatch, batch: int) -> None:
    connection, blocks = await Connection.open(settings), _blocks(plans, batch)
    with watch.lap("raw"):
        for table, block in (block for part in blocks for block in part):
            await connection.insert(rows_name(TABLES[table]), stored(TABLES[table]), [block])
    for table, _ in (block for part in blocks for block in part):
        await connection.command(f"TRUNCATE TABLE {settings.database}.{rows_name(TABLES[table])}", "bench")
    with watch.lap("raw_parallel"):
        for part in blocks:
            await asyncio.gather(
                *(connection.insert(rows_name(TABLES[t]), stored(TABLES[t]), [rows]) for t, rows in part)
            )
    await connection.close()


async def _loader(settings: ClickHouseSettings, plans: Plans, watch: Stopwatch, batch: int) -> None:
    target = ClickHouseTarget(settings)
    await target.start()
    try:
        for name, said, v in (
            ("new", plans.persons, 1),
            ("again", plans.persons, 1),
            ("newer", plans.persons, 2),
            ("changed", plans.changed, 3),
        ):
            with watch.lap(name):
                for part in _parts(said, batch):
                    await target.write([Delivery(plan, Version(v), "bench") for plan in part])
    finally:
        await target.stop()


def _parts(plans: Sequence[ReadPlan], size: int) -> Iterator[Sequence[ReadPlan]]:
    for start in range(0, len(plans), size):
        yield plans[start : start + size]


def _count_views(client: Any, settings: ClickHouseSettings, plans: Plans) -> float:
    query = " UNION ALL ".join(f"SELECT count() AS n FROM {settings.database}.{table}" for table in TABLES)
    began = time.perf_counter()
    found = client.query(f"SELECT sum(n) FROM ({query})").result_rows
    spent = time.perf_counter() - began
    assert found == [(plans.rows,)]
    return spent


async def _fresh(client: Any, settings: ClickHouseSettings) -> None:
    client.command(f"DROP DATABASE IF EXISTS {settings.database}")
    await ClickHouseTarget(settings).prepare()


if __name__ == "__main__":
    with running_stack(("clickhouse",)) as running:
        print(json.dumps(run(running), indent=1))
