"""OMOP CDM 5.4 CONCEPT_CLASS: one row, columns in the order of the specification."""

from typing import NamedTuple


class ConceptClass(NamedTuple):
    """One row of CONCEPT_CLASS; only keys are certain to be there, whatever the CDM requires."""

    concept_class_id: str
    concept_class_name: str | None
    concept_class_concept_id: int | None
