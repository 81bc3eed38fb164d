"""Checks are those of the specification, and each finds what a person finds by hand."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from carebus_contracts.errors import JobError
from carebus_quality.checks import CHECKED, checks, reference
from carebus_quality.command import quality
from carebus_quality.comparing import Comparison, compare
from carebus_quality.engines import open_source
from carebus_quality.reporting import as_html, as_json, as_text

PERSON = """person_id,gender_concept_id,year_of_birth,month_of_birth,day_of_birth,race_concept_id,ethnicity_concept_id
1,8507,1980,2,30,0,0
2,,1990,,,999,0
3,8532,2000,1,1,0,0
"""
VISITS = """visit_occurrence_id,person_id,visit_concept_id,visit_start_date,visit_end_date,visit_type_concept_id
10,1,9202,2020-01-10,2020-01-11,0
11,3,9202,2020-01-10,2020-01-09,0
"""
CONDITIONS = """condition_occurrence_id,person_id,condition_concept_id,condition_start_date,condition_end_date,\
condition_type_concept_id,visit_occurrence_id
100,1,201826,2020-01-10,,32020,10
100,1,201826,2020-01-31,2020-01-30,32020,10
101,1,0,1979-12-31,,32020,77
102,3,7,2021-06-01,,32020,
103,99,201826,2020-01-01,,32020,
104,3,201826,not a day,,32020,
"""
DEATHS = "person_id,death_date\n3,2021-01-01\n"
CONCEPTS = """concept_id,concept_name,domain_id,vocabulary_id,concept_class_id,standard_concept,concept_code,\
valid_start_date,valid_end_date,invalid_reason
201826,a,Condition,SNOMED,x,S,1,19700101,20991231,
7,b,Condition,SNOMED,x,,2,19700101,20991231,D
8507,m,Gender,Gender,x,S,M,19700101,20991231,
8532,f,Gender,Gender,x,S,F,19700101,20991231,
9202,v,Visit,Visit,x,S,OP,19700101,20991231,
32020,t,Type Concept,Type Concept,x,S,T,19700101,20991231,
"""


def write(folder: Path, conditions: str = CONDITIONS) -> Path:
    folder.mkdir()
    for name, text in (
        ("person.csv", PERSON), ("VISIT_OCCURRENCE.csv", VISITS), ("condition_occurrence.csv", conditions),
        ("death.csv", DEATHS), ("concept.csv", CONCEPTS), ("notes.txt", "not a table"),
    ):  # fmt: skip
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """A source beside what a load makes of it: the row of the unknown person is not there."""
    home = tmp_path_factory.mktemp("quality")
    arrived = "".join(line for line in CONDITIONS.splitlines(keepends=True) if not line.startswith("103,"))
    with (
        open_source(write(home / "source"), "csv") as source,
        open_source(write(home / "target", arrived), "csv") as target,
    ):
        return compare(source, target, slug="lab")


def test_files_as_exports_write_them_are_read(tmp_path: Path) -> None:
    """Quoted line ends, tabs in a ``.csv``, marks of byte order, tables in several packed files, Oracle's days."""
    plain, odd = write(tmp_path / "plain"), write(tmp_path / "odd")
    header, *rows = CONDITIONS.splitlines()
    (odd / "condition_occurrence.csv").unlink()
    for number, some in enumerate((rows[:3], rows[3:]), 1):
        text = "\r\n".join((f"{header},condition_source_value", *(f'{row},"two\nlines"' for row in some)))
        with gzip.open(odd / f"CDM_CONDITION_OCCURRENCE_{number}.csv.gz", "wt", newline="") as file:
            file.write(text.replace("2020-01-31", "31-JAN-2020"))
    (odd / "person.csv").write_text("\ufeff" + PERSON.replace(",", "\t"), encoding="utf-8")

    with open_source(plain, "csv") as source, open_source(odd, "csv") as target:
        found = compare(source, target, slug="lab")

    assert [(one.source, one.target) for one in found.outcomes if one.source != one.target] == []


def test_each_check_finds_what_a_person_counts(found: Comparison) -> None:
    """All rows, then those that travel: the row of person 99 stays behind."""
    failing = {one.check.name: (one.source, one.travelled) for one in found.outcomes if one.source}
    conditions = {name: counts for name, counts in failing.items() if "condition_occurrence" in name}
    assert conditions == {
        "isPrimaryKey condition_occurrence.condition_occurrence_id": (1, 1),
        "isRequired condition_occurrence.condition_start_date": (1, 1),
        "isForeignKey condition_occurrence.person_id": (1, 0),
        "isForeignKey condition_occurrence.visit_occurrence_id": (1, 1),
        "standardConceptRecordCompleteness condition_occurrence.condition_concept_id": (1, 1),
        "isStandardValidConcept condition_occurrence.condition_concept_id": (1, 1),
        "plausibleAfterBirth condition_occurrence.condition_start_date": (1, 1),
        "plausibleBeforeDeath condition_occurrence.condition_start_date": (1, 1),
        "withinVisitDates condition_occurrence.condition_start_date": (1, 1),
        "withinVisitDates condition_occurrence.condition_end_date": (1, 1),
        "plausibleStartBeforeEnd condition_occurrence.condition_end_date": (1, 1),
        "measurePersonCompleteness condition_occurrence": (1, 1),
    }
    assert failing["isRequired person.gender_concept_id"] == (1, 1)
    assert failing["isForeignKey person.race_concept_id"] == (1, 1)
    assert failing["plausibleStartBeforeEnd visit_occurrence.visit_end_date"] == (1, 1)
    assert failing["measurePersonCompleteness visit_occurrence"] == (1, 1)
    assert found.unreadable == {"condition_occurrence.condition_start_date": 1}
    assert found.agrees


SOME_PERSON = """person_id,gender_concept_id,year_of_birth,race_concept_id,ethnicity_concept_id
1,8507,1980,0,0
"""
SOME_VISIT = "visit_occurrence_id,person_id,visit_concept_id,visit_start_date,visit_end_date\n"
SOME_CONDITION = """condition_occurrence_id,person_id,condition_concept_id,condition_start_date,visit_occurrence_id
1,1,8,2020-01-01,10
"""


def test_what_stays_behind_is_not_there_to_refer_to(tmp_path: Path) -> None:
    """A visit of an unknown person stays behind, so a condition that names it refers to nothing at the target."""
    for name, visit in (("source", "10,99,0,2020-06-01,2020-06-02\n"), ("target", "")):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "person.csv").write_text(SOME_PERSON)
        (folder / "visit_occurrence.csv").write_text(SOME_VISIT + visit)
        (folder / "condition_occurrence.csv").write_text(SOME_CONDITION)

    with open_source(tmp_path / "source", "csv") as source, open_source(tmp_path / "target", "csv") as target:
        found = compare(source, target, slug="lab")

    counts = {one.check.name: (one.source, one.travelled, one.target) for one in found.outcomes}
    assert counts["isForeignKey condition_occurrence.visit_occurrence_id"] == (0, 1, 1)
    assert counts["withinVisitDates condition_occurrence.condition_start_date"] == (1, 0, 0)
    assert found.agrees


@pytest.mark.parametrize(
    ("standing", "failures"),
    [(",", 1), ("C,", 1), ("S,D", 1), (",U", 1), ("S,", 0)],
    ids=["no standard", "classification", "deleted", "replaced", "standard and valid"],
)
def test_a_concept_is_standard_or_not(tmp_path: Path, standing: str, failures: int) -> None:
    """OMOP says that a concept is not standard by saying nothing."""
    standard, invalid = standing.split(",")
    (tmp_path / "person.csv").write_text(SOME_PERSON)
    (tmp_path / "condition_occurrence.csv").write_text(SOME_CONDITION)
    (tmp_path / "concept.csv").write_text(
        f"concept_id,standard_concept,invalid_reason\n8,{standard},{invalid}\n8507,S,\n"
    )

    with open_source(tmp_path, "csv") as source:
        found = compare(source, source, slug="lab")

    name = "isStandardValidConcept condition_occurrence.condition_concept_id"
    assert [one.source for one in found.outcomes if one.check.name == name] == [failures]


@pytest.mark.parametrize(
    "some", [{"persons": {"limit": 5}}, {"leave_out": ["note"]}], ids=["persons", "tables"]
)
def test_a_job_over_a_part_of_its_source_is_refused(tmp_path: Path, some: dict[str, object]) -> None:
    """What it left out would look lost."""
    job = {
        "kind": "extract",
        "source": "lab",
        "targets": ["postgres"],
        "omop": {"format": "csv", "path": "/x"},
    }
    file = tmp_path / "job.yaml"
    file.write_text(json.dumps(job | some))

    done = CliRunner().invoke(quality, ["run", "--target", "postgres", "--job", str(file)])

    assert done.exit_code == 2
    assert "only some persons or tables" in done.output


def test_results_hold_counts_and_no_cell(found: Comparison) -> None:
    """Text, JSON and page name what stays behind, and no value of any row."""
    text, page = as_text(found), as_html(found)
    assert "1 rows of condition_occurrence stay behind" in text
    assert "1 cells of condition_occurrence.condition_start_date cannot be read" in text
    assert as_json(found)["agrees"] is True
    for shown in (text, page, str(as_json(found))):
        assert "not a day" not in shown
        assert "1979" not in shown


def _specification(shared: Path, version: str) -> list[dict[str, str]]:
    with (shared / "omop" / "spec" / f"OMOP_CDMv{version}_Field_Level.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_required_columns_and_references_are_those_of_the_specification(shared: Path) -> None:
    """Column by column, for the tables that are checked."""
    rows = [r for r in _specification(shared, "5.4") if r["cdmTableName"] in CHECKED]
    required = {(r["cdmTableName"], r["cdmFieldName"]) for r in rows if r["isRequired"] == "Yes"}
    foreign = {
        (r["cdmTableName"], r["cdmFieldName"], r["fkTableName"].lower())
        for r in rows
        if r["isForeignKey"] == "Yes" and r["fkTableName"].lower() in (*CHECKED, "concept")
    }

    ours = {(c.table, c.column) for c in checks() if c.kind == "isRequired"}
    referring = {
        (c.table, c.column, parent[0] if (parent := reference(CHECKED[c.table], c.column)) else "concept")
        for c in checks()
        if c.kind == "isForeignKey"
    }

    assert ours == required
    assert foreign - referring == set()
    # What the specification forgets to mark, or marks as a reference to no table that is carried.
    assert {column for _, column, _ in referring - foreign} <= UNMARKED


UNMARKED = {"payer_plan_period_id"}


@pytest.mark.parametrize(
    ("files", "kind", "sentence"),
    [
        ({}, "csv", "holds no person table"),
        ({"person.csv": PERSON}, "parquet", "holds no person table"),
        (None, "csv", "there is no"),
        ({"person.csv": 'person_id\n"1'}, "csv", r"person of .* cannot be read as csv .*: look for"),
    ],
)
def test_a_source_that_is_none_is_named(
    tmp_path: Path, files: dict[str, str] | None, kind: str, sentence: str
) -> None:
    """One sentence that says what is missing."""
    place = tmp_path / "data"
    if files is not None:
        place.mkdir()
        for name, text in files.items():
            (place / name).write_text(text)

    with pytest.raises(JobError, match=sentence), open_source(place, kind):
        pass


def kinds(found: Sequence[object]) -> set[str]:
    return {getattr(one, "kind", "") for one in found}


def test_every_kind_of_check_is_there() -> None:
    """Those that follow from the specification; data types are told as cells that cannot be read."""
    assert kinds(checks()) == {
        "isRequired", "isPrimaryKey", "isForeignKey", "standardConceptRecordCompleteness",
        "isStandardValidConcept", "plausibleAfterBirth", "plausibleBeforeDeath", "plausibleStartBeforeEnd",
        "withinVisitDates", "measurePersonCompleteness",
    }  # fmt: skip
