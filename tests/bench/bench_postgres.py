"""The Postgres target against COPY of the same rows into the same keyed tables, turn about.

PYTHONPATH=tests CAREBUS_TEST_STACK_DIR=.carebus/stack python -m bench.bench_postgres
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import asyncpg

from bench.warehouse_rounds import SOURCE, Plans, Stopwatch, gibleed_plans
from carebus_contracts.plans import ReadPlan
from carebus_contracts.versions import Version
from carebus_loader.adapters.postgres import PostgresSettings, PostgresTarget
from carebus_loader.adapters.postgres.rows import copy
from carebus_loader.domain.warehouse.row_text import csv_rows
from carebus_loader.domain.warehouse.tables import TABLES
from carebus_loader.ports import Delivery
from carebus_stack import LocalStack
from support.stack import running_stack

BATCH = 500
"""Persons a transaction, as the loader takes them."""


def run(stack: LocalStack, *, rounds: int = 3) -> dict[str, Any]:
    """Measure in a schema of its own; rates are rows a second of wall clock, medians of the rounds.

    ``new``: unknown persons. ``again``: the same plans. ``newer``: the same content, newer version.
    ``changed``: a cell in every table of every person. ``few_changed``: in one person of a hundred.
    """
    there = stack.endpoints.postgres
    settings = PostgresSettings(
        host=there.host, port=there.port, user=there.user, database=there.database,
        password=there.password_file.read_text().strip(), omop_schema="omop_bench",
    )  # fmt: skip
    return asyncio.run(_run(settings, gibleed_plans(), rounds))


async def _run(settings: PostgresSettings, plans: Plans, rounds: int) -> dict[str, Any]:
    watch = Stopwatch(settings.port)
    connection = await asyncpg.connect(**settings.connection(owner=True))
    try:
        for _ in range(rounds):
            await _fresh(connection, settings)
            await _raw(connection, settings, plans, watch)
            await _fresh(connection, settings)
            await _loader(settings, plans, watch)
    finally:
        await connection.execute(f"DROP SCHEMA IF EXISTS {settings.omop_schema} CASCADE")
        await connection.close()
    figures = watch.figures(plans.rows, len(plans.persons))
    raw = figures["raw"]["rows_s"]
    shares = {name: round(figures[name]["rows_s"] / raw, 2) for name in figures}
    return {"persons": len(plans.persons), "rows": plans.rows, "share_of_raw": shares, **figures}


async def _raw(connection: Any, settings: PostgresSettings, plans: Plans, watch: Stopwatch) -> None:
    """COPY each table once: all rows in one statement, and one commit for all."""
    rows: dict[str, list[bytes]] = {}
    for plan in plans.persons:
        for write in plan.writes:
            if text := csv_rows(write, b',"%b"' % SOURCE.encode()):
                rows.setdefault(write.table, []).append(text)
    with watch.lap("raw"):
        async with connection.transaction():
            for table, texts in rows.items():
                await copy(connection, table, TABLES[table].columns, texts, schema=settings.omop_schema)


async def _loader(settings: PostgresSettings, plans: Plans, watch: Stopwatch) -> None:
    pairs = zip(plans.persons, plans.changed, strict=True)
    few = [changed if number % 100 == 0 else plan for number, (plan, changed) in enumerate(pairs)]
    target = PostgresTarget(settings)
    await target.start()
    try:
        await _lap(target, watch, "new", plans.persons, 1)
        await _lap(target, watch, "again", plans.persons, 1)
        await _lap(target, watch, "newer", plans.persons, 2)
        await _lap(target, watch, "few_changed", few, 3)
        await _lap(target, watch, "changed", plans.changed, 4)
    finally:
        await target.stop()


async def _lap(
    target: PostgresTarget, watch: Stopwatch, name: str, plans: Sequence[ReadPlan], v: int
) -> None:
    with watch.lap(name):
        for start in range(0, len(plans), BATCH):
            part = plans[start : start + BATCH]
            await target.write([Delivery(plan, Version(v), "bench") for plan in part])


async def _fresh(connection: Any, settings: PostgresSettings) -> None:
    await connection.execute(f"DROP SCHEMA IF EXISTS {settings.omop_schema} CASCADE")
    await PostgresTarget(settings).prepare()
    await connection.execute("CHECKPOINT")


if __name__ == "__main__":
    with running_stack(("postgres",)) as running:
        print(json.dumps(run(running), indent=1))
