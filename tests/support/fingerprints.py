"""What stands in the targets, in a form that two runs can be compared by, row by row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pymysql

from carebus_contracts.omop.catalog import PERSON_TABLES, REFERENCE_TABLES
from carebus_loader.domain.document_names import current_document

OMOP_TABLES = (*PERSON_TABLES, *REFERENCE_TABLES)

HANDED_OUT = {
    "id", "pid", "patient_id", "encounter", "encounter_id", "form_id", "list_id", "prescription_id",
    "procedure_order_id", "procedure_report_id", "procedure_result_id", "foreign_id", "table_id",
    "provider_id", "administered_by_id", "providerID", "facility_id",
}  # fmt: skip
"""Numbers that OpenEMR hands out: they depend on the order of arrival, so rows are compared without them."""
CLOCKS = {
    "modifydate",
    "last_updated",
    "last_update",
    "updated_date",
    "regdate",
    "created",
    "create_date",
    "update_date",
}
"""When a row came, by OpenEMR's clock."""
CLOCKS_OF = {"patient_data": {"date"}, "lists": {"date"}, "prescriptions": {"date_added", "date_modified"}}
"""Columns that are clocks in one table and clinical in another."""
OF_PERSONS = {
    "uuid_mapping": " WHERE t.`table` <> 'facility'",
    "uuid_registry": " WHERE t.table_name NOT IN ('facility', 'procedure_providers') AND NOT EXISTS "
    "(SELECT 1 FROM uuid_mapping m WHERE m.uuid = t.uuid AND m.`table` = 'facility')",
}
"""The facility and the laboratory have a random uuid in each database, as OpenEMR would give them."""
OPENEMR_TABLES = (
    "patient_data", "form_encounter", "forms", "lists", "lists_medication", "prescriptions", "immunizations",
    "uuid_registry", "uuid_mapping", "issue_encounter", "history_data", "form_vitals",
    "procedure_order", "procedure_order_code", "procedure_report", "procedure_result",
)  # fmt: skip


async def postgres_rows(settings: Mapping[str, str]) -> dict[str, str]:
    """Return count and digest of each OMOP table."""
    schema = settings["CAREBUS_POSTGRES_SCHEMA"]
    connection = await asyncpg.connect(
        host=settings["CAREBUS_POSTGRES_HOST"],
        port=int(settings["CAREBUS_POSTGRES_PORT"]),
        user=settings["CAREBUS_POSTGRES_USER"],
        password=Path(settings["CAREBUS_POSTGRES_PASSWORD_FILE"]).read_text().strip(),
        database=settings["CAREBUS_POSTGRES_DATABASE"],
    )
    try:
        return {
            table: await connection.fetchval(
                f"SELECT count(*) || ' ' || coalesce(md5(string_agg(h, '' ORDER BY h)), '') "
                f'FROM (SELECT md5(t::text) AS h FROM "{schema}"."{table}" t) x'
            )
            for table in OMOP_TABLES
        }
    finally:
        await connection.close()


def clickhouse_rows(settings: Mapping[str, str]) -> dict[str, str]:
    """Return count and digest of each OMOP table, as the views show it."""
    base = f"http://{settings['CAREBUS_CLICKHOUSE_HOST']}:{settings['CAREBUS_CLICKHOUSE_PORT']}"
    database = settings["CAREBUS_CLICKHOUSE_DATABASE"]
    return {
        table: httpx.post(
            base,
            content=f"SELECT count(), groupBitXor(cityHash64(toString(tuple(*)))) FROM {database}.{table}",
            timeout=120,
        )
        .raise_for_status()
        .text.strip()
        for table in OMOP_TABLES
    }


def documents(folder: Path) -> dict[str, str]:
    """Return the digest of the document that stands, by person folder."""
    found = {}
    for home in folder.glob("*/*/person-*"):
        if name := current_document(p.name for p in home.iterdir()):
            found[home.name] = sha256((home / name).read_bytes()).hexdigest()
    return found


def openemr_connection(settings: Mapping[str, str]) -> Any:
    """Connect to the suite's OpenEMR database."""
    return pymysql.connect(
        host=settings["CAREBUS_OPENEMR_HOST"],
        port=int(settings["CAREBUS_OPENEMR_PORT"]),
        user=settings["CAREBUS_OPENEMR_USER"],
        password=Path(settings["CAREBUS_OPENEMR_PASSWORD_FILE"]).read_text().strip(),
        database=settings["CAREBUS_OPENEMR_DATABASE"],
        charset="utf8mb4",
    )


def openemr_rows(settings: Mapping[str, str]) -> dict[str, Counter[str]]:
    """Return the rows of each table as digests, with the patient's uuid for its number."""
    with openemr_connection(settings) as connection, connection.cursor() as cursor:
        return {table: _openemr_table(cursor, table) for table in OPENEMR_TABLES}


def _openemr_table(cursor: Any, table: str) -> Counter[str]:
    cursor.execute(
        "SELECT column_name FROM information_schema.columns "
        "WHERE table_schema = DATABASE() AND table_name = %s ORDER BY column_name",
        (table,),
    )
    there = [name for (name,) in cursor.fetchall()]
    owner = next((name for name in ("pid", "patient_id") if name in there), None)
    left_out = HANDED_OUT | CLOCKS | CLOCKS_OF.get(table, set())
    columns = [f"t.`{name}`" for name in there if name not in left_out]
    join = ""
    if owner and table != "patient_data":
        columns.append("p.uuid")
        join = f" LEFT JOIN patient_data p ON p.pid = t.`{owner}`"
    cursor.execute(f"SELECT {', '.join(columns)} FROM `{table}` t{join}{OF_PERSONS.get(table, '')}")
    return Counter(sha256(repr(row).encode()).hexdigest()[:24] for row in cursor)


async def everything(settings: Mapping[str, str], folder: Path) -> dict[str, Any]:
    """Return the fingerprints of all targets."""
    return {
        "postgres": await postgres_rows(settings),
        "clickhouse": clickhouse_rows(settings),
        "documents": documents(folder / "documents"),
        "openemr": openemr_rows(settings),
    }
