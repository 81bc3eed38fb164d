"""OMOP CDM 5.4 CONCEPT: one row, columns in the order of the specification."""

from datetime import date
from typing import NamedTuple


class Concept(NamedTuple):
    """One row of CONCEPT; only keys are certain to be there, whatever the CDM requires."""

    concept_id: int
    concept_name: str | None
    domain_id: str | None
    vocabulary_id: str | None
    concept_class_id: str | None
    standard_concept: str | None
    concept_code: str | None
    valid_start_date: date | None
    valid_end_date: date | None
    invalid_reason: str | None
