"""OMOP CDM 5.4 LOCATION: one row, columns in the order of the specification."""

from typing import NamedTuple


class Location(NamedTuple):
    """One row of LOCATION; only keys are certain to be there, whatever the CDM requires."""

    location_id: int
    address_1: str | None
    address_2: str | None
    city: str | None
    state: str | None
    zip: str | None
    county: str | None
    location_source_value: str | None
    country_concept_id: int | None
    country_source_value: str | None
    latitude: float | None
    longitude: float | None
