"""Bundles become what OpenEMR is to hold: every row is mapped or counted, in any order the same bytes."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import orjson
import pytest

from carebus_contracts.omop.bundle import GivenName, ReferredTables
from carebus_contracts.omop.catalog import PERSON_TABLES, REFERENCE_TABLES
from carebus_converter.domain.openemr import plan
from unit.converter.openemr.factories import SETTINGS, a_bundle, a_row, rows_of, without_uuid


def test_person() -> None:
    """OpenEMR's options, a pseudonym, the whole id as the visible label, and the first for a withheld day."""
    parts = plan(
        a_bundle(
            person=[
                a_row(
                    "person", gender_concept_id=8532, year_of_birth=1958, month_of_birth=4,
                    race_concept_id=8515, ethnicity_concept_id=38003563,
                )
            ]
        ),
        settings=SETTINGS,
    )  # fmt: skip

    (row,) = rows_of(parts, "patient_data")
    name = {row.pop("fname"), row.pop("lname")}
    assert without_uuid(row) == {
        "pubpid": "lab:7",
        "DOB": "1958-04-01",
        "sex": "Female",
        "race": "Asian",
        "ethnicity": "hisp_or_latin",
    }
    assert len(name) == 2
    assert all(part.isalpha() for part in name)


def test_name_address_and_ways_to_reach_somebody() -> None:
    """All that the source knows; a known address has all of its columns, so that a moved person moves."""
    name = GivenName(prefix="Dr", given="Bedin", family="Lusab", phone="555 0100")
    person = [a_row("person", location_id=5)]
    place = {"location_id": 5, "address_1": "1 Long Lane", "address_2": "Flat 2", "state": "MA"}
    place |= {"country_source_value": "United States"}
    rows = [[place.get(column) for column in REFERENCE_TABLES["location"].columns]]
    location = {"columns": REFERENCE_TABLES["location"].columns, "rows": rows}
    bundle = a_bundle(person=person).model_copy(
        update={
            "name": name,
            "refers": ReferredTables.model_validate_json(orjson.dumps({"location": location})),
        }
    )

    (row,) = rows_of(plan(bundle, settings=SETTINGS), "patient_data")

    assert {
        c: v for c, v in row.items() if c not in ("uuid", "pubpid", "DOB", "sex", "race", "ethnicity")
    } == {
        "title": "Dr",
        "fname": "Bedin",
        "mname": "",
        "lname": "Lusab",
        "suffix": "",
        "street": "1 Long Lane, Flat 2",
        "city": "",
        "state": "MA",
        "postal_code": "",
        "country_code": "USA",
        "phone_home": "555 0100",
        "email": "",
    }


def test_what_the_source_does_not_know_is_left_to_openemr() -> None:
    """An address that somebody typed in there is not emptied by a source without addresses."""
    bundle = a_bundle().model_copy(update={"name": GivenName(synthetic=True)})

    (row,) = rows_of(plan(bundle, settings=SETTINGS), "patient_data")

    assert set(row) == {"uuid", "pubpid", "fname", "lname", "DOB", "sex", "race", "ethnicity"}


def test_unknown_sex_and_race_have_options_too() -> None:
    """OpenEMR's list of sexes has no "Other"; no race is no option."""
    (row,) = rows_of(
        plan(a_bundle(person=[a_row("person", gender_concept_id=8521)]), settings=SETTINGS), "patient_data"
    )

    assert (row["sex"], row["race"], row["DOB"]) == ("UNK", "", None)


@pytest.mark.parametrize(
    ("cells", "born"),
    [
        ({"year_of_birth": 1980, "month_of_birth": 2, "day_of_birth": 30}, "1980-02-01"),
        ({"year_of_birth": 1980, "month_of_birth": 13, "day_of_birth": 5}, "1980-01-01"),
        ({"year_of_birth": 1980, "day_of_birth": 5}, "1980-01-01"),
        ({"year_of_birth": 0}, None),
        ({"year_of_birth": 12345}, None),
        ({"year_of_birth": 2099, "month_of_birth": 1, "day_of_birth": 1}, "2099-01-01"),
    ],
)
def test_impossible_birth_dates_do_not_cost_the_chart(cells: dict[str, Any], born: str | None) -> None:
    """What is possible of the date stands; OpenEMR's column takes real days only."""
    (row,) = rows_of(plan(a_bundle(person=[a_row("person", **cells)]), settings=SETTINGS), "patient_data")

    assert row["DOB"] == born


@pytest.mark.parametrize("seed", range(3))
def test_a_second_person_or_death_row_is_counted(seed: int) -> None:
    """The first by content is in the chart, whatever the order."""
    parts = plan(
        a_bundle(
            seed=seed,
            person=[a_row("person", year_of_birth=1960), a_row("person", year_of_birth=1950)],
            death=[a_row("death", death_date=date(2021, 1, 1)), a_row("death", death_date=date(2020, 1, 1))],
        ),
        settings=SETTINGS,
    )

    (patient,), (death,) = rows_of(parts, "patient_data"), rows_of(parts, "patient_data.death")
    assert (patient["DOB"], death["deceased_date"]) == ("1950-01-01", "2020-01-01 00:00:00")
    assert parts.not_mapped["person"] == parts.not_mapped["death"] == {"repeated_person": 1}


def test_death_without_a_day_is_counted() -> None:
    """OpenEMR knows the dead by the date: the chart would be of somebody alive, and nobody told."""
    parts = plan(a_bundle(death=[a_row("death", cause_source_value="fever")]), settings=SETTINGS)

    assert rows_of(parts, "patient_data.death") == []
    assert parts.not_mapped == {"death": {"no_date": 1}}


def test_death() -> None:
    """Date and cause go to the row of the patient."""
    parts = plan(
        a_bundle(death=[a_row("death", death_date=date(2020, 2, 3), cause_concept_id=201826)]),
        settings=SETTINGS,
    )

    (patient,), (death,) = rows_of(parts, "patient_data"), rows_of(parts, "patient_data.death")
    assert death == {
        "uuid": patient["uuid"],
        "deceased_date": "2020-02-03 00:00:00",
        "deceased_reason": "Type 2 diabetes mellitus",
    }


def test_condition_with_codes_and_end() -> None:
    """Standard and billing code side by side; an end means resolved."""
    parts = plan(
        a_bundle(
            condition_occurrence=[
                a_row(
                    "condition_occurrence", condition_concept_id=201826,
                    condition_source_concept_id=45552385, condition_start_date=date(2011, 6, 2),
                    condition_start_datetime=datetime(2011, 6, 2, 8, 30),  # noqa: DTZ001 - OMOP's have no zone
                    condition_end_date=date(2012, 1, 1),
                )
            ]
        ),
        settings=SETTINGS,
    )  # fmt: skip

    (row,) = rows_of(parts, "lists.condition_occurrence")
    assert without_uuid(row) == {
        "type": "medical_problem",
        "title": "Type 2 diabetes mellitus",
        "diagnosis": "SNOMED-CT:44054006;ICD10:E11.9",
        "verification": "confirmed",
        "begdate": "2011-06-02 08:30:00",
        "enddate": "2012-01-01 00:00:00",
        "outcome": 1,
        "external_id": "1",
        "encounter": None,
    }


@pytest.mark.parametrize(
    ("cells", "title"),
    [
        pytest.param({"condition_source_value": "sore\nfoot"}, "sore foot", id="the source's words"),
        pytest.param(
            {"condition_concept_id": 99}, "OMOP concept 99", id="a concept that the source does not know"
        ),
    ],
)
def test_condition_without_a_concept(cells: dict[str, Any], title: str) -> None:
    """No code, and the best name that there is, without control characters."""
    parts = plan(a_bundle(condition_occurrence=[a_row("condition_occurrence", **cells)]), settings=SETTINGS)

    (row,) = rows_of(parts, "lists.condition_occurrence")
    assert (row["title"], row["diagnosis"]) == (title, "")


def test_condition_that_says_nothing_is_counted() -> None:
    """Neither concept nor words: an entry would be empty."""
    parts = plan(a_bundle(condition_occurrence=[a_row("condition_occurrence")]), settings=SETTINGS)

    assert rows_of(parts, "lists.condition_occurrence") == []
    assert parts.not_mapped == {"condition_occurrence": {"nothing_recorded": 1}}


def test_only_diagnoses_of_a_visit_refer_to_it() -> None:
    """By their type; and not to a visit that the source does not have."""
    visits = [
        a_row(
            "visit_occurrence",
            visit_occurrence_id=5,
            visit_concept_id=9203,
            visit_start_date=date(2020, 1, 1),
        )
    ]
    conditions = [
        a_row("condition_occurrence", condition_occurrence_id=n, condition_concept_id=201826,
              condition_type_concept_id=kind, visit_occurrence_id=visit)
        for n, kind, visit in ((1, 32020, 5), (2, 32840, 5), (3, 32020, 6))
    ]  # fmt: skip

    parts = plan(a_bundle(visit_occurrence=visits, condition_occurrence=conditions), settings=SETTINGS)

    (visit,) = rows_of(parts, "form_encounter")
    refers = {row["external_id"]: row["encounter"] for row in rows_of(parts, "lists.condition_occurrence")}
    assert refers == {"1": visit["uuid"], "2": None, "3": None}
    assert (visit["class_code"], visit["pos_code"], visit["reason"]) == ("EMER", 23, "Emergency room visit")


def test_allergies_come_from_conditions_and_observations() -> None:
    """A concept that states an allergy is one; a reaction is a problem."""
    parts = plan(
        a_bundle(
            observation=[
                a_row("observation", observation_concept_id=4304110, observation_date=date(2001, 2, 3))
            ],
            condition_occurrence=[
                a_row("condition_occurrence", condition_occurrence_id=1, condition_concept_id=4304110),
                a_row("condition_occurrence", condition_occurrence_id=2, condition_concept_id=4084167),
            ],
        ),
        settings=SETTINGS,
    )

    (observed,) = rows_of(parts, "lists.observation")
    assert (observed["type"], observed["title"], observed["diagnosis"]) == (
        "allergy", "Allergy to mold", "SNOMED-CT:419474003",
    )  # fmt: skip
    kinds = {row["external_id"]: row["type"] for row in rows_of(parts, "lists.condition_occurrence")}
    assert kinds == {"1": "allergy", "2": "medical_problem"}


def test_drug_and_vaccine() -> None:
    """A CVX code makes an immunization, anything else a prescription."""
    parts = plan(
        a_bundle(
            drug_exposure=[
                a_row("drug_exposure", drug_exposure_id=1, drug_concept_id=1127078, quantity=30.0, refills=2,
                      drug_exposure_start_date=date(2020, 1, 2), drug_exposure_end_date=date(2020, 2, 1),
                      route_concept_id=4132161, sig="1 daily"),
                a_row("drug_exposure", drug_exposure_id=2, drug_concept_id=40213160, lot_number="U7",
                      drug_exposure_start_date=date(2020, 1, 3)),
            ]
        ),
        settings=SETTINGS,
    )  # fmt: skip

    (drug,), (vaccine,) = rows_of(parts, "prescriptions"), rows_of(parts, "immunizations")
    assert without_uuid(drug) == {
        "drug": "acetaminophen 160 MG Oral Tablet",
        "rxnorm_drugcode": "282464",
        "route": "bymouth",
        "date_added": "2020-01-02 00:00:00",
        "start_date": "2020-01-02",
        "end_date": "2020-02-01",
        "quantity": "30",
        "refills": 2,
        "drug_dosage_instructions": "1 daily",
        "external_id": "1",
        "encounter": None,
        "provider": None,
    }
    assert (vaccine["cvx_code"], vaccine["note"], vaccine["lot_number"], vaccine["administered_date"]) == (
        "10", "poliovirus vaccine, inactivated", "U7", "2020-01-03 00:00:00",
    )  # fmt: skip


def test_drug_without_a_date_is_counted() -> None:
    """OpenEMR demands one."""
    parts = plan(a_bundle(drug_exposure=[a_row("drug_exposure", drug_concept_id=1127078)]), settings=SETTINGS)

    assert parts.not_mapped == {"drug_exposure": {"no_date": 1}}


def a_drug(**cells: Any) -> list[Any]:
    given = {"drug_concept_id": 1127078, "drug_exposure_start_date": date(2020, 1, 2)}
    return a_row("drug_exposure", **(given | cells))


def test_drug_of_which_only_the_time_is_known() -> None:
    """Its day is the time's."""
    row = a_drug(
        drug_exposure_start_date=None,
        drug_exposure_start_datetime="2020-01-02T08:30:00",
        drug_exposure_end_datetime="2020-02-01T09:00:00",
    )

    (drug,) = rows_of(plan(a_bundle(drug_exposure=[row]), settings=SETTINGS), "prescriptions")

    assert (drug["date_added"], drug["start_date"], drug["end_date"]) == (
        "2020-01-02 08:30:00", "2020-01-02", "2020-02-01",
    )  # fmt: skip


def test_code_that_the_column_cannot_hold_costs_no_chart() -> None:
    """A vocabulary of one's own may have any code; the drug is known by its name."""
    row = a_drug(drug_concept_id=2000000161)

    (drug,) = rows_of(plan(a_bundle(drug_exposure=[row]), settings=SETTINGS), "prescriptions")

    assert (drug["drug"], drug["rxnorm_drugcode"]) == ("a drug whose code is none", None)


@pytest.mark.parametrize(("refills", "cell"), [(2**31 - 1, 2**31 - 1), (2**31, None), (-1, None), (0, 0)])
def test_refills_that_the_column_cannot_hold_cost_no_chart(refills: int, cell: int | None) -> None:
    """One impossible number must not refuse a patient."""
    (drug,) = rows_of(
        plan(a_bundle(drug_exposure=[a_drug(refills=refills)]), settings=SETTINGS), "prescriptions"
    )

    assert drug["refills"] == cell


@pytest.mark.parametrize(
    ("quantity", "cell"),
    [(0.5, "0.5"), (12345.678, "12345.7"), (1e300, None), (-1e39, None), (5e-324, None), (1e20, "1e+20")],
)
def test_amount_of_a_vaccine_is_what_a_float_shows(quantity: float, cell: str | None) -> None:
    """More digits would look like an edit when they are read back; larger ones would refuse the patient."""
    row = a_drug(drug_concept_id=40213160, quantity=quantity)

    (vaccine,) = rows_of(plan(a_bundle(drug_exposure=[row]), settings=SETTINGS), "immunizations")

    assert vaccine["amount_administered"] == cell


@pytest.mark.parametrize(
    ("quantity", "cell"), [(30.0, "30"), (12345678.9012345, "12345678.9012345"), (0.1, "0.1")]
)
def test_quantity_of_a_prescription_keeps_its_digits(quantity: float, cell: str) -> None:
    """The column is text."""
    (drug,) = rows_of(
        plan(a_bundle(drug_exposure=[a_drug(quantity=quantity)]), settings=SETTINGS), "prescriptions"
    )

    assert drug["quantity"] == cell


def test_newest_smoking_status_stands() -> None:
    """By finding or by answer; what it supersedes is counted, and so is what says nothing."""
    parts = plan(
        a_bundle(
            observation=[
                a_row("observation", observation_id=1, observation_concept_id=4144272,
                      observation_date=date(2001, 1, 1)),
                a_row("observation", observation_id=2, observation_concept_id=43054909,
                      value_as_concept_id=4310250, observation_date=date(2002, 1, 1)),
                a_row("observation", observation_id=3, observation_concept_id=43054909,
                      observation_date=date(2003, 1, 1)),
            ]
        ),
        settings=SETTINGS,
    )  # fmt: skip

    (row,) = rows_of(parts, "history_data")
    assert without_uuid(row) == {"date": "2002-01-01 00:00:00", "tobacco": "Former smoker|quittobacco||3"}
    assert parts.not_mapped == {"observation": {"no_value": 1, "superseded": 1}}


def test_repeated_record_ids_all_arrive() -> None:
    """Rows that share an id get uuids of their own, and keep them when another row changes."""
    rows = [
        a_row("drug_exposure", drug_exposure_id=9, drug_concept_id=1127078,
              drug_exposure_start_date=date(2020, 1, n), quantity=float(n))
        for n in (1, 2, 3)
    ]  # fmt: skip

    found = rows_of(plan(a_bundle(drug_exposure=rows), settings=SETTINGS), "prescriptions")

    assert len({row["uuid"] for row in found}) == 3
    assert {row["external_id"] for row in found} == {"9"}


def test_bytes_are_the_same_in_any_order() -> None:
    """The order of rows and concepts in a bundle is of no account, also among rows with one id."""
    tables = {
        "visit_occurrence": [
            a_row("visit_occurrence", visit_occurrence_id=n, visit_start_date=date(2020, 1, n), visit_concept_id=9202)
            for n in range(1, 6)
        ],
        "condition_occurrence": [
            a_row("condition_occurrence", condition_occurrence_id=n // 3, condition_concept_id=201826,
                  condition_start_date=date(2020, 1, n), visit_occurrence_id=n, condition_type_concept_id=32020)
            for n in range(1, 15)
        ],
        "observation": [
            a_row("observation", observation_id=1, observation_concept_id=4144272, value_as_string=f"{n}")
            for n in range(5)
        ],
    }  # fmt: skip

    plans = {
        plan(a_bundle(seed=seed, **{t: list(rows) for t, rows in tables.items()}), settings=SETTINGS).writes
        for seed in range(8)
    }

    assert len(plans) == 1


def test_only_covered_tables_are_written() -> None:
    """A table that the bundle does not cover is left alone, one that it names without rows is emptied."""
    parts = plan(
        a_bundle(
            covers=["person", "drug_exposure"],
            condition_occurrence=[a_row("condition_occurrence", condition_concept_id=201826)],
        ),
        settings=SETTINGS,
    )

    tables = [orjson.loads(write)["table"] for write in parts.writes]
    assert tables == ["patient_data", "prescriptions", "immunizations"]
    assert parts.not_mapped == {"condition_occurrence": {"not_covered": 1}}


def test_rows_without_a_person_are_counted() -> None:
    """There is no chart for them; what stood there goes."""
    parts = plan(
        a_bundle(
            person=[], condition_occurrence=[a_row("condition_occurrence", condition_concept_id=201826)]
        ),
        settings=SETTINGS,
    )

    assert all(orjson.loads(write)["count"] == 0 for write in parts.writes)
    assert parts.not_mapped == {"condition_occurrence": {"no_person": 1}}


@pytest.mark.parametrize("table", sorted(set(PERSON_TABLES) - {"person", "cost"}))
def test_no_row_of_any_table_disappears(table: str) -> None:
    """A row of each table is written or counted, whatever it holds."""
    parts = plan(a_bundle(**{table: [a_row(table)]}), settings=SETTINGS)

    written = sum(orjson.loads(w)["count"] for w in parts.writes) - len(rows_of(parts, "patient_data"))
    assert written + sum(sum(reasons.values()) for reasons in parts.not_mapped.values()) == 1
