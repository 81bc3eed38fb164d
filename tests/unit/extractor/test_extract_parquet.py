"""Parquet and DuckDB as people write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb

from carebus_contracts.omop.condition_occurrence import ConditionOccurrence
from carebus_contracts.omop.measurement import Measurement

PARQUET = {"format": "parquet"}


def write(path: Path, select: str) -> None:
    """Write the answer of a query as Parquet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    duckdb.execute(f"COPY ({select}) TO '{path}' (FORMAT parquet)")


def test_frames_of_pandas_are_read(folder: Any) -> None:
    """Whole numbers with gaps are floats there, and what is missing is NaN."""
    write(folder.path / "person.parquet", "SELECT 1.0::DOUBLE AS person_id, 'nan'::DOUBLE AS location_id")
    write(
        folder.path / "Measurement.parquet",
        "SELECT 5.0::DOUBLE AS MEASUREMENT_ID, 1.0::DOUBLE AS Person_Id, 'nan'::DOUBLE AS value_as_number, "
        "0.1::FLOAT AS range_low, 'nan'::DOUBLE AS visit_occurrence_id",
    )

    out = folder.extract(omop=PARQUET)

    (row,) = out.bundle(1).rows(Measurement)
    assert (row.measurement_id, row.value_as_number, row.range_low, row.visit_occurrence_id) == (
        5,
        None,
        0.1,
        None,
    )
    assert "unreadable_cell" not in out.tables["measurement"].noted


def test_parts_of_a_table_may_differ(folder: Any) -> None:
    """A folder of parts is one table, whatever the order and types of columns in each."""
    write(folder.path / "person.parquet", "SELECT 1 AS person_id")
    table = folder.path / "condition_occurrence"
    write(
        table / "part-0.parquet",
        "SELECT 1 AS condition_occurrence_id, 1 AS person_id, 5 AS condition_concept_id",
    )
    write(
        table / "part-1.parquet",
        "SELECT '6' AS condition_concept_id, 2 AS condition_occurrence_id, 1 AS person_id",
    )
    write(table / "y=2" / "part-2.parquet", "SELECT 3 AS condition_occurrence_id, 1 AS person_id")

    rows = folder.extract(omop=PARQUET).bundle(1).rows(ConditionOccurrence)

    assert [(r.condition_occurrence_id, r.condition_concept_id) for r in rows] == [(1, 5), (2, 6), (3, None)]


def test_database_file_is_read(folder: Any) -> None:
    """Tables of one schema, an import's header among the rows, views left alone."""
    path = folder.path / "hospital.duckdb"
    with duckdb.connect(str(path)) as database:
        database.execute(
            "CREATE SCHEMA cdm; CREATE TABLE cdm.PERSON (PERSON_ID INT); INSERT INTO cdm.PERSON VALUES (1)"
        )
        database.execute("CREATE TABLE cdm.death (column0 VARCHAR, column1 VARCHAR)")
        database.execute("INSERT INTO cdm.death VALUES ('PERSON_ID', 'DEATH_DATE'), ('1', '2001-02-03')")
        database.execute("CREATE VIEW cdm.note AS SELECT * FROM read_text('/etc/hostname')")

    out = folder.extract(omop={"format": "duckdb", "path": str(path), "schema": "cdm"})

    assert out.tables["death"].emitted == 1
    assert out.bundle(1).covers == ("person", "death")
    assert "death: its header stands among the rows, and is read as a header" in out.plan.notes


def test_remote_folder_is_copied_once(folder: Any) -> None:
    """A store of fsspec is read like a folder; the stage serves all slices."""
    import fsspec

    store = fsspec.filesystem("memory")
    store.pipe("/ours/cdm/person.csv", b"person_id\n1\n2\n")
    store.pipe("/ours/cdm/death.csv", b"person_id,death_date\n2,2001-02-03\n")
    folder.settings = folder.settings.model_copy(update={"allowed_roots": ("memory://ours",)})

    out = folder.extract(omop={"path": "memory://ours/cdm"}, slice_persons=1)

    assert [bundle.person_id for bundle in out.bundles] == [1, 2]
    assert out.tables["death"].emitted == 1
