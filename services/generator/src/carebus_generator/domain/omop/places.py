"""LOCATION and CARE_SITE: nations, fronts, points of injury and facilities, with fixed numbers."""

from __future__ import annotations

from carebus_contracts.omop.care_site import CareSite
from carebus_contracts.omop.location import Location
from carebus_generator.domain.cohort import NONE
from carebus_generator.domain.omop.surroundings import Surroundings

NATION_LOCATIONS = 1
"""Location of the first nation of the reference data; the others follow."""
FRONT_LOCATIONS = 1_001
SITE_LOCATIONS = 10_001
FRONT_CARE_SITES = 1
"""Care site of the first front's points of injury."""
SITE_CARE_SITES = 1_001


def locations(surroundings: Surroundings) -> list[Location]:
    """Return all rows of LOCATION, ascending by id."""
    rows = [
        _location(NATION_LOCATIONS + n, f"NATION:{nation}", country=nation)
        for n, nation in enumerate(surroundings.nations)
    ]
    rows += [
        _location(FRONT_LOCATIONS + n, f"FRONT:{front}"[:50]) for n, front in enumerate(surroundings.fronts)
    ]
    rows += [
        _location(
            SITE_LOCATIONS + n,
            site.name[:50],
            county=surroundings.fronts[site.front] if site.front != NONE else None,
            latitude=site.latitude,
            longitude=site.longitude,
        )
        for n, site in enumerate(surroundings.sites)
    ]
    return rows


def care_sites(surroundings: Surroundings) -> list[CareSite]:
    """Return all rows of CARE_SITE, ascending by id."""
    rows = [
        CareSite(
            FRONT_CARE_SITES + n,
            f"Point of injury, {front}",
            0,
            FRONT_LOCATIONS + n,
            f"POI:{front}"[:50],
            "POI",
        )
        for n, front in enumerate(surroundings.fronts)
    ]
    rows += [
        CareSite(SITE_CARE_SITES + n, site.name, 0, SITE_LOCATIONS + n, site.name[:50], f"ROLE{site.role}")
        for n, site in enumerate(surroundings.sites)
    ]
    return rows


def _location(
    location_id: int,
    source_value: str,
    *,
    county: str | None = None,
    country: str | None = None,
    latitude: float | None = None,
    longitude: float | None = None,
) -> Location:
    return Location(
        location_id,
        address_1=None,
        address_2=None,
        city=None,
        state=None,
        zip=None,
        county=county and county[:20],
        location_source_value=source_value,
        country_concept_id=0 if country else None,
        country_source_value=country,
        latitude=latitude,
        longitude=longitude,
    )
