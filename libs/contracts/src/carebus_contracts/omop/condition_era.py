"""OMOP CDM 5.4 CONDITION_ERA: one row, columns in the order of the specification."""

from datetime import date
from typing import NamedTuple


class ConditionEra(NamedTuple):
    """One row of CONDITION_ERA; only keys are certain to be there, whatever the CDM requires."""

    condition_era_id: int
    person_id: int
    condition_concept_id: int | None
    condition_era_start_date: date | None
    condition_era_end_date: date | None
    condition_occurrence_count: int | None
