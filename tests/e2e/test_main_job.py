"""The main job on all of GiBleed: everything arrives once, and the same again changes nothing."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from carebus_demo.command import job_file
from carebus_stack import LocalStack
from support.fingerprints import OMOP_TABLES, everything
from support.suites import RunningSuite, accounts_close, running_suite


@pytest.fixture(scope="module")
def main_suite(
    stack: LocalStack, gibleed: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RunningSuite]:
    folder = tmp_path_factory.mktemp("main")
    with running_suite(
        stack, folder, name="main", roots=[gibleed.parent], port_offset=300,
        more={"CAREBUS_OPENEMR_CREATE_SCHEMA": "true"},
    ) as running:  # fmt: skip
        yield running


@pytest.fixture(scope="module")
def first_run(main_suite: RunningSuite, gibleed: Path) -> dict[str, Any]:
    return main_suite.run(job_file(gibleed))


async def test_every_source_row_arrives_once(
    main_suite: RunningSuite, first_run: dict[str, Any], source_rows: dict[str, int]
) -> None:
    """Rows of the source are rows of the warehouses, table by table, repeated record ids included."""
    found = await everything(main_suite.settings, main_suite.folder)

    counts = {table: int(text.split()[0]) for table, text in found["postgres"].items()}
    columns = {table: int(text.split()[0]) for table, text in found["clickhouse"].items()}
    assert {table: counts[table] for table in source_rows} == source_rows
    assert columns == counts
    # From the data set's own description, not from our reader.
    assert counts["drug_exposure"] == 67_707
    assert (counts["condition_era"], counts["drug_era"]) == (65_719, 52_508)
    assert counts["concept"] <= 442
    assert len(found["documents"]) == found["openemr"]["patient_data"].total() == 2_694


async def test_the_account_closes_and_names_what_was_left_behind(first_run: dict[str, Any]) -> None:
    """extracted = the sum of outcomes at each target; 2,649 observation periods belong to nobody."""
    assert first_run["status"] == "completed"
    assert accounts_close(first_run)
    assert first_run["persons"] == 2_694
    periods = first_run["tables"]["observation_period"]
    assert periods["left_behind"] == {"orphan": 2_649}
    for counts in first_run["tables"].values():
        assert counts["read"] == counts["emitted"] + sum(counts.get("left_behind", {}).values())


@pytest.mark.parametrize("target", ["postgres", "clickhouse"])
@pytest.mark.usefixtures("first_run")
def test_targets_fail_exactly_where_the_source_fails(
    main_suite: RunningSuite, gibleed: Path, tmp_path: Path, target: str
) -> None:
    """``carebus quality run`` says so, with the faults that the data set is known for."""
    report, page = tmp_path / "quality.json", tmp_path / "quality.html"

    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("carebus")), "quality", "run", "--target", target,
            "--omop", str(gibleed), "--format", "duckdb", "--source", "gibleed",
            "--json", str(report), "--html", str(page),
        ],
        env={**os.environ, **main_suite.settings}, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    found = {(o["check"], o["table"], o["column"]): o for o in json.loads(report.read_text())["outcomes"]}
    repeated = found["isPrimaryKey", "drug_exposure", "drug_exposure_id"]
    orphans = found["isForeignKey", "observation_period", "person_id"]
    assert (repeated["source"], repeated["target"]) == (4_384, 4_384)
    assert (orphans["source"], orphans["travelled"], orphans["target"]) == (2_649, 0, 0)
    assert "2,649 rows of observation_period stay behind" in page.read_text()


def test_planted_faults_are_found(main_suite: RunningSuite, first_run: dict[str, Any], gibleed: Path) -> None:
    """In a copy of Postgres with three genders gone and one measurement less, exactly these differ."""
    assert first_run["status"] == "completed"
    settings = dict(main_suite.settings)
    schema = settings["CAREBUS_POSTGRES_SCHEMA"]
    statements = ["DROP SCHEMA IF EXISTS planted CASCADE", "CREATE SCHEMA planted"]
    statements += [f'CREATE TABLE planted.{t} AS SELECT * FROM "{schema}".{t}' for t in OMOP_TABLES]
    statements += [
        "UPDATE planted.person SET gender_concept_id = NULL WHERE person_id IN (1, 2, 3)",
        "DELETE FROM planted.measurement WHERE ctid = (SELECT min(ctid) FROM planted.measurement)",
    ]
    asyncio.run(_in_postgres(settings, statements))

    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("carebus")), "quality", "run", "--target", "postgres",
            "--omop", str(gibleed), "--format", "duckdb", "--source", "gibleed", "--json", "-",
        ],
        env={**os.environ, **settings, "CAREBUS_POSTGRES_SCHEMA": "planted"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    asyncio.run(_in_postgres(settings, ["DROP SCHEMA planted CASCADE"]))

    assert done.returncode == 1, done.stderr
    result = json.loads(done.stdout)
    differing = {(o["check"], o["table"], o["column"]) for o in result["outcomes"] if not o["agrees"]}
    assert ("isRequired", "person", "gender_concept_id") in differing
    assert {table for _, table, _ in differing} <= {"person", "measurement"}
    assert [r["table"] for r in result["rows"] if not r["agrees"]] == ["measurement"]


async def _in_postgres(settings: dict[str, str], statements: Sequence[str]) -> None:
    connection = await asyncpg.connect(
        host=settings["CAREBUS_POSTGRES_HOST"],
        port=int(settings["CAREBUS_POSTGRES_PORT"]),
        user=settings["CAREBUS_POSTGRES_USER"],
        password=Path(settings["CAREBUS_POSTGRES_PASSWORD_FILE"]).read_text().strip(),
        database=settings["CAREBUS_POSTGRES_DATABASE"],
    )
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def test_the_same_again_changes_nothing(
    main_suite: RunningSuite, first_run: dict[str, Any], gibleed: Path
) -> None:
    """A new job with the same content writes no data row and no document."""
    before = await everything(main_suite.settings, main_suite.folder)
    files = {p: p.stat().st_mtime_ns for p in (main_suite.folder / "documents").rglob("*.xml")}

    again = main_suite.run(job_file(gibleed))

    assert again["status"] == "completed"
    assert accounts_close(again)
    for target, progress in again["targets"].items():
        assert progress["outcomes"] == {"unchanged": again["extracted"]}, target
        written = progress.get("rows_inserted", 0) + progress.get("rows_updated", 0)
        assert written + progress.get("rows_deleted", 0) == 0, target
    assert await everything(main_suite.settings, main_suite.folder) == before
    assert {p: p.stat().st_mtime_ns for p in (main_suite.folder / "documents").rglob("*.xml")} == files


async def test_a_small_job_takes_nothing_away(
    main_suite: RunningSuite, first_run: dict[str, Any], gibleed: Path
) -> None:
    """A job over five persons of a loaded source leaves all others, and their concepts, where they are."""
    before = await everything(main_suite.settings, main_suite.folder)

    small = main_suite.run(job_file(gibleed, persons=5))

    assert small["status"] == "completed"
    assert await everything(main_suite.settings, main_suite.folder) == before


async def test_a_dry_run_says_what_would_be_and_writes_nothing(
    main_suite: RunningSuite, first_run: dict[str, Any], gibleed: Path
) -> None:
    """Another source slug would be all new; nothing of it is there afterwards."""
    before = await everything(main_suite.settings, main_suite.folder)

    would = main_suite.run(job_file(gibleed, persons=50) | {"source": "other", "dry_run": True})

    assert would["status"] == "completed"
    assert would["targets"]["postgres"]["outcomes"]["applied"] >= 50
    assert await everything(main_suite.settings, main_suite.folder) == before


async def test_a_source_can_be_retired_everywhere(
    main_suite: RunningSuite, first_run: dict[str, Any], gibleed: Path
) -> None:
    """After retiring one person of another source nothing but that person's bookkeeping is left."""
    job = job_file(gibleed) | {"source": "leaves", "persons": {"limit": 20}}
    assert main_suite.run(job)["status"] == "completed"
    came = await everything(main_suite.settings, main_suite.folder)

    retired = main_suite.run(
        {"kind": "retire", "source": "leaves", "targets": ["openemr", "postgres", "clickhouse", "documents"]}
    )
    found = await everything(main_suite.settings, main_suite.folder)

    assert retired["status"] == "completed"
    assert int(came["postgres"]["person"].split()[0]) == 2_714
    assert int(found["postgres"]["person"].split()[0]) == 2_694
    assert int(found["clickhouse"]["person"].split()[0]) == 2_694
    assert len(found["documents"]) == 2_694
