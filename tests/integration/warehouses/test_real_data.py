"""All of GiBleed and Synthea27Nj: every row of the source, once, in both warehouses."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from carebus_contracts.omop.bundle import decode_person
from carebus_contracts.omop.catalog import PERSON_TABLES
from carebus_contracts.plans import ReadPlan, read_plan
from carebus_contracts.receipts import Result
from carebus_contracts.versions import Version
from carebus_converter.domain.warehouse import WarehousePlans
from carebus_loader.adapters.clickhouse import ClickHouseSettings, ClickHouseTarget
from carebus_loader.adapters.postgres import PostgresSettings, PostgresTarget
from carebus_loader.ports import Delivery, Target
from carebus_loader.targets import BATCH_SUBJECTS
from support.omop_bundles import GIBLEED, SYNTHEA27NJ, bundles

FOLDERS = {"gibleed": GIBLEED, "synthea27nj": SYNTHEA27NJ}
WAREHOUSES = ("postgres", "clickhouse")


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of one data set in one warehouse."""

    first: Mapping[Result, int]
    """Rows written by result."""
    again: Mapping[Result, int]
    persons_s: float
    counts: Mapping[str, int]
    counts_after: Mapping[str, int]


@pytest.fixture(scope="module", params=list(FOLDERS))
def source(request: pytest.FixtureRequest, shared: Path) -> str:
    """The slug of one data set."""
    return str(request.param)


@pytest.fixture(scope="module")
def source_rows(source: str) -> dict[str, int]:
    """Rows a table whose person is there, counted by another engine from the files."""
    folder, counts = FOLDERS[source], {}
    for table, spec in PERSON_TABLES.items():
        path = folder / f"{table}.parquet"
        if path.exists() and "person_id" in spec.columns:
            query = (
                f"SELECT count(*) FROM '{path}' "
                f"WHERE person_id IN (SELECT person_id FROM '{folder}/person.parquet')"
            )
            ((counts[table],),) = duckdb.execute(query).fetchall()
    return {table: count for table, count in counts.items() if count}


@pytest.fixture(scope="session")
def look(pg: Any, ch: Any, postgres: PostgresSettings, clickhouse: ClickHouseSettings) -> Callable[..., Any]:
    """``await look(warehouse, cells, table, source)``: one row of aggregates."""

    async def look(warehouse: str, cells: str, table: str, source: str) -> Sequence[Any]:
        where = f"WHERE source = '{source}'"
        if warehouse == "postgres":
            row: Sequence[Any] = await pg.fetchrow(
                f"SELECT {cells} FROM {postgres.omop_schema}.{table} {where}"
            )
        else:
            (row,) = ch.query(f"SELECT {cells} FROM {clickhouse.database}.{table} {where}").result_rows
        return row

    return look


@pytest.fixture(scope="module")
async def loaded(
    source: str, postgres: PostgresSettings, clickhouse: ClickHouseSettings, look: Any
) -> Mapping[str, Loaded]:
    """The data set in both warehouses, loaded twice."""
    maker = WarehousePlans()
    plans = [read_plan(maker.plan(decode_person(b), "any")) for b in bundles(FOLDERS[source], source=source)]
    targets: tuple[Target, ...] = (PostgresTarget(postgres), ClickHouseTarget(clickhouse))
    done = {}
    for target in targets:
        await target.start()
        began = time.perf_counter()
        first = await _load(target, plans, Version(1))
        persons_s = len(plans) / (time.perf_counter() - began)
        counts = await _counts(look, target.name, source)
        again = await _load(target, plans, Version(2))
        after = await _counts(look, target.name, source)
        done[target.name] = Loaded(first, again, persons_s, counts, after)
        await target.stop()
    return done


@pytest.mark.parametrize("warehouse", WAREHOUSES)
async def test_every_row_arrives_once(
    loaded: Mapping[str, Loaded], source: str, source_rows: Mapping[str, int], warehouse: str
) -> None:
    """Counts are the source's, repeated record ids included."""
    it = loaded[warehouse]

    assert it.counts == source_rows
    assert it.first == {Result.APPLIED: sum(source_rows.values())}
    if source == "gibleed":
        assert it.counts["drug_exposure"] == 67_707


@pytest.mark.parametrize("warehouse", WAREHOUSES)
async def test_same_data_again_write_no_row(loaded: Mapping[str, Loaded], warehouse: str) -> None:
    """All is unchanged, and stays."""
    it = loaded[warehouse]

    assert it.again == {Result.UNCHANGED: 0}
    assert it.counts_after == it.counts


@pytest.mark.parametrize("warehouse", WAREHOUSES)
async def test_loading_keeps_pace(loaded: Mapping[str, Loaded], source: str, warehouse: str) -> None:
    """200 persons a second, which is more than OpenEMR takes beside it."""
    if source == "gibleed":
        assert loaded[warehouse].persons_s >= 200


async def test_both_warehouses_hold_the_same_cells(
    loaded: Mapping[str, Loaded], source: str, look: Any
) -> None:
    """Column by column: as many values, as many different ones, equal sums and bounds."""
    for table in loaded["postgres"].counts:
        cells = ", ".join(_summary(column, str(kind)) for column, kind in PERSON_TABLES[table].types.items())

        here, there = [await look(warehouse, cells, table, source) for warehouse in WAREHOUSES]

        assert [_plain(cell) for cell in here] == [_plain(cell) for cell in there], table


async def _load(target: Target, plans: Sequence[ReadPlan], version: Version) -> dict[Result, int]:
    size, rows = BATCH_SUBJECTS[target.name], dict[Result, int]()
    for start in range(0, len(plans), size):
        batch = [Delivery(plan, version, "job") for plan in plans[start : start + size]]
        for one in await target.write(batch):
            rows[one.result] = rows.get(one.result, 0) + one.inserted + one.updated + one.deleted
    return rows


async def _counts(look: Any, warehouse: str, source: str) -> dict[str, int]:
    counts = {table: (await look(warehouse, "count(*)", table, source))[0] for table in PERSON_TABLES}
    return {table: count for table, count in counts.items() if count}


def _summary(column: str, kind: str) -> str:
    summary = f"count({column}), count(DISTINCT {column})"
    if "int" in kind or "float" in kind:
        return f"{summary}, coalesce(sum({column}), 0)"
    return f"{summary}, min({column}), max({column})"


def _plain(cell: Any) -> Any:
    if cell is None or isinstance(cell, str) or hasattr(cell, "year"):
        return cell
    return round(float(cell), 3)
