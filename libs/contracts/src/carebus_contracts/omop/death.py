"""OMOP CDM 5.4 DEATH: one row, columns in the order of the specification."""

from datetime import date, datetime
from typing import NamedTuple


class Death(NamedTuple):
    """One row of DEATH; only keys are certain to be there, whatever the CDM requires."""

    person_id: int
    death_date: date | None
    death_datetime: datetime | None
    death_type_concept_id: int | None
    cause_concept_id: int | None
    cause_source_value: str | None
    cause_source_concept_id: int | None
