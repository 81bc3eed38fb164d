"""Estimates: near to what is made, told before it is made."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from carebus_generator.adapters.disks import disk_warnings
from carebus_generator.adapters.manifests import Format
from carebus_generator.adapters.packing import Compression, Packing
from carebus_generator.adapters.sinks import open_sink
from carebus_generator.data_set import DataSet, made_from
from carebus_generator.domain.estimates import Estimate, estimate, room_warning
from carebus_generator.domain.making import make_cohort
from carebus_generator.domain.model import Model, compile_model
from carebus_generator.domain.omop import omop_tables
from carebus_generator.domain.scenario import preset, preset_names
from carebus_generator.domain.surroundings import surroundings_of


def _model(name: str, total: int) -> Model:
    return compile_model(preset(name).model_copy(update={"total": total}), 3)


@pytest.mark.parametrize("name", preset_names())
def test_rows_are_near_to_what_is_made(name: str) -> None:
    """5,000 patients of each preset have the rows told, to 6 %; a table to a fifth, or 0.05 rows a patient."""
    model = _model(name, 5000)
    told = estimate(model)

    made = omop_tables(surroundings_of(model, "test"), make_cohort(model, 0, 5000)).counts

    assert told.all_rows == pytest.approx(sum(made.values()), rel=0.06)
    for table, count in made.items():
        assert told.rows[table] == pytest.approx(count, rel=0.2, abs=250), table


@pytest.mark.parametrize(
    ("form", "compression"),
    [
        ("ndjson", "none"),
        ("ndjson", "zstd"),
        ("json", "gzip"),
        ("csv", "none"),
        ("csv", "zstd"),
        ("parquet", "none"),
    ],
)
def test_bytes_are_near_to_what_is_written(tmp_path: Path, form: Format, compression: Compression) -> None:
    """Files of 2,000 patients have the size told, to a sixth."""
    model = _model("baltic_defence", 2000)
    scenario = model.scenario
    data_set = DataSet.compiled(scenario, made_from(scenario, source="test", seed=3, first_person_id=1))
    sink = open_sink(
        str(tmp_path), data_set.made_from, data_set.surroundings, form=form, packing=Packing(compression)
    )

    with sink.writing(0, 0, 2000) as chunk:
        for part in data_set.parts(0, 2000):
            chunk.rows(part)
            for bundles, digest in data_set.blocks(part):
                chunk.bundles(bundles, digest)
    written = sum(file.bytes for file in sink.finish([chunk.record]).files)

    assert estimate(model).file_bytes(form, compression) == pytest.approx(written, rel=0.16)


def test_a_thousand_million_patients_are_told_at_once() -> None:
    """In less than a second, to be too much for the disk."""
    started = time.process_time()

    told = estimate(_model("default", 1_000_000_000))

    assert time.process_time() - started < 1
    assert told.patients == 1_000_000_000
    assert told.rows["person"] == 1_000_000_000
    needed = told.room_bytes("ndjson")
    assert 3e12 < needed < 3e13
    assert room_warning(needed, 20_000_000_000, "/data").endswith("TB, /data has 20 GB free")


def test_room_is_needed_twice_where_parts_are_joined() -> None:
    """Arrays and CSV tables are copied into one file at the end."""
    told = Estimate(patients=100, rows={"person": 100, "measurement": 900})

    assert told.room_bytes("csv") == 2 * told.file_bytes("csv") == 226_000
    assert told.room_bytes("ndjson") == told.file_bytes("ndjson") == 701_000


def test_enough_room_needs_no_words() -> None:
    """What fits is not spoken of."""
    assert room_warning(10, 10, "/data") == ""
    assert room_warning(1_500_000, 999, "/data") == "the files need about 1.5 MB, /data has 999 bytes free"


def test_more_cores_take_less_time_and_more_files_more() -> None:
    """Half the time on twice the cores; a second format is added."""
    told = Estimate(patients=1000, rows={"measurement": 50_000})

    one, two = told.seconds(["ndjson"], cores=1), told.seconds(["ndjson"], cores=2)
    both = told.seconds(["ndjson", "parquet"], cores=1)

    assert one == pytest.approx(2 * two)
    assert both > one
    assert one == pytest.approx(1000 * 16e-6 + 50_000 * 1.7e-6)


def test_a_disk_that_is_too_small_is_told_of_before_anything_is_written(tmp_path: Path) -> None:
    """Files of one disk are added up, also in folders that are not there yet; object stores have no size."""
    told = estimate(_model("default", 1_000_000_000))
    here = str(tmp_path / "not" / "there" / "yet")

    (warning,) = disk_warnings(told, [(here, "ndjson", "none"), (f"file://{here}2", "csv", "none")])

    assert warning.startswith("the files need about ")
    assert f"TB, {tmp_path} has " in warning
    assert not Path(here).exists()
    assert disk_warnings(told, [("s3://bucket/folder", "ndjson", "none")]) == ()
    assert disk_warnings(estimate(_model("training", 10)), [(here, "csv", "none")]) == ()
