"""PERSON, OBSERVATION_PERIOD and DEATH."""

from __future__ import annotations

import numpy as np

from carebus_generator.domain.cohort import NONE, Cohort, Patients
from carebus_generator.domain.omop.columns import (
    Coded,
    Days,
    Labels,
    Moments,
    PersonId,
    PersonIds,
    RecordId,
    Same,
    Table,
)
from carebus_generator.domain.omop.places import NATION_LOCATIONS
from carebus_generator.domain.omop.surroundings import EHR, SOURCE_VALUE_CHARS, Surroundings

_GENDERS = Labels([8507, 8532])
_SEXES = Labels(["M", "F"])
_SMALL = Labels(range(32))
_YEARS = Labels(range(1900, 2200))


def person(surroundings: Surroundings, cohort: Cohort, persons: PersonIds) -> Table:
    """Return one row a patient."""
    patients = cohort.patients
    everyone = np.arange(len(cohort))
    birth = patients.birth_day.astype("datetime64[D]")
    months = birth.astype("datetime64[M]")
    years = birth.astype("datetime64[Y]")
    female = patients.female.astype(np.int64)
    return Table(
        "person",
        everyone,
        {
            "person_id": PersonId(persons, everyone),
            "gender_concept_id": Coded(_GENDERS, female),
            "year_of_birth": Coded(_YEARS, years.astype(np.int64) + 70),
            "month_of_birth": Coded(_SMALL, (months - years.astype("datetime64[M]")).astype(np.int64) + 1),
            "day_of_birth": Coded(_SMALL, (birth - months.astype("datetime64[D]")).astype(np.int64) + 1),
            "birth_datetime": Same(None),
            "race_concept_id": Same(0),
            "ethnicity_concept_id": Same(0),
            "location_id": Coded(_nations(surroundings), patients.nation),
            "provider_id": Same(None),
            "care_site_id": Same(None),
            "person_source_value": Coded(Labels(service_numbers(surroundings, patients)), everyone),
            "gender_source_value": Coded(_SEXES, female),
            "gender_source_concept_id": Same(0),
            "race_source_value": Same(None),
            "race_source_concept_id": Same(0),
            "ethnicity_source_value": Same(None),
            "ethnicity_source_concept_id": Same(0),
        },
    )


def service_numbers(surroundings: Surroundings, patients: Patients) -> list[str]:
    """Return a number a patient that no two share: nation, mark of the data set, running number.

    It has a shape of its own, never that of a national id: an id made up in a real shape may be that of a
    living person.
    """
    nations, mark = surroundings.nations, surroundings.mark
    return [
        f"{nations[nation]}-{mark}-{index + 1:010d}"
        for nation, index in zip(patients.nation.tolist(), patients.index.tolist(), strict=True)
    ]


def observation_period(surroundings: Surroundings, cohort: Cohort, persons: PersonIds) -> Table:
    """Return one row a patient, from the injury to the last event."""
    everyone = np.arange(len(cohort))
    return Table(
        "observation_period",
        everyone,
        {
            "observation_period_id": RecordId(persons, everyone, np.zeros_like(everyone)),
            "person_id": PersonId(persons, everyone),
            "observation_period_start_date": Days(surroundings.base_date, cohort.patients.injured_s),
            "observation_period_end_date": Days(surroundings.base_date, cohort.courses.ended_s),
            "period_type_concept_id": Same(EHR),
        },
    )


_WAYS = ("KIA", "DOW", "DNBI")


def death(surroundings: Surroundings, cohort: Cohort, persons: PersonIds) -> Table:
    """Return one row for each who died; the source value has the way of dying, and the cause's code."""
    courses, wounds = cohort.courses, cohort.wounds
    dead = np.flatnonzero(courses.died_s >= 0)
    fatal = courses.fatal[dead]
    # a row of the catalogue, or -1 where no wound is named
    cause = np.where(fatal == NONE, NONE, wounds.condition[fatal]) if len(wounds.condition) else fatal
    way = courses.outcome[dead]
    codes = len(surroundings.source_values)
    labels = Labels(
        [
            f"{w} {s}"[:SOURCE_VALUE_CHARS].rstrip()
            for w in _WAYS
            for s in (*surroundings.source_values.values, "")
        ]
    )
    return Table(
        "death",
        dead,
        {
            "person_id": PersonId(persons, dead),
            "death_date": Days(surroundings.base_date, courses.died_s[dead]),
            "death_datetime": Moments(surroundings.base_date, courses.died_s[dead]),
            "death_type_concept_id": Same(EHR),
            "cause_concept_id": Coded(surroundings.concept_ids, cause),
            "cause_source_value": Coded(labels, way * (codes + 1) + np.where(cause == NONE, codes, cause)),
            "cause_source_concept_id": Same(0),
        },
    )


def _nations(surroundings: Surroundings) -> Labels:
    return Labels(range(NATION_LOCATIONS, NATION_LOCATIONS + len(surroundings.nations)))
