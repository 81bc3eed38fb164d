"""OMOP CDM 5.4 NOTE: one row, columns in the order of the specification."""

from datetime import date, datetime
from typing import NamedTuple


class Note(NamedTuple):
    """One row of NOTE; only keys are certain to be there, whatever the CDM requires."""

    note_id: int
    person_id: int
    note_date: date | None
    note_datetime: datetime | None
    note_type_concept_id: int | None
    note_class_concept_id: int | None
    note_title: str | None
    note_text: str | None
    encoding_concept_id: int | None
    language_concept_id: int | None
    provider_id: int | None
    visit_occurrence_id: int | None
    visit_detail_id: int | None
    note_source_value: str | None
    note_event_id: int | None
    note_event_field_concept_id: int | None
