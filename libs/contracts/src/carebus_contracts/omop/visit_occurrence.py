"""OMOP CDM 5.4 VISIT_OCCURRENCE: one row, columns in the order of the specification."""

from datetime import date, datetime
from typing import NamedTuple


class VisitOccurrence(NamedTuple):
    """One row of VISIT_OCCURRENCE; only keys are certain to be there, whatever the CDM requires."""

    visit_occurrence_id: int
    person_id: int
    visit_concept_id: int | None
    visit_start_date: date | None
    visit_start_datetime: datetime | None
    visit_end_date: date | None
    visit_end_datetime: datetime | None
    visit_type_concept_id: int | None
    provider_id: int | None
    care_site_id: int | None
    visit_source_value: str | None
    visit_source_concept_id: int | None
    admitted_from_concept_id: int | None
    admitted_from_source_value: str | None
    discharged_to_concept_id: int | None
    discharged_to_source_value: str | None
    preceding_visit_occurrence_id: int | None
