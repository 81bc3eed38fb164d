"""Every source that cannot be read is refused with one sentence that says what to do."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from carebus_contracts.errors import JobError
from carebus_contracts.jobs import PostgresSchema
from carebus_extractor.adapters import open_source

from .extracting import slice_of


def test_path_outside_the_allowed_roots_is_refused(folder: Any) -> None:
    """A job cannot name any file of the worker's machine, also not by way of an allowed folder."""
    outside = f"{folder.path}/../../elsewhere"

    assert folder.refused(omop={"path": "/etc"}) == (
        "omop.path: /etc lies outside the folders that this worker may read; "
        "CAREBUS_EXTRACTOR_ALLOWED_ROOTS names them"
    )
    assert "lies outside the folders" in folder.refused(omop={"path": outside})
    assert "lies outside the folders" in folder.refused(omop={"path": "file:///etc"})


@pytest.mark.parametrize(
    "url", ["s3://other/cdm", "http://127.0.0.1/cdm", "memory://ours/../other", "memory://oursbutlonger/x"]
)
def test_store_outside_the_allowed_ones_is_refused(folder: Any, url: str) -> None:
    """URLs are read below an allowed URL only, so that a job cannot make a worker call any host."""
    folder.settings = folder.settings.model_copy(update={"allowed_roots": ("memory://ours",)})

    assert "lies outside the stores that this worker may read" in folder.refused(omop={"path": url})


def test_chained_url_is_refused(folder: Any) -> None:
    """A chain of file systems would reach past the first one's root."""
    assert "chained URLs are not read" in folder.refused(omop={"path": "zip://*::file:///etc/passwd"})


def test_link_out_of_the_folder_is_refused(folder: Any, tmp_path: Path) -> None:
    """A file in an allowed folder may be a link to one that is not allowed."""
    folder.persons(1)
    secret = tmp_path / "secret.csv"
    secret.write_text("person_id,death_date\n1,2001-02-03\n")
    (folder.path / "death.csv").symlink_to(secret)

    assert "death.csv is a link that leads out of" in folder.refused()


def test_missing_folder_is_refused(folder: Any) -> None:
    """The sentence names the folder."""
    missing = f"{folder.path}/cdm"

    assert folder.refused(omop={"path": missing}) == f"there is no {missing} on this worker"


def test_folder_without_persons_is_refused(folder: Any) -> None:
    """The sentence says what was found in place of PERSON."""
    assert folder.refused() == "the source has no person table (no CDM table was found)"

    folder.write("death.csv", "person_id,death_date\n1,2001-02-03")

    assert folder.refused() == "the source has no person table (found: death)"


def test_header_that_does_not_fit_is_refused(folder: Any) -> None:
    """The sentence names the file, the columns that are missing and those that are not understood."""
    folder.persons(1)
    folder.write("drug_exposure.csv", "id,patient,drug_concept_id\n1,1,5")

    assert folder.refused() == (
        "drug_exposure.csv does not fit drug_exposure: missing drug_exposure_id, person_id; "
        "unknown columns found: id, patient"
    )


def test_file_without_header_is_refused(folder: Any) -> None:
    """Data in the place of the header are not shown, for they may be a patient's."""
    folder.write("person.csv", "1,8507,1950\n2,8532,1960")

    sentence = folder.refused()

    assert sentence.startswith("person.csv does not fit person: its first line names no column of person")
    assert "8507" not in sentence


def test_two_files_for_one_table_are_refused(folder: Any) -> None:
    """Nobody can say which one counts."""
    folder.persons(1)
    folder.write("CDM_PERSON.csv", "person_id\n2")

    assert folder.refused() == "both CDM_PERSON.csv and person.csv are person; leave one"


def test_file_that_ends_early_is_refused(folder: Any) -> None:
    """Half of a packed file is not the table."""
    folder.persons(1)
    whole = gzip.compress(b"person_id,death_date\n" + b"1,2001-02-03\n" * 10_000)
    folder.write("death.csv.gz", whole[: len(whole) // 2])

    assert folder.refused() == "death.csv.gz cannot be read: its compressed data end early or are damaged"


def test_quote_without_end_is_refused(folder: Any) -> None:
    """It would swallow the rest of the file in silence."""
    folder.persons(1)
    folder.write("note.csv", 'note_id,person_id,note_text\n1,1,a\n2,1,"b\n3,1,c\n4,1,d')

    assert folder.refused() == "note.csv cannot be read: a quote is opened and never closed"


def test_parquet_that_is_none_is_refused(folder: Any) -> None:
    """The engine's own words stay inside, for they may hold values."""
    folder.write("person.parquet", "person_id\n1")

    assert (
        folder.refused(omop={"format": "parquet"}) == "person.parquet cannot be read (InvalidInputException)"
    )


def test_database_that_is_none_is_refused(folder: Any) -> None:
    """Also a folder in the place of the file."""
    folder.persons(1)
    folder.write("death.csv", "person_id\n1")

    broken = folder.refused(omop={"format": "duckdb", "path": f"{folder.path}/person.csv"})
    a_folder = folder.refused(omop={"format": "duckdb"})

    assert broken.startswith("person.csv cannot be opened as a DuckDB database")
    assert a_folder == "omop.path: source is a folder; name the DuckDB file in it"


def test_delimiter_of_two_characters_is_refused(folder: Any) -> None:
    """The sentence says what would be right."""
    assert folder.refused(omop={"delimiter": "||"}) == (
        "omop.delimiter: '||' must be one character, 'tab' or 'auto'"
    )


def test_tables_that_are_none_cannot_be_left_out(folder: Any) -> None:
    """A misspelt table would be sent in silence."""
    folder.persons(1)

    assert folder.refused(leave_out=["drugs"]) == "leave_out: no such table: drugs"
    assert folder.refused(leave_out=["person"]).startswith("leave_out: person cannot be left out")


def test_connection_that_is_not_in_the_settings_is_refused(folder: Any) -> None:
    """A job names a connection; it never brings one."""
    job = folder.job().model_copy(update={"omop": _postgres()})

    with pytest.raises(JobError, match="this worker's settings have no 'lab'; they have none"):
        open_source(job.omop, folder.settings)


def test_source_that_changes_while_it_is_read_is_refused(folder: Any) -> None:
    """Half of an old state and half of a new one are no state."""
    folder.persons(1, 2)
    job = folder.job(slice_persons=1)
    plan = open_source(job.omop, folder.settings).plan(job)
    folder.persons(1, 2, 3)
    work = slice_of(plan, job, plan.ranges[0], 1)

    with pytest.raises(JobError, match="changed while they were read"):
        list(open_source(job.omop, folder.settings).read_slice(work))
    with pytest.raises(JobError, match="changed while they were read"):
        list(open_source(job.omop, folder.settings).read_reference(work))


def _postgres() -> Any:
    return PostgresSchema(format="postgres", connection="lab")


@pytest.mark.parametrize("content", ["", "\ufeff\r\n", "\n\n"])
def test_file_without_anything_is_no_empty_table(folder: Any, content: str) -> None:
    """It may be what a failed export left; taken for an empty table it would empty the targets."""
    folder.persons(1)
    folder.write("death.csv", content)

    with pytest.raises(JobError, match=r"death.csv is empty, without even a header: .* export it again"):
        folder.extract()


def test_persons_without_ids_that_can_be_read_are_refused(folder: Any) -> None:
    """A job that finds nobody would tell that everybody has vanished."""
    folder.write("person.csv", "person_id,year_of_birth\nMRN-1,1950\nMRN-2,1960")

    sentence = folder.refused()

    assert sentence.startswith("person.csv: none of its 2 rows has a whole number as person_id")
    assert "MRN" not in sentence
