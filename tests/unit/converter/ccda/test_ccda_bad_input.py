"""What a document makes of records that cannot be: each case as docs/architecture/ccda.md states it."""

from __future__ import annotations

import time
from datetime import date, datetime
from typing import NamedTuple

import pytest

from carebus_contracts.omop.death import Death
from carebus_converter.domain.ccda import DocumentSettings
from unit.converter.ccda import factories as f
from unit.converter.ccda.factories import a_document, a_row, attributes, find, find_all, parsed, section

UNKNOWN_ID = 987_654
EARLIER = date(2019, 1, 1)
FAR = date(2099, 12, 31)


def with_unknown_concepts(row: NamedTuple) -> NamedTuple:
    """Return a row all of whose concepts the bundle does not carry."""
    return row._replace(**{name: UNKNOWN_ID for name in row._fields if name.endswith("_concept_id")})


def many_measurements(count: int = 20_000) -> list[NamedTuple]:
    """Return so many results and vital signs of one moment."""
    moment = datetime(2020, 3, 14, 9)  # noqa: DTZ001
    return [
        f.a_measurement(
            f.SYSTOLIC if number % 2 else f.GLUCOSE,
            measurement_id=number,
            measurement_datetime=moment,
            value_as_number=float(number),
            unit_concept_id=f.MM_HG.concept_id,
        )
        for number in range(count)
    ]


ROWS: list[NamedTuple] = [
    f.a_condition(),
    f.a_drug(),
    f.a_measurement(),
    f.an_observation(),
    f.a_procedure(),
    f.a_device(),
    f.a_visit(),
]
BACKWARDS: list[NamedTuple] = [
    f.a_condition(condition_end_date=EARLIER),
    f.a_drug(drug_exposure_end_date=EARLIER),
    f.a_procedure(procedure_end_date=EARLIER),
    f.a_device(device_exposure_end_date=EARLIER),
    f.a_visit(visit_end_date=EARLIER),
]
DEAD_BEFORE_BORN: list[NamedTuple] = [
    f.a_person(year_of_birth=2000),
    a_row(Death, death_date=date(1990, 5, 6)),
]
IN_2099: list[NamedTuple] = [f.a_condition(condition_start_date=FAR)]
NO_GENDER: list[NamedTuple] = [f.a_person(gender_concept_id=0)]
NO_UNITS: list[NamedTuple] = [
    f.a_measurement(value_as_number=5.0),
    f.a_measurement(f.SYSTOLIC, measurement_id=2, value_as_number=120.0),
]
ODD_UNITS: list[NamedTuple] = [
    f.a_measurement(value_as_number=5.0, unit_source_value="stone & a half"),
    f.a_measurement(f.SYSTOLIC, measurement_id=2, value_as_number=16.0, unit_source_value="kilo-pascal?"),
    f.a_measurement(measurement_id=3, value_as_number=5.0, unit_concept_id=UNKNOWN_ID),
]
TWO_PERSONS: list[NamedTuple] = [f.a_person(year_of_birth=1970), f.a_person(year_of_birth=1967)]

CASES: dict[str, list[NamedTuple]] = {
    "unknown-concepts": [with_unknown_concepts(row) for row in ROWS],
    "end-before-start": BACKWARDS,
    "birth-after-death": DEAD_BEFORE_BORN,
    "year-2099": IN_2099,
    "no-gender": NO_GENDER,
    "no-units": NO_UNITS,
    "odd-units": ODD_UNITS,
    "two-persons": TWO_PERSONS,
}
"""Bad input by what is bad; their documents are put before the validator in the integration tests."""


@pytest.mark.parametrize("row", ROWS, ids=lambda row: type(row).__name__)
def test_concept_that_the_bundle_does_not_know_is_an_entry_with_its_number(row: NamedTuple) -> None:
    """Unknown to us is not unknown to the source; nothing is guessed and nothing left out."""
    made = a_document(with_unknown_concepts(row))

    root = parsed(made)
    assert made.not_mapped == {}
    assert len(find_all(root, ".//c:entry")) == 1
    assert not find_all(root, f".//*[@code='{UNKNOWN_ID}']")
    shown = "Encounter" if isinstance(row, type(f.a_visit())) else f"OMOP concept {UNKNOWN_ID}"
    assert shown in {cell.text for cell in find_all(root, ".//c:td")}


@pytest.mark.parametrize("row", BACKWARDS, ids=lambda row: type(row).__name__)
def test_end_before_start_is_unknown_in_the_entry_and_shown_to_people(row: NamedTuple) -> None:
    """HL7 has no such interval; the reader is to see what the source says."""
    root = parsed(a_document(row))

    highs = find_all(root, ".//c:entry//c:effectiveTime/c:high")
    assert highs
    assert {high.get("nullFlavor") for high in highs} == {"UNK"}
    assert "2019-01-01" in {cell.text for cell in find_all(root, ".//c:td")}


def test_birth_after_death_stands_as_the_source_has_it() -> None:
    """Which of the two is wrong nobody here can tell."""
    patient = find(parsed(a_document(*DEAD_BEFORE_BORN)), ".//c:patient")

    assert find(patient, "c:birthTime").get("value") == "2000"
    assert find(patient, "sdtc:deceasedTime").get("value") == "19900506"


def test_date_in_2099_stands_and_is_the_documents_unless_the_site_says_when() -> None:
    """A converter without a clock cannot know the future from the past."""
    undated = parsed(a_document(*IN_2099))
    dated = parsed(a_document(*IN_2099, settings=DocumentSettings(released=date(2024, 2, 29))))

    assert find(undated, ".//c:act/c:effectiveTime/c:low").get("value") == "20991231"
    assert find(undated, "/c:ClinicalDocument/c:effectiveTime").get("value") == "20991231000000+0000"
    assert find(dated, "/c:ClinicalDocument/c:effectiveTime").get("value") == "20240229000000+0000"


def test_missing_gender_is_unknown() -> None:
    """Never a guess; the source's word for it stays."""
    said = f.a_person(gender_concept_id=0, gender_source_value="divers")

    silent = find(parsed(a_document(*NO_GENDER)), ".//c:administrativeGenderCode")
    told = find(parsed(a_document(said)), ".//c:administrativeGenderCode")

    assert attributes(silent) == {"nullFlavor": "UNK"}
    assert find(told, "c:originalText").text == "divers"


def test_number_without_unit_is_a_result_of_unit_one() -> None:
    """A vital sign needs a unit, so that one without stands among the results."""
    root = parsed(a_document(*NO_UNITS))

    values = find_all(section(root, "30954-2"), ".//c:observation/c:value")
    assert [attributes(value) for value in values] == [
        {"xsi:type": "PQ", "value": "5", "unit": "1"},
        {"xsi:type": "PQ", "value": "120", "unit": "1"},
    ]
    assert section(root, "8716-3").get("nullFlavor") == "NI"


def test_unit_that_is_no_ucum_is_a_comment_and_the_number_untouched() -> None:
    """Documents convert no units: they say what was measured."""
    root = parsed(a_document(*ODD_UNITS))

    assert sorted(str(value.get("unit")) for value in find_all(root, ".//c:value[@unit]")) == [
        "1",
        "{kilo-pascal?}",
        "{stone_a_half}",
    ]
    assert {"stone & a half", "kilo-pascal?"} <= {cell.text for cell in find_all(root, ".//c:td")}


@pytest.mark.parametrize("rows", [TWO_PERSONS, TWO_PERSONS[::-1]], ids=["one-way", "other-way"])
def test_second_person_row_is_counted_and_the_first_by_content_stands(rows: list[NamedTuple]) -> None:
    """Whichever came first: the document depends on no order."""
    made = a_document(*rows)

    assert find(parsed(made), ".//c:birthTime").get("value") == "1967"
    assert made.not_mapped == {"person": {"repeated_person": 1}}


def test_person_with_20_000_measurements_has_them_all() -> None:
    """In seconds, with ids of their own."""
    rows = many_measurements()

    began = time.process_time()
    made = a_document(*rows)
    spent = time.process_time() - began

    root = parsed(made)
    ids = [e.get("extension") for e in find_all(root, ".//c:component/c:observation/c:id")]
    assert len(ids) == len(set(ids)) == 20_000
    assert max(len(find_all(o, "c:component")) for o in find_all(root, ".//c:organizer")) <= 9
    assert spent < 10
