"""OMOP CDM 5.4 PROVIDER: one row, columns in the order of the specification."""

from typing import NamedTuple


class Provider(NamedTuple):
    """One row of PROVIDER; only keys are certain to be there, whatever the CDM requires."""

    provider_id: int
    provider_name: str | None
    npi: str | None
    dea: str | None
    specialty_concept_id: int | None
    care_site_id: int | None
    year_of_birth: int | None
    gender_concept_id: int | None
    provider_source_value: str | None
    specialty_source_value: str | None
    specialty_source_concept_id: int | None
    gender_source_value: str | None
    gender_source_concept_id: int | None
