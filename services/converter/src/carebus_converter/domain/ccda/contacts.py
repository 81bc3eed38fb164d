"""Names, addresses and ways to reach somebody, as documents state them: what is not given is unknown."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import quote

from carebus_converter.domain.ccda.text import clean
from carebus_converter.domain.demographics import NO_REACH, NOWHERE, Address, FullName, Reach

NO_ADDRESS = (
    '<addr><streetAddressLine nullFlavor="UNK"/><city nullFlavor="UNK"/><state nullFlavor="UNK"/>'
    '<postalCode nullFlavor="UNK"/><country nullFlavor="UNK"/></addr>'
)
NO_TELECOM = '<telecom nullFlavor="UNK"/>'

_AT_HOME = ' use="HP"'


def patient_name(name: FullName) -> str:
    """Return a patient's name: a legal one where the source says it, else a pseudonym.

    Source:
        C-CDA R2.1 US Realm Patient Name (PTN.US.FIELDED), template 2.16.840.1.113883.10.20.22.5.1.
    """
    use = "L" if name.real else "P"
    middle = _part("given", name.middle) if name.middle else ""
    prefix = _part("prefix", name.prefix) if name.prefix else ""
    suffix = _part("suffix", name.suffix) if name.suffix else ""
    return (
        f'<name use="{use}">{prefix}{_part("given", name.given)}{middle}'
        f"{_part('family', name.family)}{suffix}</name>"
    )


def home_address(address: Address) -> str:
    """Return where a patient lives."""
    return address_of(address, _AT_HOME)


@lru_cache(maxsize=4096)
def address_of(address: Address, use: str = "") -> str:
    """Return an address.

    Source:
        C-CDA R2.1 US Realm Address (AD.US.FIELDED), template 2.16.840.1.113883.10.20.22.5.2.
    """
    if address == NOWHERE:
        return NO_ADDRESS
    street_2 = _part("streetAddressLine", address.street_2) if clean(address.street_2) else ""
    return (
        f"<addr{use}>{_part('streetAddressLine', address.street)}{street_2}{_part('city', address.city)}"
        f"{_part('state', address.state)}{_part('postalCode', address.zip)}"
        f"{_part('country', address.country)}</addr>"
    )


def home_telecom(reach: Reach) -> str:
    """Return how a patient can be reached.

    OpenEMR takes a single telecom for a cell phone, whatever its use: hence two.
    """
    if reach == NO_REACH:
        return NO_TELECOM
    phone = quote("".join(reach.phone.split()), safe="+()-.", errors="ignore")
    email = quote(reach.email.strip(), safe="@+", errors="ignore")
    return (f'<telecom use="HP" value="tel:{phone}"/>' if phone else NO_TELECOM) + (
        f'<telecom value="mailto:{email}"/>' if email else NO_TELECOM
    )


def _part(tag: str, text: str) -> str:
    words = clean(text)
    return f"<{tag}>{words}</{tag}>" if words else f'<{tag} nullFlavor="UNK"/>'
