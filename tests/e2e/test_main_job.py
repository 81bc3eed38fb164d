"""The main job on all of GiBleed: everything arrives once, and the same again changes nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from carebus_demo.command import job_file
from carebus_stack import LocalStack
from support.fingerprints import everything
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
