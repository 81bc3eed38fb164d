"""What arrived where: counts asked of the targets themselves, and how to look further."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pymysql
import pymysql.cursors

from carebus_stack.endpoints import Endpoints

OMOP_TABLES = (
    "person",
    "observation_period",
    "visit_occurrence",
    "condition_occurrence",
    "drug_exposure",
    "procedure_occurrence",
    "measurement",
    "observation",
    "condition_era",
    "drug_era",
)
OPENEMR_COUNTS = {
    "patient_data": "SELECT count(*) FROM patient_data",
    "lists (problems)": "SELECT count(*) FROM lists WHERE type = 'medical_problem'",
    "lists (medications)": "SELECT count(*) FROM lists WHERE type = 'medication'",
    "lists (allergies)": "SELECT count(*) FROM lists WHERE type = 'allergy'",
    "prescriptions": "SELECT count(*) FROM prescriptions",
    "immunizations": "SELECT count(*) FROM immunizations",
    "form_vitals": "SELECT count(*) FROM form_vitals",
    "procedure_order": "SELECT count(*) FROM procedure_order",
    "procedure_report": "SELECT count(*) FROM procedure_report",
    "procedure_result": "SELECT count(*) FROM procedure_result",
    "lists (surgeries)": "SELECT count(*) FROM lists WHERE type = 'surgery'",
    "form_encounter": "SELECT count(*) FROM form_encounter",
    "uuid_registry": "SELECT count(*) FROM uuid_registry",
}


@dataclass(frozen=True, slots=True)
class Arrived:
    """One target: its counts, and what a person types to look into it."""

    target: str
    counts: dict[str, int]
    connect: str
    example: str


def openemr_reader(endpoints: Endpoints, database: str) -> Callable[..., list[dict[str, Any]]]:
    """Return a function that queries OpenEMR's tables."""
    maria = endpoints.mariadb

    def read(query: str, *arguments: Any) -> list[dict[str, Any]]:
        connection = pymysql.connect(
            host=maria.host,
            port=maria.port,
            user=maria.user,
            password=maria.password,
            database=database,
            charset="utf8mb4",
            cursorclass=pymysql.cursors.DictCursor,
        )
        with connection, connection.cursor() as cursor:
            cursor.execute(query, arguments)
            return list(cursor.fetchall())

    return read


def in_openemr(endpoints: Endpoints, database: str = "openemr") -> Arrived:
    """Count what stands in OpenEMR."""
    read = openemr_reader(endpoints, database)
    counts = {name: int(next(iter(read(query)[0].values()))) for name, query in OPENEMR_COUNTS.items()}
    maria = endpoints.mariadb
    return Arrived(
        "openemr",
        counts,
        f"mariadb -h {maria.host} -P {maria.port} -u {maria.user} "
        f'-p"$(cat {maria.password_file})" {database}',
        "SELECT title, count(*) AS patients FROM lists WHERE type = 'medical_problem' "
        "GROUP BY title ORDER BY patients DESC LIMIT 5;",
    )


def in_postgres(endpoints: Endpoints, schema: str = "omop") -> Arrived:
    """Count what stands in Postgres."""
    pg = endpoints.postgres

    async def count() -> dict[str, int]:
        connection = await asyncpg.connect(
            host=pg.host, port=pg.port, user=pg.user, password=pg.password, database=pg.database
        )
        try:
            query = f'SELECT count(*) FROM "{schema}".'
            return {table: await connection.fetchval(query + table) for table in OMOP_TABLES}
        finally:
            await connection.close()

    return Arrived(
        "postgres",
        asyncio.run(count()),
        f'PGPASSWORD="$(cat {pg.password_file})" psql -h {pg.host} -p {pg.port} -U {pg.user} {pg.database}',
        "SELECT c.concept_name, count(DISTINCT o.person_id) AS persons "
        f"FROM {schema}.condition_occurrence o JOIN {schema}.concept c "
        "ON (c.source, c.concept_id) = (o.source, o.condition_concept_id) "
        "GROUP BY 1 ORDER BY 2 DESC LIMIT 5;",
    )


def in_clickhouse(endpoints: Endpoints) -> Arrived:
    """Count what stands in ClickHouse."""
    house = endpoints.clickhouse
    counts = {
        table: int(
            httpx.post(
                house.url,
                content=f"SELECT count() FROM {house.database}.{table}",
                timeout=60,
                trust_env=False,
            )
            .raise_for_status()
            .text
        )
        for table in OMOP_TABLES
    }
    return Arrived(
        "clickhouse",
        counts,
        f"curl {house.url} --data-binary @-",
        "SELECT intDiv(toYear(drug_exposure_start_date), 10) * 10 AS decade, uniq(person_id) AS persons "
        f"FROM {house.database}.drug_exposure GROUP BY decade ORDER BY decade",
    )


def in_documents(folder: Path) -> Arrived:
    """Count the documents, and name one."""
    documents = sorted(folder.glob("*/*/person-*/*.xml"))
    example = str(documents[0]) if documents else ""
    return Arrived("documents", {"C-CDA": len(documents)}, f"ls {folder}", example)
