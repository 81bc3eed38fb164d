"""The OMOP rows of patients that are made by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import Any

import pytest

from carebus_contracts.omop.catalog import PERSON_TABLES
from carebus_generator.domain.cohort import Diagnoses
from carebus_generator.domain.omop import OmopChunk, omop_tables
from carebus_generator.domain.omop.columns import values
from unit.generator.cohorts import HOUR, SURROUNDINGS, columns, three_patients
from unit.generator.cohorts import row as code_row


@pytest.fixture(scope="module")
def chunk() -> OmopChunk:
    return omop_tables(SURROUNDINGS, three_patients())


def rows(chunk: OmopChunk, name: str) -> list[dict[str, Any]]:
    """Return the rows of a table without their nulls."""
    table = chunk.tables[name]
    listed = {column: values(cells, len(table)) for column, cells in table.columns.items()}
    return [
        {column: cells[n] for column, cells in listed.items() if cells[n] is not None}
        for n in range(len(table))
    ]


def test_every_table_has_all_columns_of_the_cdm(chunk: OmopChunk) -> None:
    """Columns are those of CDM 5.4, in its order."""
    for name, table in chunk.tables.items():
        assert tuple(table.columns) == PERSON_TABLES[name].columns


def test_what_the_cdm_requires_is_there(chunk: OmopChunk) -> None:
    """No required column is ever null."""
    for name in chunk.tables:
        for row in rows(chunk, name):
            assert PERSON_TABLES[name].required <= row.keys(), name


def test_persons_are_numbered_from_the_base_and_named_by_service_numbers(chunk: OmopChunk) -> None:
    """Person id is base + index; sex, day of birth and nation are OMOP's way."""
    first, second, third = rows(chunk, "person")

    assert first == {
        "person_id": 1_010,
        "gender_concept_id": 8507,
        "year_of_birth": 1970,
        "month_of_birth": 1,
        "day_of_birth": 1,
        "race_concept_id": 0,
        "ethnicity_concept_id": 0,
        "location_id": 2,
        "person_source_value": "POL-SYNTHETIC-0000000011",
        "gender_source_value": "M",
        "gender_source_concept_id": 0,
        "race_source_concept_id": 0,
        "ethnicity_source_concept_id": 0,
    }
    assert (second["gender_concept_id"], second["month_of_birth"], second["day_of_birth"]) == (8532, 3, 1)
    assert (third["year_of_birth"], third["month_of_birth"], third["day_of_birth"]) == (1969, 12, 31)


def test_the_observed_time_reaches_from_injury_to_end(chunk: OmopChunk) -> None:
    """One period a patient, in days."""
    found = [
        (r["observation_period_id"], r["observation_period_start_date"], r["observation_period_end_date"])
        for r in rows(chunk, "observation_period")
    ]

    assert found == [
        (1_010_000, date(2025, 6, 1), date(2025, 6, 1)),
        (1_011_000, date(2025, 6, 2), date(2025, 6, 2)),
        (1_012_000, date(2025, 6, 3), date(2025, 6, 3)),
    ]


def test_only_those_who_came_to_a_facility_have_a_visit(chunk: OmopChunk) -> None:
    """Emergency and inpatient from Role 2, else emergency; killed in action has none."""
    first, third = rows(chunk, "visit_occurrence")

    assert first == {
        "visit_occurrence_id": 1_010_000,
        "person_id": 1_010,
        "visit_concept_id": 262,
        "visit_start_date": date(2025, 6, 1),
        "visit_start_datetime": datetime(2025, 6, 1, 6),  # noqa: DTZ001
        "visit_end_date": date(2025, 6, 1),
        "visit_end_datetime": datetime(2025, 6, 1, 13, 0, 1),  # noqa: DTZ001
        "visit_type_concept_id": 32817,
        "care_site_id": 1_002,
        "visit_source_value": "MIL:BATTLE",
        "visit_source_concept_id": 0,
        "admitted_from_concept_id": 0,
        "admitted_from_source_value": "POI",
        "discharged_to_concept_id": 0,
        "discharged_to_source_value": "DOW",
    }
    assert (third["person_id"], third["visit_concept_id"], third["care_site_id"]) == (1_012, 9203, 1_003)


def test_journeys_and_stays_follow_one_another(chunk: OmopChunk) -> None:
    """Each refers to the one before; who walked has a journey without a concept."""
    found = [
        (
            r["visit_detail_id"],
            r.get("preceding_visit_detail_id"),
            r["visit_detail_concept_id"],
            r["visit_detail_source_value"],
            r.get("care_site_id"),
            r["admitted_from_source_value"],
            r["discharged_to_source_value"],
            r["visit_occurrence_id"],
        )
        for r in rows(chunk, "visit_detail")
    ]

    assert found == [
        (1_010_000, None, 581478, "MIL:GROUND", None, "POI", "ROLE1", 1_010_000),
        (1_010_001, 1_010_000, 9203, "MIL:ROLE1", 1_001, "POI", "ROLE2", 1_010_000),
        (1_010_002, 1_010_001, 581478, "MIL:AIR", None, "ROLE1", "ROLE2", 1_010_000),
        (1_010_003, 1_010_002, 9201, "MIL:ROLE2", 1_002, "ROLE1", "DOW", 1_010_000),
        (1_012_000, None, 0, "MIL:WALKED", None, "POI", "ROLE1", 1_012_000),
        (1_012_001, 1_012_000, 9202, "MIL:ROLE1", 1_003, "POI", "RTD", 1_012_000),
    ]
    times = [
        (r["visit_detail_start_datetime"].hour, r["visit_detail_end_datetime"].hour)
        for r in rows(chunk, "visit_detail")
    ]
    assert times == [(6, 7), (7, 9), (9, 10), (10, 13), (9, 10), (10, 12)]


def test_a_mistaken_diagnosis_is_an_earlier_row_with_another_concept(chunk: OmopChunk) -> None:
    """Preliminary at Role 1, confirmed at Role 2; each with visit, stay and source code."""
    found = [
        (
            r["condition_occurrence_id"],
            r["condition_concept_id"],
            r["condition_source_value"],
            r["condition_status_source_value"],
            r.get("visit_occurrence_id"),
            r.get("visit_detail_id"),
        )
        for r in rows(chunk, "condition_occurrence")
    ]

    assert found == [
        (1_010_000, 4001336, "SNOMED:110030002", "preliminary", 1_010_000, 1_010_001),
        (1_010_001, 4094814, "SNOMED:262574004", "confirmed", 1_010_000, 1_010_003),
        (1_010_002, 4001336, "SNOMED:110030002", "confirmed", 1_010_000, 1_010_003),
        (1_011_000, 0, "SNOMED:31892009 Hemothorax", "preliminary", None, None),
        (1_012_000, 260139, "SNOMED:10509002", "preliminary", 1_012_000, 1_012_001),
    ]


def test_a_diagnosis_that_is_confirmed_is_no_second_condition() -> None:
    """A wound has one condition, from its first diagnosis on, and a mistake before it is another."""
    cohort = three_patients()
    bullet, concussion = code_row("bullet_wound"), code_row("concussion")
    said = Diagnoses(
        *columns(
            (0, 0, 0, concussion, 7 * HOUR, False),
            (0, 0, 1, concussion, 7 * HOUR + 60, False),
            (0, 1, 0, bullet, 10 * HOUR, True),
            (0, 1, 1, concussion, 10 * HOUR + 60, True),
        )
    )

    made = omop_tables(SURROUNDINGS, replace(cohort, diagnoses=said))

    found = [
        (
            r["condition_concept_id"],
            r["condition_status_source_value"],
            r["condition_start_datetime"].hour,
            r["visit_detail_id"],
        )
        for r in rows(made, "condition_occurrence")
    ]
    assert found == [
        (4001336, "preliminary", 7, 1_010_001),
        (4001336, "confirmed", 7, 1_010_001),
        (4094814, "confirmed", 10, 1_010_003),
    ]
    regions = [r for r in rows(made, "observation") if r["observation_source_value"] == "MIL:REGION"]
    assert [(r["value_as_string"], r["observation_event_id"]) for r in regions] == [("LIMB_LOWER", 1_010_002)]


def test_a_tourniquet_is_a_procedure_and_a_device(chunk: OmopChunk) -> None:
    """At the point of injury: in the visit, and in no stay."""
    procedures, (device,) = rows(chunk, "procedure_occurrence"), rows(chunk, "device_exposure")

    assert [(p["procedure_concept_id"], p.get("quantity")) for p in procedures] == [(0, None), (4108705, 2)]
    assert procedures[0]["procedure_source_value"] == "SNOMED:20655006 Application of tourniquet"
    assert procedures[0]["visit_occurrence_id"] == 1_010_000
    assert "visit_detail_id" not in procedures[0]
    assert device["device_source_value"] == "MIL:DEVICE:TOURNIQUET"
    assert device["device_exposure_start_datetime"] == datetime(2025, 6, 1, 6, 1)  # noqa: DTZ001


def test_drugs_have_dose_unit_and_route(chunk: OmopChunk) -> None:
    """7.5 mg of morphine into a vein."""
    (drug,) = rows(chunk, "drug_exposure")

    assert (drug["drug_concept_id"], drug["quantity"], drug["dose_unit_source_value"]) == (1110410, 7.5, "mg")
    assert (drug["route_source_value"], drug["days_supply"]) == ("intravenous", 1)


def test_measurements_have_units_and_the_blood_group_is_one(chunk: OmopChunk) -> None:
    """Rows in the order of time for each patient's ids; the group is typed at the first Role 2."""
    found = [
        (
            r["measurement_id"],
            r["measurement_concept_id"],
            r.get("value_as_number"),
            r.get("unit_concept_id"),
            r["measurement_source_value"],
            r.get("value_source_value"),
        )
        for r in rows(chunk, "measurement")
    ]

    assert found == [
        (1_010_000, 3027018, 118.0, 8541, "LOINC:8867-4", None),
        (1_010_001, 3020891, 36.6, 586323, "LOINC:8310-5", None),
        (1_010_002, 0, None, None, "LOINC:882-1 ABO and Rh group [Type] in Blood", "A-"),
        (1_012_000, 0, 15.0, 0, "LOINC:9269-2 Glasgow coma score total", None),
    ]


def test_deaths_say_cause_and_way(chunk: OmopChunk) -> None:
    """The cause is the fatal wound as it truly was."""
    assert rows(chunk, "death") == [
        {
            "person_id": 1_010,
            "death_date": date(2025, 6, 1),
            "death_datetime": datetime(2025, 6, 1, 13, 0, 1),  # noqa: DTZ001
            "death_type_concept_id": 32817,
            "cause_concept_id": 4094814,
            "cause_source_value": "DOW SNOMED:262574004",
            "cause_source_concept_id": 0,
        },
        {
            "person_id": 1_011,
            "death_date": date(2025, 6, 2),
            "death_datetime": datetime(2025, 6, 2, 23, 59, 59),  # noqa: DTZ001
            "death_type_concept_id": 32817,
            "cause_concept_id": 0,
            "cause_source_value": "KIA SNOMED:31892009 Hemothorax",
            "cause_source_concept_id": 0,
        },
    ]


def test_observations_tell_what_the_exercise_knows(chunk: OmopChunk) -> None:
    """Facts of the event, triage when it changes, regions that no code names, the return: what no other row says."""
    told = [
        (
            r["observation_source_value"],
            r.get("value_as_string", r.get("value_as_number")),
            r.get("visit_detail_id"),
            r.get("observation_event_id"),
        )
        for r in rows(chunk, "observation")
        if r["person_id"] == 1_010
    ]

    assert told == [
        ("MIL:EVENT", "0000000000000abc", None, None),
        ("MIL:MECHANISM", "GUNSHOT", None, None),
        ("MIL:WARFARE", "artillery", None, None),
        ("MIL:MASCAL", "yes", None, None),
        ("MIL:ENVIRONMENT", "rain+fog", None, None),
        ("MIL:POSTURE", "contested", None, None),
        ("MIL:TRIAGE", "T1", None, None),
        ("MIL:ISS", 25.0, None, None),
        ("MIL:TRIAGE", "T2", 1_010_003, None),
        ("MIL:REGION", "LIMB_LOWER", 1_010_003, 1_010_001),
    ]
    second, third = (
        [
            (r["observation_source_value"], r.get("value_as_string"))
            for r in rows(chunk, "observation")
            if r["person_id"] == who
        ]
        for who in (1_011, 1_012)
    )
    assert {("MIL:KIND", "BATTLE"), ("MIL:FRONT", "North"), ("MIL:SPECIAL", "ambush")} <= set(second)
    assert ("MIL:RTD", "yes") in third
    third_codes = [code for code, _ in third]
    assert third_codes.count("SNOMED:91936005 Allergy to penicillin") == 1
    assert not {
        "MIL:ENVIRONMENT",
        "MIL:REGION",
        "MIL:MECHANISM",
        "MIL:WARFARE",
        "MIL:KIND",
        "MIL:FRONT",
        "MIL:ISS",
    } & {*third_codes}
    fields = {
        r["obs_event_field_concept_id"] for r in rows(chunk, "observation") if "observation_event_id" in r
    }
    assert fields == {1147127}


def test_source_values_fit_their_columns(chunk: OmopChunk) -> None:
    """Whatever CDM 5.4 limits to 50 or 60 characters is no longer than that."""
    for name in chunk.tables:
        for row in rows(chunk, name):
            for column, value in row.items():
                if isinstance(value, str):
                    assert len(value) <= (60 if column == "value_as_string" else 50), (name, column)
