"""OMOP CDM 5.4 CONCEPT_SYNONYM: one row, columns in the order of the specification."""

from typing import NamedTuple


class ConceptSynonym(NamedTuple):
    """One row of CONCEPT_SYNONYM; only keys are certain to be there, whatever the CDM requires."""

    concept_id: int
    concept_synonym_name: str
    language_concept_id: int
