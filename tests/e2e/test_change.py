"""The source changes: what stands afterwards is what a first load of the changed source would have given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest

from carebus_contracts.omop.catalog import PERSON_TABLES
from carebus_stack import LocalStack
from support.fingerprints import clickhouse_rows, documents, openemr_connection, postgres_rows
from support.suites import RunningSuite, accounts_close, running_suite

PERSONS = 600
CHANGED = "person_id % 20 = 7"
"""One person in twenty."""
STANDING = {
    "lists": (
        "SELECT p.uuid, t.uuid, t.type, t.title, t.begdate, t.enddate, t.diagnosis, t.verification "
        "FROM lists t JOIN patient_data p ON p.pid = t.pid WHERE t.activity = 1"
    ),
    "prescriptions": (
        "SELECT p.uuid, t.uuid, t.drug, t.start_date, t.end_date, t.rxnorm_drugcode, t.quantity, t.note "
        "FROM prescriptions t JOIN patient_data p ON p.pid = t.patient_id WHERE t.active = 1"
    ),
    "immunizations": (
        "SELECT p.uuid, t.uuid, t.administered_date, t.cvx_code FROM immunizations t "
        "JOIN patient_data p ON p.pid = t.patient_id WHERE t.added_erroneously = 0"
    ),
    "encounters": (
        "SELECT p.uuid, e.uuid, e.date, e.date_end, e.class_code FROM forms f "
        "JOIN form_encounter e ON e.id = f.form_id AND f.formdir = 'newpatient' "
        "JOIN patient_data p ON p.pid = e.pid WHERE f.deleted = 0"
    ),
    "patients": "SELECT uuid, pubpid, DOB, sex, deceased_date FROM patient_data",
}
"""What OpenEMR shows, with the patient's uuid for its number."""


def _copy(gibleed: Path, target: Path, *, changed: bool) -> Path:
    """Write a part of GiBleed as a DuckDB file, as it is or with one person in twenty changed."""
    with duckdb.connect(str(target)) as connection:
        connection.execute(f"ATTACH '{gibleed}' AS whole (READ_ONLY)")
        some = f"(SELECT person_id FROM whole.person ORDER BY person_id LIMIT {PERSONS})"
        for (table,) in connection.execute(
            "SELECT DISTINCT table_name FROM information_schema.tables WHERE table_catalog = 'whole'"
        ).fetchall():
            columns = [row[0].lower() for row in connection.execute(f"DESCRIBE whole.{table}").fetchall()]
            only = f" WHERE person_id IN {some}" if "person_id" in columns else ""
            connection.execute(f"CREATE TABLE {table} AS SELECT * FROM whole.{table}{only}")
        if changed:
            for statement in (
                f"UPDATE condition_occurrence SET condition_end_date = condition_start_date + 3 WHERE {CHANGED}",
                f"DELETE FROM drug_exposure WHERE {CHANGED} AND drug_exposure_id % 3 = 0",
                f"DELETE FROM measurement WHERE {CHANGED}",
                f"DELETE FROM visit_occurrence WHERE {CHANGED}",
                "INSERT INTO procedure_occurrence SELECT * REPLACE (procedure_occurrence_id + 900000000 AS "
                f"procedure_occurrence_id) FROM procedure_occurrence WHERE {CHANGED}",
                f"UPDATE person SET year_of_birth = year_of_birth - 1, birth_datetime = NULL WHERE {CHANGED}",
            ):
                connection.execute(statement)
    return target


def _job(path: Path) -> dict[str, Any]:
    return {
        "kind": "extract",
        "source": "changing",
        "omop": {"format": "duckdb", "path": str(path)},
        "targets": ["openemr", "postgres", "clickhouse", "documents"],
    }


async def _standing(suite: RunningSuite) -> dict[str, Any]:
    postgres, clickhouse = await postgres_rows(suite.settings), clickhouse_rows(suite.settings)
    with openemr_connection(suite.settings) as connection, connection.cursor() as cursor:
        charts = {}
        for name, sql in STANDING.items():
            cursor.execute(sql)
            charts[name] = Counter(map(repr, cursor.fetchall()))
    return {
        "postgres": {table: postgres[table] for table in PERSON_TABLES},
        "clickhouse": {table: clickhouse[table] for table in PERSON_TABLES},
        "documents": documents(suite.folder / "documents"),
        "openemr": charts,
    }


@pytest.fixture(scope="module")
def sources(gibleed: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """The same persons before and after a change."""
    folder = tmp_path_factory.mktemp("changing")
    return {
        "before": _copy(gibleed, folder / "before.duckdb", changed=False),
        "after": _copy(gibleed, folder / "after.duckdb", changed=True),
    }


@pytest.fixture(scope="module")
async def first_load_of_changed(
    stack: LocalStack, sources: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("fresh")
    with running_suite(
        stack, folder, name="fresh", roots=[sources["after"].parent], port_offset=600,
        more={"CAREBUS_OPENEMR_CREATE_SCHEMA": "true"},
    ) as suite:  # fmt: skip
        assert suite.run(_job(sources["after"]))["status"] == "completed"
        return await _standing(suite)


async def test_a_changed_source_ends_as_if_loaded_for_the_first_time(
    stack: LocalStack,
    sources: Mapping[str, Path],
    first_load_of_changed: dict[str, Any],
    tmp_path: Path,
) -> None:
    """Only the changed persons are written again, in a tenth of the rows."""
    with running_suite(
        stack, tmp_path, name="changing", roots=[sources["before"].parent], port_offset=650,
        more={"CAREBUS_OPENEMR_CREATE_SCHEMA": "true"},
    ) as suite:  # fmt: skip
        first = suite.run(_job(sources["before"]))
        second = suite.run(_job(sources["after"]))
        found = await _standing(suite)

    assert first["status"] == second["status"] == "completed"
    assert accounts_close(first)
    assert accounts_close(second)
    assert len(found["documents"]) == PERSONS
    for target, progress in second["targets"].items():
        assert progress["outcomes"]["applied"] <= PERSONS * 0.06 + 5, target
        touched = sum(progress.get(f"rows_{what}", 0) for what in ("inserted", "updated", "deleted"))
        assert 0 < touched <= first["targets"][target]["rows_inserted"] * 0.1, target
    assert found == first_load_of_changed
