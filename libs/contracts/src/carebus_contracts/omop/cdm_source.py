"""OMOP CDM 5.4 CDM_SOURCE: one row, columns in the order of the specification."""

from datetime import date
from typing import NamedTuple


class CdmSource(NamedTuple):
    """One row of CDM_SOURCE; only keys are certain to be there, whatever the CDM requires."""

    cdm_source_name: str
    cdm_source_abbreviation: str | None
    cdm_holder: str | None
    source_description: str | None
    source_documentation_reference: str | None
    cdm_etl_reference: str | None
    source_release_date: date | None
    cdm_release_date: date | None
    cdm_version: str | None
    cdm_version_concept_id: int | None
    vocabulary_version: str | None
