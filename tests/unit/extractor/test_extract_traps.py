"""What real exports hold, each a small case with rows counted by hand."""

from __future__ import annotations

import bz2
import gzip
from datetime import date
from typing import Any

import pytest

from carebus_contracts.omop.condition_occurrence import ConditionOccurrence
from carebus_contracts.omop.cost import Cost
from carebus_contracts.omop.death import Death
from carebus_contracts.omop.device_exposure import DeviceExposure
from carebus_contracts.omop.drug_exposure import DrugExposure
from carebus_contracts.omop.measurement import Measurement
from carebus_contracts.omop.note import Note
from carebus_contracts.omop.person import Person
from carebus_contracts.omop.visit_detail import VisitDetail
from carebus_contracts.omop.visit_occurrence import VisitOccurrence

DRUGS = """
drug_exposure_id,person_id,drug_concept_id,drug_exposure_start_date
7,1,100,2001-01-01
7,1,101,2001-01-02
7,2,100,2001-01-03
8,2,100,2001-01-04
"""


def test_rows_with_a_repeated_id_all_travel(folder: Any) -> None:
    """Two rows of one person with one id travel in the order of their content; one of them is noted."""
    folder.persons(1, 2)
    folder.write("drug_exposure.csv", DRUGS)

    out = folder.extract()

    assert [(r.drug_exposure_id, r.drug_concept_id) for r in out.bundle(1).rows(DrugExposure)] == [
        (7, 100),
        (7, 101),
    ]
    assert [r.drug_exposure_id for r in out.bundle(2).rows(DrugExposure)] == [7, 8]
    assert out.tables["drug_exposure"].emitted == 4
    assert out.tables["drug_exposure"].noted["repeated_id"] == 1
    assert "drug_exposure.csv: drug_exposure_id repeats, 4 rows have 2 ids; all rows travel" in out.plan.notes


def test_header_is_believed_where_rows_disagree(folder: Any) -> None:
    """One of two rows has a field too many (a comma without quotes): it is counted, the other is read."""
    folder.persons(1)
    folder.write("note.csv", "note_id,person_id,note_date,note_text\n1,1,2001-01-01,a, b\n2,1,2001-01-02,c")

    out = folder.extract()

    assert [row.note_text for row in out.bundle(1).rows(Note)] == ["c"]
    assert out.tables["note"].left_behind == {"malformed": 1}


def test_order_of_the_file_does_not_matter(folder: Any) -> None:
    """The same rows in any order give the same bytes."""
    folder.persons(1, 2)
    folder.write("drug_exposure.csv", DRUGS)
    first = folder.extract().values
    header, *rows = DRUGS.strip().split("\n")

    folder.write("drug_exposure.csv", "\n".join([header, *reversed(rows)]))

    assert folder.extract().values == first


def test_a_first_row_longer_than_what_is_looked_at(folder: Any) -> None:
    """A text of a megabyte in the first row does not make the header look too long."""
    folder.persons(1)
    text = "Ω" * 1_000_000
    folder.write(
        "note.csv",
        "note_id,person_id,note_date,note_text,note_source_value\n"
        f'1,1,2001-01-01,"{text}",first\n2,1,2001-01-02,short,second\n',
    )

    out = folder.extract()

    notes = out.bundle(1).rows(Note)
    assert [(len(n.note_text or ""), n.note_source_value) for n in notes] == [
        (1_000_000, "first"),
        (5, "second"),
    ]
    assert not [n for n in out.plan.notes if "note.csv" in n]


def test_rows_of_nobody_are_counted_as_orphans(folder: Any) -> None:
    """Rows of persons that PERSON does not know travel in no bundle, wherever their ids lie."""
    folder.persons(10, 20)
    folder.write(
        "condition_occurrence.csv",
        """
        condition_occurrence_id,person_id,condition_concept_id
        1,5,100
        2,10,100
        3,15,100
        4,20,100
        5,99,100
        """,
    )

    out = folder.extract(slice_persons=1)

    assert len(out.plan.ranges) == 2
    assert out.tables["condition_occurrence"].read == 5
    assert out.tables["condition_occurrence"].emitted == 2
    assert out.tables["condition_occurrence"].left_behind == {"orphan": 3}


def test_visit_references_that_dangle_are_noted(folder: Any) -> None:
    """A reference to no visit, or to a visit of another person, is noted and kept as it is."""
    folder.persons(1, 2)
    folder.write("visit_occurrence.csv", "visit_occurrence_id,person_id\n50,1\n60,2")
    folder.write(
        "condition_occurrence.csv",
        """
        condition_occurrence_id,person_id,visit_occurrence_id
        1,1,50
        2,1,60
        3,1,70
        4,1,
        """,
    )

    out = folder.extract()

    assert out.tables["condition_occurrence"].noted["dangling_visit"] == 2
    assert [r.visit_occurrence_id for r in out.bundle(1).rows(ConditionOccurrence)] == [50, 60, 70, None]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("DEATH.CSV", "PERSON_ID,DEATH_DATE\n1,2001-02-03", id="shouted"),
        pytest.param("CDM_DEATH.csv", "person_id,death_date\n1,2001-02-03", id="prefixed"),
        pytest.param("deaths.csv", "person_id,death_date\n1,2001-02-03", id="plural"),
        pytest.param("death.csv", "person_id ,death_date  \n1,2001-02-03", id="blanks-in-header"),
        pytest.param("death.csv", "\ufeffperson_id,death_date\n1,2001-02-03", id="byte-order-mark"),
        pytest.param("death.csv", '"person_id","death_date"\n"1","2001-02-03"', id="quoted"),
        pytest.param("death.csv", "person_id\tdeath_date\n1\t2001-02-03", id="tabs-in-csv"),
        pytest.param("death.csv", "person_id;death_date\n1;2001-02-03", id="semicolons"),
        pytest.param("death.txt", "person_id|death_date\n1|2001-02-03", id="bars-in-txt"),
        pytest.param("death.csv", "person_id,death_date\r\n1,2001-02-03\r", id="windows-line-ends"),
        pytest.param("death.csv", "person_id,death_date\n1.0,2001-2-3", id="float-id-unpadded-date"),
        pytest.param("death.csv", "person_id,death_date\n1,20010203", id="date-without-dashes"),
        pytest.param("death.csv", "person_id,death_date\n1,03-FEB-2001", id="date-of-oracle"),
        pytest.param("death.csv", "person_id,death_date\n1,2001-02-03 00:00:00", id="datetime-for-date"),
        pytest.param("death.csv", "person_id,death_date\n1,2001-02-03,", id="comma-at-row-end"),
        pytest.param("death.csv", "person_id,death_date,\n1,2001-02-03", id="comma-at-header-end"),
        pytest.param("death.csv", 'person_id,death_date\n"row1",1,2001-02-03', id="row-names-of-r"),
        pytest.param(
            "death.csv", "death_date,extra,person_id\n2001-02-03,x,1", id="other-order-extra-column"
        ),
        pytest.param("2023/death_0001.csv", "person_id,death_date\n1,2001-02-03", id="numbered-in-folder"),
        pytest.param("death/x.csv", "person_id,death_date\n1,2001-02-03", id="folder-names-the-table"),
    ],
)
def test_file_is_understood(folder: Any, name: str, text: str) -> None:
    """However a file is named and laid out, the row is the same."""
    folder.persons(1)
    folder.write(name, text)

    out = folder.extract()

    assert out.bundle(1).rows(Death) == [Death(1, date(2001, 2, 3), None, None, None, None, None)]
    assert out.tables["death"].read == 1


def test_misnamed_file_is_understood(folder: Any) -> None:
    """DEVICES_EXPOSURE is DEVICE_EXPOSURE."""
    folder.persons(1)
    folder.write("DEVICES_EXPOSURE.csv", "DEVICE_EXPOSURE_ID,PERSON_ID\n4,1")

    assert [r.device_exposure_id for r in folder.extract().bundle(1).rows(DeviceExposure)] == [4]


@pytest.mark.parametrize(
    "packed", [gzip.compress, bz2.compress, lambda b: gzip.compress(b[:20]) + gzip.compress(b[20:])]
)
@pytest.mark.parametrize("suffix", [".gz", ".bz2", ""])
def test_packed_file_is_read_whatever_its_suffix(folder: Any, packed: Any, suffix: str) -> None:
    """gz (also of several members) and bz2 are told by their first bytes."""
    folder.persons(1)
    folder.write(f"death.csv{suffix}", packed(b"person_id,death_date\n1,2001-02-03\n"))

    assert len(folder.extract().bundle(1).rows(Death)) == 1


@pytest.mark.parametrize(
    ("written", "read"),
    [
        pytest.param("2001-02-03", "2001-02-03T00:00:00", id="date-only"),
        pytest.param("2001-2-3", "2001-02-03T00:00:00", id="unpadded"),
        pytest.param("2001-02-03 04:05:06", "2001-02-03T04:05:06", id="blank"),
        pytest.param("2001-02-03T04:05:06", "2001-02-03T04:05:06", id="T"),
        pytest.param("2001-02-03T04:05:06Z", "2001-02-03T04:05:06", id="T-and-Z"),
        pytest.param("2001-02-03T04:05:06+02:00", "2001-02-03T04:05:06", id="offset-keeps-wall-clock"),
        pytest.param("2001-02-03 04:05:06.5", "2001-02-03T04:05:06.500000", id="fraction"),
        pytest.param("", None, id="empty"),
        pytest.param("NA", None, id="missing-in-r"),
    ],
)
def test_datetimes_are_read_as_they_are_written(folder: Any, written: str, read: str | None) -> None:
    """The wall clock is kept; a DATE in a datetime column is its midnight; none is an unreadable cell."""
    folder.persons(1)
    folder.write("death.csv", f"person_id,death_datetime\n1,{written}")

    out = folder.extract()

    (row,) = out.bundle(1).rows(Death)
    assert (row.death_datetime and row.death_datetime.isoformat()) == read
    assert "unreadable_cell" not in out.tables["death"].noted


def test_unreadable_cells_become_null_and_are_noted(folder: Any) -> None:
    """A date that is none, a number with letters, a broken id: the row travels without them."""
    folder.persons(1)
    folder.write(
        "measurement.csv",
        """
        measurement_id,person_id,measurement_concept_id,measurement_date,value_as_number
        1,1,300,2001-02-30,5.5
        2,1,300,2001-02-03,high
        3,1,300.5,2001-02-03,inf
        4,1,300,2001-02-03,1e3
        """,
    )

    out = folder.extract()

    assert [
        (r.measurement_concept_id, r.measurement_date, r.value_as_number)
        for r in out.bundle(1).rows(Measurement)
    ] == [
        (300, None, 5.5),
        (300, date(2001, 2, 3), None),
        (None, date(2001, 2, 3), None),
        (300, date(2001, 2, 3), 1000.0),
    ]
    assert out.tables["measurement"].noted["unreadable_cell"] == 3


def test_rows_without_a_readable_key_are_left_behind(folder: Any) -> None:
    """A row needs its id and its person's; each that lacks one is counted with the reason."""
    folder.persons(1)
    folder.write(
        "condition_occurrence.csv",
        """
        condition_occurrence_id,person_id,condition_concept_id
        1,1,100
        x2,1,100
        ,1,100
        3,,100
        4,one,100
        5.5,1,100
        """,
    )

    out = folder.extract()

    assert out.tables["condition_occurrence"].emitted == 1
    assert out.tables["condition_occurrence"].left_behind == {"malformed": 4, "no_person_id": 1}


def test_lines_that_are_no_rows_are_counted(folder: Any) -> None:
    """Lines with too many or too few fields are malformed; their neighbours travel."""
    folder.persons(1)
    folder.write(
        "condition_occurrence.csv",
        """
        condition_occurrence_id,person_id,condition_source_value
        1,1,a
        2,1,a,b,c
        3,1
        4,1,"two
        lines, one field"
        5,1,e
        """,
    )

    out = folder.extract()

    assert [r.condition_source_value for r in out.bundle(1).rows(ConditionOccurrence)] == [
        "a",
        "two\nlines, one field",
        "e",
    ]
    assert out.tables["condition_occurrence"].left_behind == {"malformed": 2}
    assert out.tables["condition_occurrence"].read == 5


def test_second_row_of_a_person_is_left_behind(folder: Any) -> None:
    """Of two PERSON rows with one id the first by content travels, wherever it stands."""
    folder.write("person.csv", "person_id,year_of_birth\n1,1960\n1,1950\n2,1970")

    out = folder.extract()

    assert [row.year_of_birth for row in out.bundle(1).rows(Person)] == [1950]
    assert out.plan.persons == 2
    assert out.tables["person"].left_behind == {"duplicate_person": 1}


def test_births_in_the_future_are_noted(folder: Any) -> None:
    """The job was accepted in 2023; who is born in 2024 is odd and travels."""
    folder.write("person.csv", "person_id,year_of_birth\n1,2023\n2,2024")

    out = folder.extract()

    assert out.tables["person"].noted["future_birth"] == 1
    assert len(out.bundles) == 2


def test_concepts_are_resolved_at_the_source(folder: Any) -> None:
    """A bundle names the concepts of its rows, ascending; 0 is unmapped, what CONCEPT lacks unknown."""
    folder.persons(1, 2)
    folder.write(
        "concept.csv",
        """
        concept_id\tconcept_name\tdomain_id\tvocabulary_id\tconcept_class_id\tstandard_concept\tconcept_code\tvalid_start_date
        100\tAcute "viral" pharyngitis\tCondition\tSNOMED\tDisorder\tS\t363746003\t19700101
        90\tTyphus\tCondition\tSNOMED\tDisorder\t\t4834000\t19700101
        80\tUnused\tCondition\tSNOMED\tDisorder\tS\t1\t19700101
        """,
    )
    folder.write(
        "condition_occurrence.csv",
        """
        condition_occurrence_id,person_id,condition_concept_id,condition_type_concept_id
        1,1,100,32817
        2,1,90,32817
        3,1,0,
        4,2,100,
        """,
    )

    out = folder.extract()

    assert list(out.bundle(1).concept) == [90, 100]
    assert tuple(out.bundle(1).concept[100])[1:] == (
        "363746003",
        "SNOMED",
        'Acute "viral" pharyngitis',
        "Condition",
        "S",
    )
    assert list(out.bundle(2).concept) == [100]
    assert out.tables["condition_occurrence"].noted == {"unknown_concept": 2, "unmapped_concept": 1}
    assert [c.concept_id for c in out.records("concept")] == [90, 100]
    assert out.records("concept")[0].valid_start_date == date(1970, 1, 1)


def test_person_with_thousands_of_measurements_is_one_bundle(folder: Any) -> None:
    """3,000 rows stay together and in order."""
    folder.persons(1, 2)
    rows = "\n".join(f"{i},1,300,{i}.5" for i in range(3000, 0, -1))
    folder.write(
        "measurement.csv", f"measurement_id,person_id,measurement_concept_id,value_as_number\n{rows}"
    )

    out = folder.extract()

    assert [r.measurement_id for r in out.bundle(1).rows(Measurement)] == list(range(1, 3001))


def test_text_of_windows_is_read_with_a_note(folder: Any) -> None:
    """Bytes that are not UTF-8 are read as Western text, in every row."""
    folder.persons(1)
    folder.write(
        "note.csv", "note_id,person_id,note_text\n1,1,caf\xe9 \x96 gut\n2,1,\xa7\n".encode("latin-1")
    )

    out = folder.extract()

    assert [n.note_text for n in out.bundle(1).rows(Note)] == ["café – gut", "§"]
    assert "note.csv: is not UTF-8, read as cp1252" in out.plan.notes


def test_utf_16_is_read(folder: Any) -> None:
    """Exports of SQL Server may be UTF-16."""
    folder.persons(1)
    folder.write("note.csv", "note_id,person_id,note_text\n1,1,café\n".encode("utf-16"))

    assert folder.extract().bundle(1).rows(Note)[0].note_text == "café"


def test_text_travels_as_it_is(folder: Any) -> None:
    """Quotes, line ends, commas, control characters and characters beyond the BMP survive; empty is null."""
    folder.persons(1)
    folder.write(
        "note.csv",
        'note_id,person_id,note_title,note_text\n1,1,"","a ""b"", c\r\nd\te\x01 𝒳 </text>\\"\n'.encode(),
    )

    (note,) = folder.extract().bundle(1).rows(Note)

    assert note.note_title is None
    assert note.note_text == 'a "b", c\r\nd\te\x01 𝒳 </text>\\'


def test_line_ends_that_differ_are_read(folder: Any) -> None:
    """A file glued together from two systems is read leniently, and that is noted."""
    folder.persons(1)
    folder.write("death.csv", b"person_id,death_date\r\n1,2001-02-03\n1,2001-02-04\r\n")

    out = folder.extract()

    assert len(out.bundle(1).rows(Death)) == 2
    assert "death.csv: its line ends differ: read leniently" in out.plan.notes


def test_windows_line_ends_around_notes_of_unix_are_read(folder: Any) -> None:
    """A line end inside a field is none of the file's."""
    folder.persons(1)
    folder.write("note.csv", b'note_id,person_id,note_text\r\n1,1,"a\nb"\r\n2,1,c\r\n')

    assert [n.note_text for n in folder.extract().bundle(1).rows(Note)] == ["a\nb", "c"]


def test_columns_of_5_3_get_their_names_of_5_4(folder: Any) -> None:
    """Where a visit came from and led to has other names in CDM 5.3."""
    folder.persons(1)
    folder.write(
        "visit_occurrence.csv",
        """
        visit_occurrence_id,person_id,admitting_source_concept_id,admitting_source_value,discharge_to_concept_id,discharge_to_source_value
        1,1,8870,ED,8536,HOME
        """,
    )
    folder.write("visit_detail.csv", "visit_detail_id,person_id,visit_detail_parent_id\n2,1,77")

    out = folder.extract()

    (visit,) = out.bundle(1).rows(VisitOccurrence)
    assert (visit.admitted_from_concept_id, visit.admitted_from_source_value) == (8870, "ED")
    assert (visit.discharged_to_concept_id, visit.discharged_to_source_value) == (8536, "HOME")
    assert out.bundle(1).rows(VisitDetail)[0].parent_visit_detail_id == 77
    assert out.plan.cdm_version == "5.3"
    assert out.bundle(1).cdm_version == "5.3"


def test_costs_find_their_person_through_their_event(folder: Any) -> None:
    """COST has no person_id: the event knows. What no event explains is an orphan."""
    folder.persons(1, 2)
    folder.write("drug_exposure.csv", "drug_exposure_id,person_id\n7,1\n9,1\n9,2\n11,5")
    folder.write("visit_occurrence.csv", "visit_occurrence_id,person_id\n7,2")
    folder.write(
        "cost.csv",
        """
        cost_id,cost_event_id,cost_domain_id,total_cost
        1,7,Drug,10.25
        2,7,Visit,20
        3,8,Drug,30
        4,9,Drug,40
        5,7,Planet,50
        6,7,drug_exposure,60
        7,11,Drug,70
        """,
    )

    out = folder.extract(slice_persons=1)

    assert [(c.cost_id, c.total_cost) for c in out.bundle(1).rows(Cost)] == [(1, 10.25), (6, 60.0)]
    assert [c.cost_id for c in out.bundle(2).rows(Cost)] == [2]
    assert out.tables["cost"].read == 7
    assert out.tables["cost"].left_behind == {"ambiguous_event": 1, "orphan": 3}


def test_what_is_not_carried_is_named(folder: Any) -> None:
    """Tables that carebus does not carry, files that are no tables and columns of nobody are in the notes."""
    folder.persons(1)
    folder.write("fact_relationship.csv", "domain_concept_id_1,fact_id_1\n1,2\n3,4")
    folder.write("readme.txt", "hello")
    folder.write("death.csv", "person_id,death_date,favourite_colour\n1,2001-02-03,red")

    notes = folder.extract().plan.notes

    assert "fact_relationship is not carried: 2 rows left behind" in notes
    assert "no CDM table, so left behind: readme.txt" in notes
    assert "death.csv: not in the CDM, so left behind: favourite_colour" in notes


def test_covered_are_the_tables_that_the_source_has(folder: Any) -> None:
    """A file with a header alone is a table known to be empty; one that is missing is left alone."""
    folder.persons(1)
    folder.write("death.csv", "person_id,death_date")
    folder.write("note.csv", "note_id,person_id,note_text\n1,1,x")

    out = folder.extract(leave_out=["note"])

    assert out.bundle(1).covers == ("person", "death")
    assert "note" not in out.tables


def test_tables_may_come_in_parts(folder: Any) -> None:
    """Numbered files are one table, each with a header of its own."""
    folder.persons(1)
    folder.write("death_1.csv", "person_id,death_date\n1,2001-02-03")
    folder.write("death_2.csv", "death_date;person_id\n2001-02-04;1")

    assert [d.death_date for d in folder.extract().bundle(1).rows(Death)] == [
        date(2001, 2, 3),
        date(2001, 2, 4),
    ]
