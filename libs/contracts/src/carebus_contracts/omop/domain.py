"""OMOP CDM 5.4 DOMAIN: one row, columns in the order of the specification."""

from typing import NamedTuple


class Domain(NamedTuple):
    """One row of DOMAIN; only keys are certain to be there, whatever the CDM requires."""

    domain_id: str
    domain_name: str | None
    domain_concept_id: int | None
