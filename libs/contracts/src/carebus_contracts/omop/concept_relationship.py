"""OMOP CDM 5.4 CONCEPT_RELATIONSHIP: one row, columns in the order of the specification."""

from datetime import date
from typing import NamedTuple


class ConceptRelationship(NamedTuple):
    """One row of CONCEPT_RELATIONSHIP; only keys are certain to be there, whatever the CDM requires."""

    concept_id_1: int
    concept_id_2: int
    relationship_id: str
    valid_start_date: date | None
    valid_end_date: date | None
    invalid_reason: str | None
