"""OMOP CDM 5.4 CONCEPT_ANCESTOR: one row, columns in the order of the specification."""

from typing import NamedTuple


class ConceptAncestor(NamedTuple):
    """One row of CONCEPT_ANCESTOR; only keys are certain to be there, whatever the CDM requires."""

    ancestor_concept_id: int
    descendant_concept_id: int
    min_levels_of_separation: int | None
    max_levels_of_separation: int | None
