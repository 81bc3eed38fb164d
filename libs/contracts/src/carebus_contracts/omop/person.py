"""OMOP CDM 5.4 PERSON: one row, columns in the order of the specification."""

from datetime import datetime
from typing import NamedTuple


class Person(NamedTuple):
    """One row of PERSON; only keys are certain to be there, whatever the CDM requires."""

    person_id: int
    gender_concept_id: int | None
    year_of_birth: int | None
    month_of_birth: int | None
    day_of_birth: int | None
    birth_datetime: datetime | None
    race_concept_id: int | None
    ethnicity_concept_id: int | None
    location_id: int | None
    provider_id: int | None
    care_site_id: int | None
    person_source_value: str | None
    gender_source_value: str | None
    gender_source_concept_id: int | None
    race_source_value: str | None
    race_source_concept_id: int | None
    ethnicity_source_value: str | None
    ethnicity_source_concept_id: int | None
