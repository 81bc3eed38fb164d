"""OMOP CDM 5.4 SOURCE_TO_CONCEPT_MAP: one row, columns in the order of the specification."""

from datetime import date
from typing import NamedTuple


class SourceToConceptMap(NamedTuple):
    """One row of SOURCE_TO_CONCEPT_MAP; only keys are certain to be there, whatever the CDM requires."""

    source_code: str
    source_concept_id: int | None
    source_vocabulary_id: str
    source_code_description: str | None
    target_concept_id: int
    target_vocabulary_id: str | None
    valid_start_date: date | None
    valid_end_date: date | None
    invalid_reason: str | None
