"""OMOP CDM 5.4 VISIT_DETAIL: one row, columns in the order of the specification."""

from datetime import date, datetime
from typing import NamedTuple


class VisitDetail(NamedTuple):
    """One row of VISIT_DETAIL; only keys are certain to be there, whatever the CDM requires."""

    visit_detail_id: int
    person_id: int
    visit_detail_concept_id: int | None
    visit_detail_start_date: date | None
    visit_detail_start_datetime: datetime | None
    visit_detail_end_date: date | None
    visit_detail_end_datetime: datetime | None
    visit_detail_type_concept_id: int | None
    provider_id: int | None
    care_site_id: int | None
    visit_detail_source_value: str | None
    visit_detail_source_concept_id: int | None
    admitted_from_concept_id: int | None
    admitted_from_source_value: str | None
    discharged_to_source_value: str | None
    discharged_to_concept_id: int | None
    preceding_visit_detail_id: int | None
    parent_visit_detail_id: int | None
    visit_occurrence_id: int | None
