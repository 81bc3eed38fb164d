"""Real data through every reader: the same bundles, byte for byte, however the data are kept and cut."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from carebus_extractor.adapters import open_source
from unit.extractor.extracting import Extracted, extract

from .conftest import FourSources, a_job, eunomia

GIBLEED_SHA256 = "c6bf1ccf157ccd667c239896a788dbd427365ea27cc26e13bd216d2bf4cbbca7"
KINDS = ("duckdb", "csv", "parquet", "postgres")


@pytest.fixture(scope="module")
def gibleed_bundles(gibleed: FourSources) -> Extracted:
    """GiBleed out of its DuckDB file."""
    return extract(gibleed.job("duckdb"), gibleed.settings)


@pytest.fixture(scope="module")
def synthea_bundles(synthea: FourSources) -> Extracted:
    """Synthea27Nj out of a DuckDB file."""
    return extract(synthea.job("duckdb"), synthea.settings)


def test_gibleed_is_whole(gibleed_bundles: Extracted) -> None:
    """All rows that have a person travel, also those whose ids repeat; the others are counted."""
    tables = gibleed_bundles.tables

    assert len(gibleed_bundles.values) == gibleed_bundles.plan.persons == 2694
    assert {table: counts.emitted for table, counts in tables.items() if counts.emitted} == {
        "person": 2694,
        "observation_period": 2694,
        "visit_occurrence": 1037,
        "condition_occurrence": 65332,
        "drug_exposure": 67707,
        "procedure_occurrence": 37409,
        "measurement": 44053,
        "observation": 1477,
        "condition_era": 65719,
        "drug_era": 52508,
    }
    assert {table: counts.left_behind for table, counts in tables.items() if counts.left_behind} == {
        "observation_period": {"orphan": 2649}
    }
    assert tables["drug_exposure"].noted["repeated_id"] == 3
    assert tables["measurement"].noted["repeated_id"] == 10
    assert tables["condition_occurrence"].noted["dangling_visit"] == 64717
    assert tables["drug_exposure"].noted["dangling_visit"] == 66970
    assert tables["measurement"].noted["dangling_visit"] == 44047
    assert gibleed_bundles.plan.cdm_version == "5.3"
    assert [b.person_id for b in gibleed_bundles.bundles] == sorted(
        {b.person_id for b in gibleed_bundles.bundles}
    )


def test_gibleed_bundles_keep_their_bytes(gibleed_bundles: Extracted) -> None:
    """Reading may become faster; the bundles stay as they were before it did (or the change is meant)."""
    digest = hashlib.sha256()
    for value in gibleed_bundles.values:
        digest.update(value)

    assert digest.hexdigest() == GIBLEED_SHA256


def test_synthea_is_whole(synthea_bundles: Extracted) -> None:
    """CDM 5.4, with persons of more than a thousand measurements."""
    assert {table: counts.emitted for table, counts in synthea_bundles.tables.items()} == {
        "person": 28,
        "death": 3,
        "observation_period": 28,
        "visit_occurrence": 1791,
        "visit_detail": 1791,
        "condition_occurrence": 470,
        "drug_exposure": 883,
        "procedure_occurrence": 1649,
        "device_exposure": 1,
        "measurement": 10040,
        "observation": 8099,
        "condition_era": 469,
    }
    assert not any(counts.left_behind for counts in synthea_bundles.tables.values())
    assert synthea_bundles.plan.cdm_version == "5.4"
    assert len(synthea_bundles.records("provider")) == 67


@pytest.mark.parametrize("kind", KINDS[1:])
@pytest.mark.parametrize("data", ["gibleed", "synthea"])
def test_every_reader_gives_the_same_bytes(data: str, kind: str, request: pytest.FixtureRequest) -> None:
    """CSV, Parquet, DuckDB and Postgres: equal bundles, reference rows and counts."""
    sources: FourSources = request.getfixturevalue(data)
    expected: Extracted = request.getfixturevalue(f"{data}_bundles")

    out = extract(sources.job(kind), sources.settings)

    assert out.values == expected.values
    assert out.reference_values == expected.reference_values
    assert out.tables == expected.tables


@pytest.mark.parametrize("kind", KINDS[1:])
def test_every_reader_selects_the_same_persons(kind: str, gibleed: FourSources) -> None:
    """Sample, start, limit and names choose alike; so do the whole vocabulary and tables left out."""
    for options in (
        {"persons": {"sample": 0.1, "start_after": 500, "limit": 40}, "slice_persons": 30},
        {"persons": {"ids": [1, 3, 99_999]}, "leave_out": ["drug_exposure", "drug_era"]},
        {"persons": {"ids": [1]}, "vocabulary": True},
    ):
        expected = extract(gibleed.job("duckdb", **options), gibleed.settings)

        out = extract(gibleed.job(kind, **options), gibleed.settings)

        assert out.values == expected.values
        assert out.reference_values == expected.reference_values
        assert out.tables == expected.tables
        assert out.plan.ranges == expected.plan.ranges


def test_eunomia_is_read_as_it_is_shipped(gibleed: FourSources, gibleed_bundles: Extracted) -> None:
    """Nineteen of its tables hold nothing but their own header."""
    path = eunomia()
    settings = gibleed.settings.model_copy(update={"allowed_roots": (str(path.parent),)})

    out = extract(a_job({"format": "duckdb", "path": str(path)}), settings)

    assert out.values == gibleed_bundles.values
    assert "cost: its header stands among the rows, and is read as a header" in out.plan.notes


@pytest.fixture(scope="module")
def without_empty_tables(gibleed: FourSources, gibleed_bundles: Extracted) -> Extracted:
    """GiBleed as if its empty tables were not there."""
    empty = [table for table, counts in gibleed_bundles.tables.items() if not counts.read]
    return extract(gibleed.job("duckdb", leave_out=empty), gibleed.settings)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_exported_gibleed_is_the_same(
    kind: str, gibleed: FourSources, without_empty_tables: Extracted, shared: Path
) -> None:
    """Exports of others, packed, shouted, with floats for ids; empty tables are missing there."""
    root = shared / "omop/gibleed_5.3"
    settings = gibleed.settings.model_copy(update={"allowed_roots": (str(root),)})

    out = extract(a_job({"format": kind, "path": str(root / kind)}), settings)

    assert out.values == without_empty_tables.values


@pytest.mark.parametrize(("slice_persons", "slices"), [(150, 18), (10_000, 1)])
def test_slices_of_any_size_give_the_same_bundles(
    slice_persons: int, slices: int, gibleed: FourSources, gibleed_bundles: Extracted
) -> None:
    """However a job is cut, bundles and sums are the same."""
    settings = gibleed.settings.model_copy(update={"slice_rows": 1_000_000})

    out = extract(gibleed.job("parquet", slice_persons=slice_persons), settings)

    assert len(out.plan.ranges) == slices
    assert out.values == gibleed_bundles.values
    assert out.tables == gibleed_bundles.tables


def test_plan_is_the_same_every_time(gibleed: FourSources) -> None:
    """A planner that comes after a crash goes on with the same cut."""
    for kind in KINDS:
        job = gibleed.job(kind, slice_persons=100)

        plans = [open_source(job.omop, gibleed.settings).plan(job) for _ in range(2)]

        assert plans[0] == plans[1]
        assert len(plans[0].ranges) == 27
