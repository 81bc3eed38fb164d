"""OMOP CDM 5.4 VOCABULARY: one row, columns in the order of the specification."""

from typing import NamedTuple


class Vocabulary(NamedTuple):
    """One row of VOCABULARY; only keys are certain to be there, whatever the CDM requires."""

    vocabulary_id: str
    vocabulary_name: str | None
    vocabulary_reference: str | None
    vocabulary_version: str | None
    vocabulary_concept_id: int | None
