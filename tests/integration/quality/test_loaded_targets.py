"""GiBleed and Synthea27Nj, loaded by the real adapters: both warehouses fail exactly where the files fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import clickhouse_connect
import duckdb
import pytest

from carebus_contracts.jobs import ExtractJob
from carebus_contracts.plans import read_plan
from carebus_contracts.versions import Version
from carebus_converter.domain.warehouse import WarehousePlans
from carebus_extractor.settings import ExtractorSettings
from carebus_loader.adapters.clickhouse import ClickHouseTarget
from carebus_loader.adapters.postgres import PostgresTarget
from carebus_loader.ports import Delivery, Target
from carebus_loader.targets import BATCH_SUBJECTS
from carebus_quality import settings
from carebus_quality.comparing import Comparison, compare
from carebus_quality.engines import ClickHouseEngine, Engine, PostgresEngine, open_source
from carebus_stack import LocalStack
from integration.warehouses.conftest import clickhouse_settings, postgres_settings
from support.omop_bundles import GIBLEED, SYNTHEA27NJ
from unit.extractor.extracting import extract

FOLDERS = {"gibleed": GIBLEED, "synthea27nj": SYNTHEA27NJ}
WAREHOUSES = ("postgres", "clickhouse")


@pytest.fixture(scope="module")
async def engines(
    stack: LocalStack, shared: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Mapping[str, Any]]:
    """Settings to read by, of a schema and a database of these tests' own with both data sets."""
    name = f"quality_{uuid4().hex[:8]}"
    postgres, clickhouse = postgres_settings(stack, name), clickhouse_settings(stack, name)
    targets: tuple[Target, ...] = (PostgresTarget(postgres), ClickHouseTarget(clickhouse))
    for target in targets:
        await target.prepare()
        await target.start()
        for slug, folder in FOLDERS.items():
            await _load(target, slug, folder, shared, tmp_path_factory.mktemp("stage"))
        await target.stop()
    there, password = stack.endpoints.postgres, stack.endpoints.postgres.password_file.read_text().strip()
    yield {
        "postgres": settings.PostgresSettings(
            host=there.host, port=there.port, user=there.user, database=there.database,
            omop_schema=name, password=password,
        ),
        "clickhouse": settings.ClickHouseSettings(
            host=stack.endpoints.clickhouse.host, port=stack.endpoints.clickhouse.port, database=name
        ),
    }  # fmt: skip
    connection = await asyncpg.connect(**postgres.connection(owner=True))
    await connection.execute(f"DROP SCHEMA {name} CASCADE")
    await connection.close()
    clickhouse_connect.get_client(**clickhouse.client()).command(f"DROP DATABASE {name}")


async def _load(target: Target, slug: str, folder: Path, shared: Path, stage: Path) -> None:
    job = ExtractJob.model_validate(
        {
            "kind": "extract", "source": slug, "targets": [target.name],
            "omop": {"format": "parquet", "path": str(folder)},
        }
    )  # fmt: skip
    source = extract(job, ExtractorSettings(allowed_roots=(str(shared),), stage_dir=stage))
    maker, size = WarehousePlans(), BATCH_SUBJECTS[target.name]
    plans = [read_plan(maker.plan(one, target.name)) for one in (*source.reference, *source.bundles)]
    for start in range(0, len(plans), size):
        await target.write([Delivery(plan, Version(1), "job") for plan in plans[start : start + size]])


def _engine(found: Mapping[str, Any], warehouse: str, slug: str) -> Engine:
    if warehouse == "postgres":
        return PostgresEngine(found["postgres"], slug)
    return ClickHouseEngine(found["clickhouse"], slug)


async def _compared(engines: Mapping[str, Any], warehouse: str, slug: str) -> Comparison:
    def run() -> Comparison:
        with open_source(FOLDERS[slug], "parquet") as source:
            return compare(source, _engine(engines, warehouse, slug), slug=slug)

    return await asyncio.to_thread(run)


@pytest.mark.parametrize("warehouse", WAREHOUSES)
@pytest.mark.parametrize("slug", FOLDERS)
async def test_a_target_fails_exactly_where_its_source_fails(
    engines: Mapping[str, Any], warehouse: str, slug: str
) -> None:
    """Every table has the rows that travel, every check their failures."""
    found = await _compared(engines, warehouse, slug)

    assert [one for one in found.rows if not one.agrees] == []
    assert [(one.check.name, one.travelled, one.target) for one in found.outcomes if not one.agrees] == []
    assert sum(one.target for one in found.rows) > 10_000


BY_HAND = {
    "isPrimaryKey drug_exposure.drug_exposure_id": "SELECT count(*) - count(DISTINCT drug_exposure_id) FROM d",
    "isForeignKey drug_exposure.visit_occurrence_id": (
        "SELECT count(*) FROM d ANTI JOIN v USING (visit_occurrence_id) WHERE visit_occurrence_id IS NOT NULL"
    ),
    "isForeignKey observation_period.person_id": "SELECT count(*) FROM o ANTI JOIN p USING (person_id)",
    "isStandardValidConcept drug_exposure.drug_concept_id": (
        "SELECT count(*) FROM d SEMI JOIN (SELECT concept_id FROM c WHERE standard_concept IS DISTINCT FROM 'S' "
        "OR invalid_reason IS NOT NULL) odd ON drug_concept_id = concept_id WHERE drug_concept_id <> 0"
    ),
    "withinVisitDates drug_exposure.drug_exposure_start_date": (
        "SELECT count(*) FROM d JOIN v USING (visit_occurrence_id) WHERE drug_exposure_start_date "
        "NOT BETWEEN visit_start_date - 7 AND visit_end_date + 7"
    ),
    "measurePersonCompleteness procedure_occurrence": (
        "SELECT count(*) FROM p ANTI JOIN pr USING (person_id)"
    ),
}
"""Counts of the same, over the files alone and without our statements."""


@pytest.mark.parametrize("slug", FOLDERS)
def test_checks_count_what_other_queries_count(shared: Path, slug: str) -> None:
    """Joins of other kinds over the files give the same failures."""
    connection = duckdb.connect()
    for alias, table in {
        "d": "drug_exposure", "v": "visit_occurrence", "o": "observation_period", "p": "person", "c": "concept",
        "pr": "procedure_occurrence",
    }.items():  # fmt: skip
        connection.execute(f"CREATE VIEW {alias} AS FROM '{FOLDERS[slug]}/{table}.parquet'")
    with open_source(FOLDERS[slug], "parquet") as source:
        found = {one.check.name: one.source for one in compare(source, source, slug=slug).outcomes}

    expected = {name: connection.execute(sql).fetchall()[0][0] for name, sql in BY_HAND.items()}

    assert {name: found[name] for name in BY_HAND} == expected
