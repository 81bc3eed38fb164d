"""Memory stays bounded, however many persons there are and however large one is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from .conftest import a_job, eunomia

LIMIT_MB = 300

READ = """
import json, sys
from carebus_contracts.jobs import ExtractJob
from carebus_contracts.slices import WorkSlice
from carebus_extractor.adapters import open_source
from carebus_extractor.settings import ExtractorSettings
import carebus_extractor.app
job = ExtractJob.model_validate_json(sys.argv[1])
settings = ExtractorSettings.load()
plan = open_source(job.omop, settings).plan(job)
messages = largest = 0
for number, part in enumerate(plan.ranges):
    work = WorkSlice(job_id="j", slice=number + 1, kind="persons", after=part.after, up_to=part.up_to,
                     fingerprint=plan.fingerprint, accepted_ms=1, job=job)
    for message in open_source(job.omop, settings).read_slice(work):
        messages += 1
        largest = max(largest, len(message.value))
work = WorkSlice(job_id="j", slice=0, kind="reference", fingerprint=plan.fingerprint, accepted_ms=1, job=job)
chunks = sum(1 for _ in open_source(job.omop, settings).read_reference(work))
# getrusage would give the peak of the process that started this one, if that was larger
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
peak = int(status["VmHWM"].split()[0]) // 1024
print(json.dumps({"messages": messages, "largest": largest, "chunks": chunks, "peak_mb": peak}))
"""


def read(path: Path, kind: str, stage: Path, **options: Any) -> dict[str, int]:
    """Stage and read a whole source in a process of its own."""
    environment = os.environ | {
        "CAREBUS_EXTRACTOR_ALLOWED_ROOTS": str(path),
        "CAREBUS_EXTRACTOR_STAGE_DIR": str(stage),
    }
    job = a_job({"format": kind, "path": str(path)}, **options)
    answer = subprocess.run(
        [sys.executable, "-c", READ, job.model_dump_json(by_alias=True)],
        env=environment,
        capture_output=True,
        timeout=500,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr.decode()[-2000:]
    found: dict[str, int] = json.loads(answer.stdout)
    return found


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_memory_does_not_grow_with_the_persons(kind: str, tmp_path: Path) -> None:
    """Four times GiBleed: 10,776 persons, 1.4 million rows, in no order."""
    folder = tmp_path / "cdm"
    folder.mkdir()
    with duckdb.connect() as database:
        database.execute(f"ATTACH '{eunomia()}' AS given (READ_ONLY)")
        for table in (
            "person",
            "drug_exposure",
            "condition_occurrence",
            "condition_era",
            "measurement",
            "concept",
        ):
            select = f"SELECT * FROM given.{table}"
            if table != "concept":
                select = (
                    f"SELECT * REPLACE (person_id + n * 10000 AS person_id) FROM given.{table}, range(4) r(n) "
                    "ORDER BY hash(person_id, n)"
                )
            options = "(FORMAT parquet)" if kind == "parquet" else "(HEADER)"
            database.execute(f"COPY ({select}) TO '{folder}/{table}.{kind}' {options}")

    found = read(folder, kind, tmp_path / "stage")

    assert found["messages"] == 4 * 2694
    assert found["peak_mb"] <= LIMIT_MB


def test_person_of_thirty_megabytes_is_one_bundle(tmp_path: Path) -> None:
    """120,000 rows, and three notes of a megabyte beside them; the neighbours are as ever."""
    folder = tmp_path / "cdm"
    folder.mkdir()
    with duckdb.connect() as database:
        database.execute(
            f"COPY (SELECT range AS person_id FROM range(200)) TO '{folder}/person.csv' (HEADER)"
        )
        database.execute(
            "COPY (SELECT range AS measurement_id, if(range < 120000, 7, range % 200) AS person_id, "
            "3000000 AS measurement_concept_id, DATE '2020-01-01' AS measurement_date, range / 7 AS value_as_number, "
            f"repeat('m', 90) AS measurement_source_value FROM range(130000)) TO '{folder}/measurement.csv' (HEADER)"
        )
        database.execute(
            "COPY (SELECT range AS note_id, 7 AS person_id, repeat('n', 1000000) AS note_text FROM range(3)) "
            f"TO '{folder}/note.csv' (HEADER)"
        )

    found = read(folder, "csv", tmp_path / "stage")

    assert found["messages"] == 200
    assert found["largest"] > 30_000_000
    assert found["peak_mb"] <= LIMIT_MB


def test_vocabulary_is_sent_in_chunks_of_bounded_size(tmp_path: Path) -> None:
    """A chunk too large for a message is split; memory does not grow with the vocabulary."""
    folder = tmp_path / "cdm"
    folder.mkdir()
    with duckdb.connect() as database:
        database.execute(f"COPY (SELECT 1 AS person_id) TO '{folder}/person.parquet' (FORMAT parquet)")
        database.execute(
            "COPY (SELECT range AS concept_id, 'name of ' || range AS concept_name FROM range(300000)) "
            f"TO '{folder}/concept.parquet' (FORMAT parquet)"
        )
        database.execute(
            "COPY (SELECT range % 100 AS ancestor_concept_id, range AS descendant_concept_id, "
            "1 AS min_levels_of_separation, 2 AS max_levels_of_separation FROM range(500000)) "
            f"TO '{folder}/concept_ancestor.parquet' (FORMAT parquet)"
        )

    found = read(folder, "parquet", tmp_path / "stage", vocabulary=True)

    assert found["chunks"] > 60 + 4
    assert found["peak_mb"] <= LIMIT_MB
