"""Who a person is and where they can be reached: what the job's names and the source's LOCATION say."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from carebus_contracts.omop.bundle import ConceptInUse, PersonRecords
from carebus_contracts.omop.location import Location
from carebus_contracts.omop.person import Person
from carebus_converter.domain.common_names import synthetic_name
from carebus_converter.domain.identity import pseudonym


class FullName(NamedTuple):
    """What a person is called; "" for a part that there is none of."""

    given: str
    family: str
    middle: str = ""
    prefix: str = ""
    suffix: str = ""
    real: bool = False
    """Whether the source says so; otherwise it was made up here."""


class Address(NamedTuple):
    """A postal address as it is given; "" for a part that there is none of."""

    street: str = ""
    street_2: str = ""
    city: str = ""
    state: str = ""
    zip: str = ""
    country: str = ""


class Reach(NamedTuple):
    """How a person can be reached; "" for no way."""

    phone: str = ""
    email: str = ""


NOWHERE = Address()
NO_REACH = Reach()


def full_name(bundle: PersonRecords, key: bytes, person: Person | None) -> FullName:
    """Return what the person is called: by the source, else by a name made up for them.

    Args:
        bundle: The records.
        key: The site's secret behind names that are made up.
        person: The PERSON row that stands, if there is one.
    """
    said = bundle.name
    if said is not None and (said.given or said.family):
        return FullName(
            said.given or "",
            said.family or "",
            said.middle or "",
            said.prefix or "",
            said.suffix or "",
            real=True,
        )
    if said is not None and said.synthetic:
        gender = person.gender_concept_id if person else None
        return FullName(*synthetic_name(bundle.source, bundle.person_id, gender, key))
    return FullName(*pseudonym(bundle.source, bundle.person_id, key))


def home(bundle: PersonRecords, person: Person | None) -> Address:
    """Return where the person lives: what the names' table says goes before LOCATION."""
    said = bundle.name
    if said is not None and (said.street or said.city or said.state or said.zip):
        return Address(said.street or "", "", said.city or "", said.state or "", said.zip or "")
    if person is None or person.location_id is None:
        return NOWHERE
    return address_at(bundle, person.location_id)


def reach(bundle: PersonRecords) -> Reach:
    """Return phone and e-mail address, which only the names' table can tell."""
    said = bundle.name
    return Reach(said.phone or "", said.email or "") if said is not None else NO_REACH


def address_at(bundle: PersonRecords, location_id: int | None) -> Address:
    """Return the address of a place; an empty one where the source does not know the place."""
    location = bundle.location.get(location_id) if location_id is not None else None
    if location is None:
        return NOWHERE
    country = bundle.concept.get(location.country_concept_id) if location.country_concept_id else None
    return _address(location, country)


@lru_cache(maxsize=4096)
def _address(location: Location, country: ConceptInUse | None) -> Address:
    return Address(
        location.address_1 or "",
        location.address_2 or "",
        location.city or "",
        location.state or "",
        location.zip or "",
        (country.concept_name if country is not None else "") or location.country_source_value or "",
    )
