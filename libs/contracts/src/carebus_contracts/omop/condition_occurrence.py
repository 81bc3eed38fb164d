"""OMOP CDM 5.4 CONDITION_OCCURRENCE: one row, columns in the order of the specification."""

from datetime import date, datetime
from typing import NamedTuple


class ConditionOccurrence(NamedTuple):
    """One row of CONDITION_OCCURRENCE; only keys are certain to be there, whatever the CDM requires."""

    condition_occurrence_id: int
    person_id: int
    condition_concept_id: int | None
    condition_start_date: date | None
    condition_start_datetime: datetime | None
    condition_end_date: date | None
    condition_end_datetime: datetime | None
    condition_type_concept_id: int | None
    condition_status_concept_id: int | None
    stop_reason: str | None
    provider_id: int | None
    visit_occurrence_id: int | None
    visit_detail_id: int | None
    condition_source_value: str | None
    condition_source_concept_id: int | None
    condition_status_source_value: str | None
