"""Data sets as files: what is in them, by independent readers, and what happens when writing fails."""

from __future__ import annotations

import csv
import errno
import gzip
import io
import json
import os
from datetime import date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb
import fsspec
import pytest
import zstandard

from carebus_contracts.errors import JobError
from carebus_contracts.omop.catalog import PERSON_TABLES
from carebus_generator.adapters.comparing import differences
from carebus_generator.adapters.encryption import Key
from carebus_generator.adapters.manifests import ChunkRecord, Format, MadeFrom, Manifest
from carebus_generator.adapters.packing import Compression, Packing
from carebus_generator.adapters.reading import DataSetFiles
from carebus_generator.adapters.sinks import Sink, open_sink
from carebus_generator.adapters.verifying import verify
from carebus_generator.domain.bundles import BundleWriter, References
from carebus_generator.domain.digest import chunk_digest
from carebus_generator.domain.omop import OmopChunk, omop_tables
from carebus_generator.domain.omop.columns import values
from unit.generator.cohorts import SURROUNDINGS, three_patients

FORMATS: tuple[Format, ...] = ("ndjson", "json", "csv", "parquet")
COMPRESSIONS: tuple[Compression, ...] = ("none", "gzip", "zstd")


PLAIN = Packing()


def made_from(**changes: Any) -> MadeFrom:
    """Return what six patients are made from."""
    given = {
        "source": "exercise",
        "scenario": "by_hand",
        "scenario_hash": "00",
        "seed": 1,
        "model_version": "1",
        "catalogue_hash": "00",
        "mode": "independent",
        "patients": 6,
        "first_person_id": 1_000,
    }
    return MadeFrom.model_validate(given | changes)


def chunks() -> list[OmopChunk]:
    """Return six patients in two chunks."""
    return [omop_tables(SURROUNDINGS, three_patients(first)) for first in (0, 3)]


def bundles() -> list[bytes]:
    """Return their bundles."""
    writer = BundleWriter(References.of(SURROUNDINGS))
    return [b for chunk in chunks() for block in writer.blocks(chunk.persons, chunk.tables) for b in block]


def sink(folder: Path | str, form: Format = "ndjson", packing: Packing = PLAIN, **changes: Any) -> Sink:
    """Return a sink for the six."""
    return open_sink(str(folder), made_from(**changes), SURROUNDINGS, form=form, packing=packing)


def put(target: Sink, number: int, chunk: OmopChunk) -> ChunkRecord:
    """Write a chunk: its rows, then its bundles, one at a time."""
    writer = BundleWriter(References.of(SURROUNDINGS))
    index = chunk.first
    with target.writing(number, chunk.first, len(chunk)) as written:
        written.rows(chunk)
        for block in writer.blocks(chunk.persons, chunk.tables):
            for bundle in block:
                written.bundles([bundle], chunk_digest(index, [bundle]))
                index += 1
    return written.record


def write(folder: Path | str, form: Format = "ndjson", packing: Packing = PLAIN) -> Manifest:
    """Write the six, the second chunk first."""
    target = sink(folder, form, packing)
    records = [put(target, number, chunk) for number, chunk in reversed([*enumerate(chunks())])]
    return target.finish(records)


def unpack(path: Path) -> bytes:
    """Return the text of a file by its suffix."""
    data = path.read_bytes()
    if path.suffix == ".gz":
        return gzip.decompress(data)
    if path.suffix == ".zst":
        return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True).read()
    return data


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_bytes(bytes(range(32)))
    return path


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_lines_are_the_bundles(tmp_path: Path, compression: Compression) -> None:
    """NDJSON holds the bytes of the records topic, in the order of the patients."""
    write(tmp_path, "ndjson", Packing(compression))

    files = sorted(p for p in tmp_path.iterdir() if p.name != "manifest.json")
    lines = [line for path in files for line in unpack(path).split(b"\n")[:-1]]

    assert lines == bundles()


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_the_array_is_one_json_document(tmp_path: Path, compression: Compression) -> None:
    """One file, read by any JSON parser."""
    write(tmp_path, "json", Packing(compression))

    (path,) = (p for p in tmp_path.iterdir() if p.name != "manifest.json")

    assert json.loads(unpack(path)) == [json.loads(bundle) for bundle in bundles()]


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_each_table_is_one_csv_with_a_header(tmp_path: Path, compression: Compression) -> None:
    """Columns of CDM 5.4 in its order, null as nothing."""
    write(tmp_path, "csv", Packing(compression))

    for name in chunks()[0].tables:
        (path,) = tmp_path.glob(f"{name}.csv*")
        header, *lines = csv.reader(io.StringIO(unpack(path).decode(), newline=""))
        expected = [row for chunk in chunks() for row in plain(chunk, name)]
        assert tuple(header) == PERSON_TABLES[name].columns
        assert lines == [[as_csv(cell) for cell in row] for row in expected]


def test_parquet_has_the_types_and_values_of_the_rows(tmp_path: Path) -> None:
    """Read by DuckDB: whole numbers, doubles, text, days and times."""
    write(tmp_path, "parquet")

    for name in chunks()[0].tables:
        found = duckdb.sql(f"SELECT * FROM read_parquet('{tmp_path}/{name}/*.parquet', filename=false)")
        assert found.fetchall() == [tuple(row) for chunk in chunks() for row in plain(chunk, name)]
        kinds = {int: "BIGINT", float: "DOUBLE", str: "VARCHAR", date: "DATE", datetime: "TIMESTAMP"}
        expected = {
            c: next(k for t, k in kinds.items() if t is a or t in getattr(a, "__args__", ())[:1])
            for c, a in PERSON_TABLES[name].types.items()
        }
        assert dict(zip(found.columns, map(str, found.types), strict=True)) == expected


def plain(chunk: OmopChunk, name: str) -> list[list[Any]]:
    """Return the rows of a table as plain values."""
    table = chunk.tables[name]
    listed = [values(column, len(table)) for column in table.columns.values()]
    return [list(row) for row in zip(*listed, strict=True)]


def as_csv(cell: object) -> str:
    """Return a cell as CSV has it."""
    return "" if cell is None else cell.isoformat() if isinstance(cell, date) else str(cell)


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("form", FORMATS)
def test_every_form_of_a_data_set_has_one_hash_and_verifies(
    tmp_path: Path, key_file: Path, form: Format, compression: Compression
) -> None:
    """Plain or encrypted; the hash is that of NDJSON."""
    expected = write(tmp_path / "ndjson").data_set_hash

    plain_form = write(tmp_path / "plain", form, Packing(compression))
    sealed = write(tmp_path / "sealed", form, Packing(compression, Key.read(key_file)))

    assert plain_form.data_set_hash == sealed.data_set_hash == expected
    assert verify(str(tmp_path / "plain")).faults == ()
    assert verify(str(tmp_path / "sealed"), key_file).faults == ()
    read = DataSetFiles.at(f"{tmp_path}/sealed/manifest.json", key_file).chunks()
    assert [b for _, blocks in read for block in blocks for b in block] == bundles()


@pytest.mark.parametrize("form", FORMATS)
def test_nothing_but_the_data_set_is_left(tmp_path: Path, form: Format) -> None:
    """Every file is in the manifest, and every file of the manifest is there."""
    manifest = write(tmp_path, form)

    there = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}

    assert there == {piece.path for piece in manifest.files} | {"manifest.json"}


def test_stores_by_url_work_like_disks() -> None:
    """Any file system of fsspec; here one in memory."""
    manifest = write("memory://exercises/one", "csv", Packing("gzip"))

    assert verify("memory://exercises/one").faults == ()
    assert "person" in {piece.table for piece in manifest.files}
    fsspec.filesystem("memory").rm("/exercises", recursive=True)


@pytest.mark.parametrize("form", FORMATS)
def test_a_changed_byte_is_found(tmp_path: Path, form: Format) -> None:
    """By the sha256 of its file."""
    manifest = write(tmp_path, form, Packing("zstd"))
    path = tmp_path / manifest.files[0].path
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))

    assert verify(str(tmp_path)).faults == (f"{manifest.files[0].path} was changed: its sha256 is another",)


def test_patients_in_another_order_are_found(tmp_path: Path) -> None:
    """Also where the sha256 of the file was made to fit."""
    write(tmp_path)
    path = tmp_path / "patients-000000.ndjson"
    first, second, third = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(second + first + third)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    manifest["files"][0]["sha256"] = sha256(path.read_bytes()).hexdigest()
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))

    assert verify(str(tmp_path)).faults == (
        "patients 0 to 2 are not those of the manifest",
        "the hash of the data set is another",
    )


@pytest.mark.parametrize("form", FORMATS)
def test_a_chunk_that_is_not_finished_leaves_nothing(tmp_path: Path, form: Format) -> None:
    """No file and no record under a final name; done again, the data set is whole."""
    target, chunk = sink(tmp_path, form), chunks()[0]

    def broken() -> None:
        with target.writing(0, chunk.first, len(chunk)) as written:
            written.rows(chunk)
            written.bundles(bundles()[:1], "00")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken()

    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []
    assert target.records() == []
    assert write(tmp_path, form).data_set_hash == write(tmp_path / "other", form).data_set_hash


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("form", FORMATS)
def test_a_chunk_may_come_in_parts(tmp_path: Path, form: Format, compression: Compression) -> None:
    """As large chunks do: the same patients in one chunk as in two, and read back the same."""
    target = sink(tmp_path / "one", form, Packing(compression))
    with target.writing(0, 0, 6) as written:
        for part, their in zip(chunks(), (bundles()[:3], bundles()[3:]), strict=True):
            written.rows(part)
            written.bundles(their, chunk_digest(part.first, their))

    manifest = target.finish([written.record])

    assert verify(str(tmp_path / "one")).faults == ()
    in_two = write(tmp_path / "two", form, Packing(compression))
    assert (manifest.data_set_hash, manifest.counts) == (in_two.data_set_hash, in_two.counts)
    tables = [file.table for file in manifest.files if file.table in PERSON_TABLES]
    assert tables == ([*chunks()[0].tables] if form in {"csv", "parquet"} else [])


def test_finished_chunks_are_known_to_who_comes_after(tmp_path: Path) -> None:
    """Records are in the folder until the manifest is."""
    first = put(sink(tmp_path, "csv"), 1, chunks()[1])

    again = sink(tmp_path, "csv")

    assert again.records() == [first]
    assert again.finished() is None
    manifest = again.finish([first, put(again, 0, chunks()[0])])
    assert sink(tmp_path, "csv").finished() == manifest


@pytest.mark.parametrize("form", FORMATS)
def test_chunks_that_are_done_are_not_written_again(tmp_path: Path, key_file: Path, form: Format) -> None:
    """Neither before nor after the end: encrypted anew, they would have other bytes than the manifest says."""
    target = sink(tmp_path, form, Packing("zstd", Key.read(key_file)))
    first = put(target, 0, chunks()[0])

    assert put(target, 0, chunks()[0]) == first
    manifest = target.finish([put(target, 1, chunks()[1]), first])
    again = sink(tmp_path, form, Packing("zstd", Key.read(key_file)))
    assert [put(again, n, chunk) for n, chunk in enumerate(chunks())] == [*manifest.chunks]
    assert again.finish(again.records()) == manifest
    assert verify(str(tmp_path), key_file).faults == ()
    with pytest.raises(JobError, match="chunks of another size"):
        put(again, 0, chunks()[1])


@pytest.mark.parametrize("form", FORMATS)
def test_who_is_killed_at_the_very_end_may_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: Format
) -> None:
    """The manifest is there, and what should be removed after it is there, too."""
    target = sink(tmp_path, form)
    records = [put(target, number, chunk) for number, chunk in enumerate(chunks())]
    monkeypatch.setattr(Sink, "_tidy", lambda _: None)
    manifest = target.finish(records)
    monkeypatch.undo()

    assert sink(tmp_path, form).finish(records) == manifest
    there = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}
    assert there == {piece.path for piece in manifest.files} | {"manifest.json"}


@pytest.mark.parametrize("changes", [{"seed": 2}, {"source": "other"}, {"patients": 7}])
def test_a_folder_with_another_data_set_is_left_alone(tmp_path: Path, changes: dict[str, Any]) -> None:
    """Complete or not."""
    put(sink(tmp_path / "part"), 0, chunks()[0])
    write(tmp_path / "whole")

    with pytest.raises(JobError, match="another data set"):
        sink(tmp_path / "part", **changes).records()
    with pytest.raises(JobError, match="choose an empty folder"):
        sink(tmp_path / "whole", **changes).finished()


def test_a_folder_keeps_its_form(tmp_path: Path) -> None:
    """Chunks of NDJSON are no part of a CSV data set, nor plain ones of a packed one."""
    put(sink(tmp_path, "ndjson"), 0, chunks()[0])

    with pytest.raises(JobError, match="in another form"):
        put(sink(tmp_path, "csv"), 0, chunks()[0])
    with pytest.raises(JobError, match="in another form"):
        sink(tmp_path, "ndjson", Packing("gzip")).records()


def test_missing_chunks_are_named(tmp_path: Path) -> None:
    """Nothing is put together from parts of a data set."""
    target = sink(tmp_path)
    record = put(target, 1, chunks()[1])

    with pytest.raises(JobError, match="do not fit together at patient 0"):
        target.finish([record])

    assert not (tmp_path / "manifest.json").exists()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT], ids=["disk full", "quota used up"])
def test_a_full_disk_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """It says what was finished, and leaves no half file."""
    target = sink(tmp_path)
    put(target, 0, chunks()[0])

    def full(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(JobError, match=r"cannot write patients-000001.ndjson in .*free some space and run"):
        put(target, 1, chunks()[1])
    monkeypatch.undo()
    assert sorted(p.name for p in tmp_path.iterdir()) == [".chunks", "patients-000000.ndjson"]
    assert [record.chunk for record in sink(tmp_path).records()] == [0]


def test_a_path_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    """A file where a folder should be; a kind of URL that nobody knows."""
    (tmp_path / "file").write_text("")

    with pytest.raises(
        JobError, match=r"cannot write patients-000000.ndjson in .*: part of the path is a file"
    ):
        put(sink(tmp_path / "file" / "below"), 0, chunks()[0])
    with pytest.raises(JobError, match="nowhere:// URLs cannot be used here"):
        sink("nowhere://bucket/data")


def test_encryption_asks_for_a_key_that_fits(tmp_path: Path, key_file: Path) -> None:
    """No key, a key of another length, another key: a sentence each."""
    write(tmp_path / "sealed", "ndjson", Packing(key=Key.read(key_file)))
    other = tmp_path / "other"
    other.write_bytes(bytes(32))
    short = tmp_path / "short"
    short.write_bytes(b"secret")

    with pytest.raises(JobError, match="is encrypted; name the file of its key with --key-file"):
        verify(str(tmp_path / "sealed"))
    with pytest.raises(JobError, match="another key"):
        verify(str(tmp_path / "sealed"), other)
    with pytest.raises(JobError, match="holds 6 bytes and not 32"):
        Key.read(short)
    with pytest.raises(JobError, match="cannot be read: No such file"):
        Key.read(tmp_path / "none")


def test_differences_name_parameters_counts_and_the_first_patient(tmp_path: Path) -> None:
    """Two data sets, side by side."""
    write(tmp_path / "one")
    write(tmp_path / "same", "parquet")
    target = sink(tmp_path / "two", seed=2, patients=3)
    cohort = three_patients(0)
    cohort.measurements.value[0] = 99.0
    target.finish([put(target, 0, omop_tables(SURROUNDINGS, cohort))])

    assert differences(str(tmp_path / "one"), str(tmp_path / "same")) == []
    found = differences(str(tmp_path / "one"), str(tmp_path / "two"))
    assert found[:3] == ["seed: 1 and 2", "patients: 6 and 3", "rows of person: 6 and 3 (-3)"]
    assert found[-1] == "first patient that differs: index 0, in measurement"


def test_a_damaged_record_of_a_chunk_is_one_sentence(tmp_path: Path) -> None:
    """As a disk leaves it that broke; without the record the chunk is made again."""
    put(sink(tmp_path), 0, chunks()[0])
    damaged = tmp_path / ".chunks" / "000000.json"
    damaged.write_bytes(damaged.read_bytes()[:20])

    with pytest.raises(JobError, match=r"000000.json in .* is damaged; remove it and run again"):
        sink(tmp_path).records()

    damaged.unlink()
    assert write(tmp_path).data_set_hash == write(tmp_path / "other").data_set_hash


def test_records_of_chunks_travel_as_json(tmp_path: Path) -> None:
    """Workers may send them on."""
    record = put(sink(tmp_path), 0, chunks()[0])

    assert ChunkRecord.from_json(record.to_json()) == record
