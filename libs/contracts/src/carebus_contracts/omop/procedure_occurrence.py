"""OMOP CDM 5.4 PROCEDURE_OCCURRENCE: one row, columns in the order of the specification."""

from datetime import date, datetime
from typing import NamedTuple


class ProcedureOccurrence(NamedTuple):
    """One row of PROCEDURE_OCCURRENCE; only keys are certain to be there, whatever the CDM requires."""

    procedure_occurrence_id: int
    person_id: int
    procedure_concept_id: int | None
    procedure_date: date | None
    procedure_datetime: datetime | None
    procedure_end_date: date | None
    procedure_end_datetime: datetime | None
    procedure_type_concept_id: int | None
    modifier_concept_id: int | None
    quantity: int | None
    provider_id: int | None
    visit_occurrence_id: int | None
    visit_detail_id: int | None
    procedure_source_value: str | None
    procedure_source_concept_id: int | None
    modifier_source_value: str | None
