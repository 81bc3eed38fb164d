"""OMOP CDM 5.4 RELATIONSHIP: one row, columns in the order of the specification."""

from typing import NamedTuple


class Relationship(NamedTuple):
    """One row of RELATIONSHIP; only keys are certain to be there, whatever the CDM requires."""

    relationship_id: str
    relationship_name: str | None
    is_hierarchical: str | None
    defines_ancestry: str | None
    reverse_relationship_id: str | None
    relationship_concept_id: int | None
