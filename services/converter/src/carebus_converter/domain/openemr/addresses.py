"""Parts of an address as OpenEMR's columns hold them."""

from __future__ import annotations

from carebus_converter.domain.demographics import Address

_USA = frozenset(("us", "usa", "united states", "united states of america"))
"""OpenEMR's list of countries has the option USA for them."""


def street_of(address: Address) -> str:
    """Return both lines of the street as one."""
    return ", ".join(part for part in (address.street, address.street_2) if part)


def country_of(address: Address) -> str:
    """Return the country, by OpenEMR's option where we know it."""
    return "USA" if address.country.strip().lower() in _USA else address.country
