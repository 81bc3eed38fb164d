"""The OMOP rows that the whole model makes are right in themselves, by what CDM 5.4 says, whatever the scenario."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
import pytest

from carebus_contracts.omop.catalog import PERSON_TABLES
from carebus_generator.domain.cohort import NEVER, Cohort, Triage
from carebus_generator.domain.making import make_cohort
from carebus_generator.domain.model import compile_model
from carebus_generator.domain.omop import OmopChunk, Surroundings, omop_tables
from carebus_generator.domain.omop.columns import values
from carebus_generator.domain.omop.places import SITE_CARE_SITES
from carebus_generator.domain.scenario import preset, preset_names
from carebus_generator.domain.surroundings import surroundings_of

PATIENTS = 2_000
EVENTS = {
    "condition_occurrence": ("condition_start_datetime", "condition_start_datetime"),
    "drug_exposure": ("drug_exposure_start_datetime", "drug_exposure_end_datetime"),
    "procedure_occurrence": ("procedure_datetime", "procedure_end_datetime"),
    "device_exposure": ("device_exposure_start_datetime", "device_exposure_start_datetime"),
    "measurement": ("measurement_datetime", "measurement_datetime"),
    "observation": ("observation_datetime", "observation_datetime"),
}
"""When rows begin and end."""
ROWS = {"default": (28, 34), "urban_assault": (28, 45)}
"""Mean rows a patient; 25 to 41 for others. In the urban assault nearly everybody has wounds, and three of them."""


@dataclass(frozen=True)
class Made:
    """A data set, and its rows by table."""

    name: str
    cohort: Cohort
    surroundings: Surroundings
    chunk: OmopChunk
    rows: dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module", params=preset_names())
def made(request: pytest.FixtureRequest) -> Made:
    """Patients of a preset."""
    model = compile_model(preset(request.param).model_copy(update={"total": PATIENTS}), 5)
    surroundings, cohort = surroundings_of(model, "test"), make_cohort(model, 0, PATIENTS)
    chunk = omop_tables(surroundings, cohort)
    rows = {}
    for name, table in chunk.tables.items():
        columns = [values(column, len(table)) for column in table.columns.values()]
        rows[name] = [dict(zip(table.columns, row, strict=True)) for row in zip(*columns, strict=True)]
    return Made(request.param, cohort, surroundings, chunk, rows)


def test_a_patient_has_about_thirty_rows(made: Made) -> None:
    """More where more people are badly wounded."""
    low, high = ROWS.get(made.name, (25, 41))

    assert low <= sum(made.chunk.counts.values()) / PATIENTS <= high


def test_the_worse_off_have_more_rows_and_more_measurements(made: Made) -> None:
    """By triage of those who live; who goes back to duty has about half of what who is evacuated has."""
    measured = np.bincount(made.chunk.tables["measurement"].patient, minlength=PATIENTS)
    every = np.sum([np.bincount(t.patient, minlength=PATIENTS) for t in made.chunk.tables.values()], axis=0)
    living, triage = made.cohort.courses.died_s == NEVER, made.cohort.injuries.triage

    for many in (measured, every):
        mean = [many[living & (triage == each)].mean() for each in (Triage.T1, Triage.T2, Triage.T3)]
        assert mean[0] > 1.1 * mean[1] > 1.2 * mean[2]
    back = {
        row["person_id"] for row in made.rows["observation"] if row["observation_source_value"] == "MIL:RTD"
    }
    returned = np.isin(made.chunk.persons.ids, list(back))
    assert measured[returned].mean() < 0.6 * measured[living & ~returned].mean()


def test_everybody_is_a_person_and_observed_for_all_that_is_told(made: Made) -> None:
    """One person and one period each; no row lies outside of it, and each is of the type EHR."""
    persons = [row["person_id"] for row in made.rows["person"]]
    period = {
        row["person_id"]: (row["observation_period_start_date"], row["observation_period_end_date"])
        for row in made.rows["observation_period"]
    }

    assert len(set(persons)) == PATIENTS
    assert list(period) == persons
    for table in made.rows.values():
        for row in table:
            low, high = period[row["person_id"]]
            for column, value in row.items():
                if column.endswith("_date") and value is not None:
                    assert low <= value <= high, column
                if column.endswith("_type_concept_id") and column != "visit_detail_type_concept_id":
                    assert value == 32817, column


def test_dates_are_the_days_of_times(made: Made) -> None:
    """Every date has its time, on the same day, and nothing ends before it begins."""
    for name, table in made.rows.items():
        for row in table:
            for column, at in row.items():
                if isinstance(at, datetime) and column != "birth_datetime":
                    day = row[column.removesuffix("time")]
                    assert isinstance(day, date)
                    assert at.date() == day, column
            if name in EVENTS:
                start, end = EVENTS[name]
                assert row[start] <= row[end], name


def test_stays_lie_within_the_visit_one_after_the_other(made: Made) -> None:
    """Visit details are of a visit of the same person, inside of it, in a chain; journeys lead to stays."""
    visits = {row["visit_occurrence_id"]: row for row in made.rows["visit_occurrence"]}
    before: dict[str, Any] = {}
    for row in made.rows["visit_detail"]:
        visit = visits[row["visit_occurrence_id"]]
        assert visit["person_id"] == row["person_id"]
        assert visit["visit_start_datetime"] <= row["visit_detail_start_datetime"]
        assert row["visit_detail_start_datetime"] <= row["visit_detail_end_datetime"]
        assert row["visit_detail_end_datetime"] <= visit["visit_end_datetime"]
        same = before.get("person_id") == row["person_id"]
        assert row["preceding_visit_detail_id"] == (before["visit_detail_id"] if same else None)
        if same:
            assert before["visit_detail_end_datetime"] <= row["visit_detail_start_datetime"]
        journey = row["care_site_id"] is None
        assert journey == (row["visit_detail_concept_id"] in {581478, 0})
        assert journey == (not same or before["care_site_id"] is not None)
        before = row
    hospital = {
        row["visit_occurrence_id"]
        for row in made.rows["visit_detail"]
        if row["visit_detail_concept_id"] == 9201
    }
    assert {row["visit_concept_id"] for row in visits.values()} == {9203, 262}
    assert {i for i, row in visits.items() if row["visit_concept_id"] == 262} == hospital


def test_what_happens_in_a_stay_happens_while_the_patient_is_there(made: Made) -> None:
    """Rows with a visit detail lie within it, others between the injury and the end; nothing after death."""
    details = {row["visit_detail_id"]: row for row in made.rows["visit_detail"]}
    visits = {row["visit_occurrence_id"]: row for row in made.rows["visit_occurrence"]}
    died = {row["person_id"]: row["death_datetime"] for row in made.rows["death"]}
    for name, (start, end) in EVENTS.items():
        for row in made.rows[name]:
            if row["visit_detail_id"] is not None:
                detail = details[row["visit_detail_id"]]
                assert (detail["person_id"], detail["care_site_id"] is None) == (row["person_id"], False)
                assert detail["visit_detail_start_datetime"] <= row[start], name
                assert row[end] <= detail["visit_detail_end_datetime"], name
            if row["visit_occurrence_id"] is not None:
                visit = visits[row["visit_occurrence_id"]]
                assert visit["visit_start_datetime"] <= row[start], name
                assert row[end] <= visit["visit_end_datetime"], name
            if row["person_id"] in died:
                assert row[end] <= died[row["person_id"]], name


def test_ends_agree(made: Made) -> None:
    """Who died has one death at the end of the visit; who has no visit died; who went back is said to have."""
    died = {row["person_id"]: row for row in made.rows["death"]}
    visits = {row["person_id"]: row for row in made.rows["visit_occurrence"]}
    back = {
        row["person_id"] for row in made.rows["observation"] if row["observation_source_value"] == "MIL:RTD"
    }

    assert len(died) == len(made.rows["death"]) == (made.cohort.courses.died_s != NEVER).sum()
    assert {row["person_id"] for row in made.rows["person"]} - visits.keys() <= died.keys()
    for person, visit in visits.items():
        end = visit["discharged_to_source_value"]
        assert (person in back) == (end == "RTD")
        assert (person in died) == (end in {"DOW", "DIED"})
        if person in died:
            assert died[person]["death_datetime"] == visit["visit_end_datetime"]
            assert died[person]["cause_source_value"].split(" ")[0] == {"DOW": "DOW", "DIED": "DNBI"}[end]


def test_kind_and_front_are_told_of_everybody_once(made: Made) -> None:
    """By the visit and the first care site, or by observations of who came to no facility."""
    said = {
        code: {
            r["person_id"]: r["value_as_string"]
            for r in made.rows["observation"]
            if r["observation_source_value"] == code
        }
        for code in ("MIL:KIND", "MIL:FRONT")
    }
    kind = said["MIL:KIND"] | {
        row["person_id"]: row["visit_source_value"].removeprefix("MIL:")
        for row in made.rows["visit_occurrence"]
    }
    sites, fronts = made.surroundings.sites, made.surroundings.fronts
    front = dict(said["MIL:FRONT"])
    for row in reversed(made.rows["visit_detail"]):
        if row["care_site_id"] is not None:
            front[row["person_id"]] = fronts[sites[row["care_site_id"] - SITE_CARE_SITES].front]
    names = {0: "BATTLE", 1: "NON_BATTLE", 2: "DISEASE"}
    patients, ids = made.cohort.patients, made.chunk.persons.ids.tolist()

    assert said["MIL:KIND"].keys() == said["MIL:FRONT"].keys()
    assert not said["MIL:KIND"].keys() & {row["person_id"] for row in made.rows["visit_occurrence"]}
    assert kind == {i: names[k] for i, k in zip(ids, patients.kind.tolist(), strict=True)}
    assert front == {i: fronts[f] for i, f in zip(ids, patients.front.tolist(), strict=True)}


def test_a_wound_has_one_condition_besides_mistakes(made: Made) -> None:
    """A row for each wound or illness and what it was taken for, however many roles said so."""
    given = made.cohort.diagnoses
    of_wounds = given.wound >= 0
    pairs = {*zip(given.wound[of_wounds].tolist(), given.condition[of_wounds].tolist(), strict=True)}

    assert len(made.rows["condition_occurrence"]) == len(pairs)


def test_concepts_are_those_of_the_catalogue_and_of_their_table(made: Made) -> None:
    """A concept id that is not 0 is one that was verified, in the domain of its table."""
    known = {concept[0]: concept[4] for concept in made.surroundings.concepts.rows}
    domains = {
        "condition_occurrence": "Condition", "drug_exposure": "Drug", "procedure_occurrence": "Procedure",
        "measurement": "Measurement", "observation": "Observation", "device_exposure": "Device",
    }  # fmt: skip
    structural = {0, 8507, 8532, 9201, 9202, 9203, 262, 581478, 32817, 1147127, None}
    for name, table in made.chunk.tables.items():
        for column in PERSON_TABLES[name].concept_columns:
            found = set(values(table.columns[column], len(table))) - structural
            assert found <= known.keys(), (name, column)
            if (
                name in domains
                and column == f"{name.removesuffix('_occurrence').removesuffix('_exposure')}_concept_id"
            ):
                assert {known[concept] for concept in found} <= {domains[name]}, column
