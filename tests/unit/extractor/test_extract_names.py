"""Names out of the source: which table and columns, who has none, and what is wrong in one sentence."""

from __future__ import annotations

import pytest

from carebus_contracts.omop.bundle import GivenName

from .conftest import Folder

COLUMNS = {"mode": "column", "table": "person_names", "given": "First_Name", "family": "last_name"}


def two_persons(folder: Folder, names: str, file: str = "person_names.csv") -> None:
    """Write PERSON of 1 and 2, and a file of names."""
    folder.persons(1, 2)
    folder.write(file, names)


def test_without_a_word_nobody_gets_a_name(folder: Folder) -> None:
    """Pseudonyms are the converter's: the bundle says nothing."""
    folder.persons(1)

    out = folder.extract()

    assert out.bundle(1).name is None
    assert folder.extract(names="pseudonym").values == out.values


def test_synthetic_names_are_asked_for(folder: Folder) -> None:
    """Each bundle tells the converter to make a name up."""
    folder.persons(1, 2)

    assert [b.name for b in folder.extract(names="synthetic").bundles] == [GivenName(synthetic=True)] * 2


@pytest.mark.parametrize("file", ["person_names.csv", "PERSON_NAMES.txt", "person_names/part-1.csv"])
def test_names_stand_in_a_file_beside_person(folder: Folder, file: str) -> None:
    """Whatever the delimiter and the capitals; blanks around a name are none of it."""
    two_persons(folder, "last_name;PERSON_ID;first_name;tel\nLusab; 1; Bedin ;555\nBabad;2;Daroj;", file)

    out = folder.extract(names=COLUMNS | {"phone": "tel"})

    assert out.bundle(1).name == GivenName(given="Bedin", family="Lusab", phone="555")
    assert out.bundle(2).name == GivenName(given="Daroj", family="Babad")
    assert not any("pseudonym" in note for note in out.plan.notes)


def test_names_stand_in_person_itself(folder: Folder) -> None:
    """Columns of PERSON that the CDM does not know."""
    folder.write(
        "cdm_person.csv", "person_id,year_of_birth,fn,ln,mn,mail\n1,1950,Bedin,Lusab,T.,b@example.org"
    )

    out = folder.extract(
        names={"mode": "column", "given": "fn", "family": "ln", "middle": "mn", "email": "mail"}
    )

    assert out.bundle(1).name == GivenName(given="Bedin", family="Lusab", middle="T.", email="b@example.org")
    assert [p.year_of_birth for p in out.bundle(1).tables.person.rows] == [1950]


def test_who_has_no_name_is_counted(folder: Folder) -> None:
    """No row, an empty row and a row with a middle name only: the report's notes say how many."""
    folder.persons(1, 2, 3, 4)
    folder.write("person_names.csv", "person_id,first_name,last_name,mi\n1,Bedin,,\n2,,,X\n3,,,\n9,Daroj,,")

    out = folder.extract(names=COLUMNS | {"middle": "mi"})

    assert out.bundle(1).name == GivenName(given="Bedin")
    assert out.bundle(2).name == GivenName(middle="X")
    assert out.bundle(4).name is None
    assert (
        "names: 3 of 4 persons have neither a given nor a family name in person_names; "
        "they keep their pseudonyms" in out.plan.notes
    )


def test_only_persons_of_the_job_are_counted(folder: Folder) -> None:
    """A job of one person with a name has nothing to note."""
    two_persons(folder, "person_id,first_name,last_name\n1,Bedin,Lusab")

    notes = folder.extract(names=COLUMNS, persons={"limit": 1}).plan.notes

    assert not any("pseudonym" in note for note in notes)


def test_of_several_rows_the_first_by_content_counts(folder: Folder) -> None:
    """Whatever their order, and a row with a name before one without."""
    rows = ["1,Daroj,Babad", "1,,", "1,Bedin,Lusab"]
    found = set()
    for order in (rows, rows[::-1]):
        two_persons(folder, "\n".join(["person_id,first_name,last_name", *order]))
        found.add(folder.extract(names=COLUMNS).values[0])

    assert len(found) == 1
    assert b'"given":"Bedin"' in found.pop()


def test_other_columns_need_no_new_stage_of_the_source(folder: Folder) -> None:
    """Names have a stage of their own, beside the one of the tables."""
    two_persons(folder, "person_id,first_name,last_name,nick\n1,Bedin,Lusab,Bed")

    folder.extract(names=COLUMNS)
    folder.extract(names=COLUMNS | {"given": "nick"})

    stages = [path.name for path in folder.settings.stage_dir.iterdir() if (path / "manifest.json").exists()]
    assert len(stages) == 3
    assert len([name for name in stages if "-names-" in name]) == 2


def test_lines_that_are_no_rows_are_noted(folder: Folder) -> None:
    """A line with too few fields names nobody."""
    two_persons(folder, "person_id,first_name,last_name\n1,Bedin,Lusab\n2,Daroj")

    assert "person_names: 1 lines are no rows, so no names" in folder.extract(names=COLUMNS).plan.notes


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"table": "people"}, "names.table: the source has no people; it has person, person_names"),
        (
            {"given": "forename"},
            "names.given: person_names.csv has no column forename; it has person_id, first_name, last_name",
        ),
        (
            {"table": "person"},
            "names.given: person.csv has no column First_Name; it has person_id, year_of_birth",
        ),
    ],
)
def test_what_is_not_there_fails_the_plan(folder: Folder, change: dict[str, str], sentence: str) -> None:
    """The sentence names the setting, what is missing, and what there is."""
    two_persons(folder, "person_id,first_name,last_name\n1,Bedin,Lusab")

    assert folder.refused(names=COLUMNS | change) == sentence


def test_a_table_of_names_needs_a_person_id(folder: Folder) -> None:
    """Names of nobody are of no use."""
    two_persons(folder, "id,first_name,last_name\n1,Bedin,Lusab")

    assert folder.refused(names=COLUMNS) == (
        "names.table: person_names.csv has no column person_id; it has id, first_name, last_name"
    )
