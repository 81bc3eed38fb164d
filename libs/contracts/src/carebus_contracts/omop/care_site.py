"""OMOP CDM 5.4 CARE_SITE: one row, columns in the order of the specification."""

from typing import NamedTuple


class CareSite(NamedTuple):
    """One row of CARE_SITE; only keys are certain to be there, whatever the CDM requires."""

    care_site_id: int
    care_site_name: str | None
    place_of_service_concept_id: int | None
    location_id: int | None
    care_site_source_value: str | None
    place_of_service_source_value: str | None
