"""The header says who the patient is, no more precisely than the source does."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from carebus_contracts.errors import ConfigurationError
from carebus_contracts.omop.death import Death
from carebus_contracts.omop.observation_period import ObservationPeriod
from carebus_converter.domain.ccda import DocumentSettings
from carebus_converter.domain.identity import pseudonym
from unit.converter.ccda.factories import (
    DAY,
    SETTINGS,
    a_condition,
    a_document,
    a_person,
    a_row,
    attributes,
    find,
    find_all,
    parsed,
)

CCD = "2.16.840.1.113883.10.20.22.1.2"
PATIENT = ".//c:recordTarget/c:patientRole/c:patient"


def test_document_declares_the_ccd_after_the_header() -> None:
    """Both templates stand there with version and bare; the third is the CCD, where OpenEMR looks."""
    root = parsed(a_document(a_person()))

    templates = [
        (t.get("root"), t.get("extension")) for t in find_all(root, "/c:ClinicalDocument/c:templateId")
    ]

    assert templates == [
        ("2.16.840.1.113883.10.20.22.1.1", "2015-08-01"),
        ("2.16.840.1.113883.10.20.22.1.1", None),
        (CCD, "2015-08-01"),
        (CCD, None),
    ]


@pytest.mark.parametrize(
    ("concept_id", "code", "name"),
    [(8507, "M", "Male"), (8532, "F", "Female"), (8521, "UN", "Undifferentiated")],
    ids=["male", "female", "other"],
)
def test_gender_is_an_hl7_code_with_its_name(concept_id: int, code: str, name: str) -> None:
    """OpenEMR reads the display name."""
    root = parsed(a_document(a_person(gender_concept_id=concept_id)))

    gender = attributes(find(root, f"{PATIENT}/c:administrativeGenderCode"))

    assert gender == {"code": code, "codeSystem": "2.16.840.1.113883.5.1", "displayName": name}


def test_unmapped_gender_keeps_the_sources_word() -> None:
    """Concept 0 is unknown, not another gender."""
    root = parsed(a_document(a_person(gender_concept_id=0, gender_source_value="X<1>")))

    gender = find(root, f"{PATIENT}/c:administrativeGenderCode")

    assert attributes(gender) == {"nullFlavor": "UNK"}
    assert find(gender, "c:originalText").text == "X<1>"


@pytest.mark.parametrize(
    ("concept_id", "code"),
    [(8527, "2106-3"), (8516, "2054-5"), (8515, "2028-9"), (8657, "1002-5"), (8557, "2076-8")],
)
def test_race_is_a_cdc_code(concept_id: int, code: str) -> None:
    """The five races of the OMB, in the CDC's code system."""
    race = find(parsed(a_document(a_person(race_concept_id=concept_id))), f"{PATIENT}/c:raceCode")

    assert (race.get("code"), race.get("codeSystem")) == (code, "2.16.840.1.113883.6.238")


@pytest.mark.parametrize(("concept_id", "code"), [(38003563, "2135-2"), (38003564, "2186-5")])
def test_ethnic_group_is_a_cdc_code(concept_id: int, code: str) -> None:
    """Hispanic or not."""
    group = find(
        parsed(a_document(a_person(ethnicity_concept_id=concept_id))), f"{PATIENT}/c:ethnicGroupCode"
    )

    assert (group.get("code"), group.get("codeSystem")) == (code, "2.16.840.1.113883.6.238")


@pytest.mark.parametrize(
    ("year", "month", "day", "expected"),
    [
        (1967, None, None, "1967"),
        (1967, 3, None, "196703"),
        (1967, 3, 4, "19670304"),
        (1967, None, 4, "1967"),
        (1967, 2, 30, "196702"),
        (1967, 13, 1, "1967"),
        (None, None, None, None),
    ],
    ids=["year", "month", "day", "day-without-month", "no-such-day", "no-such-month", "nothing"],
)
def test_birth_time_is_only_as_precise_as_given(
    year: int | None, month: int | None, day: int | None, expected: str | None
) -> None:
    """A birth day is not made up."""
    person = a_person(year_of_birth=year, month_of_birth=month, day_of_birth=day)

    born = find(parsed(a_document(person)), f"{PATIENT}/c:birthTime")

    assert born.get("value") == expected
    assert born.get("nullFlavor") == (None if expected else "UNK")


def test_death_stands_directly_behind_birth() -> None:
    """The extension's place in the schema."""
    death = a_row(Death, death_date=date(2024, 1, 10))

    patient = find(parsed(a_document(a_person(), death)), PATIENT)

    names = [str(child.tag).rpartition("}")[2] for child in patient]
    assert names[2:5] == ["birthTime", "deceasedInd", "deceasedTime"]
    assert [child.get("value") for child in patient[3:5]] == ["true", "20240110"]


def test_document_time_is_that_of_the_latest_record() -> None:
    """No clock: an end counts as well as a start."""
    root = parsed(a_document(a_person(), a_condition(condition_end_date=date(2021, 5, 6))))

    assert find(root, "/c:ClinicalDocument/c:effectiveTime").get("value") == "20210506000000+0000"
    assert find(root, ".//c:author/c:time").get("value") == "20210506000000+0000"


@pytest.mark.parametrize(
    ("year", "month", "expected"),
    [(1967, 3, "19670301000000+0000"), (None, None, "19000101000000+0000")],
    ids=["birth-month", "no-date-at-all"],
)
def test_undated_records_still_have_a_document_time(
    year: int | None, month: int | None, expected: str
) -> None:
    """The standard wants a day; it never comes from a clock."""
    root = parsed(a_document(a_person(year_of_birth=year, month_of_birth=month)))

    assert find(root, "/c:ClinicalDocument/c:effectiveTime").get("value") == expected


def test_release_date_of_the_source_wins() -> None:
    """A released data set speaks of its release."""
    settings = DocumentSettings(released=date(2022, 10, 10), utc_offset="-0500")

    root = parsed(a_document(a_person(), a_condition(), settings=settings))

    assert find(root, "/c:ClinicalDocument/c:effectiveTime").get("value") == "20221010000000-0500"


def test_service_event_spans_records_and_observation_periods() -> None:
    """The care that the document tells of, from the first day to the last."""
    period = a_row(
        ObservationPeriod,
        observation_period_id=1,
        observation_period_start_date=date(1990, 1, 1),
        observation_period_end_date=date(2019, 1, 1),
    )

    root = parsed(a_document(a_person(), period, a_condition(condition_start_date=DAY)))

    service = ".//c:documentationOf/c:serviceEvent[@classCode='PCPR']/c:effectiveTime"
    assert find(root, f"{service}/c:low").get("value") == "19900101"
    assert find(root, f"{service}/c:high").get("value") == "20200314"


def test_patient_has_id_and_pseudonym() -> None:
    """The id leads back to the source; the name is marked as a pseudonym."""
    root = parsed(a_document(a_person(person_id=77), person_id=77))

    name = find(root, f"{PATIENT}/c:name")

    ident = attributes(find(root, ".//c:patientRole/c:id"))
    assert ident == {"root": "2.16.840.1.113883.3.9999.1.1", "extension": "77"}
    assert name.get("use") == "P"
    assert (name[0].text, name[1].text) == pseudonym("lab", 77)


def test_author_is_a_device() -> None:
    """No person wrote the document."""
    root = parsed(a_document(a_person()))

    author = find(root, ".//c:assignedAuthor")

    assert find(author, "c:assignedAuthoringDevice/c:softwareName").text == "carebus converter"
    assert find(author, "c:representedOrganization/c:name").text == "General Hospital"


def test_site_without_oid_gets_one_for_each_source() -> None:
    """Ids of two sources never meet, and are stable."""
    roots = {DocumentSettings().root_for(source) for source in ("lab", "clinic", "lab")}

    assert len(roots) == 2
    assert all(root.startswith("2.25.") for root in roots)
    assert SETTINGS.root_for("lab") == "2.16.840.1.113883.3.9999.1"


@pytest.mark.parametrize(
    "wrong", [{"id_root": "urn:oid:1.2"}, {"utc_offset": "Z"}, {"language": "English"}], ids=str
)
def test_impossible_settings_are_refused_at_once(wrong: dict[str, str]) -> None:
    """Rather than a thousand invalid documents."""
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        DocumentSettings(**wrong)  # type: ignore[arg-type]


def test_time_of_day_carries_the_zone_and_midnight_is_a_date() -> None:
    """OMOP pads dates with midnight; a real time is kept with the site's zone."""
    at = a_row(Death, death_date=DAY, death_datetime=datetime(2020, 3, 14, 15, 9, 26))  # noqa: DTZ001
    padded = a_row(Death, death_date=DAY, death_datetime=datetime(2020, 3, 14))  # noqa: DTZ001

    roots = [parsed(a_document(a_person(), death)) for death in (at, padded)]

    times = [find(root, ".//sdtc:deceasedTime").get("value") for root in roots]
    assert times == ["20200314150926+0000", "20200314"]
