"""Providers and sites of a bundle as documents name them: who did something, and where it was."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from carebus_contracts.omop.bundle import ConceptInUse, PersonRecords
from carebus_contracts.omop.care_site import CareSite
from carebus_contracts.omop.provider import Provider
from carebus_converter.domain.ccda.codes import Concepts, code_attributes, template
from carebus_converter.domain.ccda.contacts import NO_ADDRESS, NO_TELECOM, address_of
from carebus_converter.domain.ccda.text import clean
from carebus_converter.domain.demographics import Address, address_at

PROVIDER_ARC, SITE_ARC = 10, 11
"""Arcs below the site's OID, beside those of the tables in ``chart``. Part of ids: never change one."""
NPI = "2.16.840.1.113883.4.6"

_SERVICE_LOCATION = template("4.32")


@dataclass(frozen=True, slots=True)
class Named:
    """A provider or a site."""

    xml: str
    """``performer`` or ``participant``, for an entry."""
    label: str
    """What people read, escaped; "" where the source gives no name."""
    organization: str = ""
    """A site as an organization: id, name, telecom, address."""


NOBODY = Named("", "")


@dataclass(frozen=True, slots=True)
class Directory:
    """By id; empty for a bundle that refers to none."""

    providers: dict[int | None, Named] = field(default_factory=dict)
    sites: dict[int | None, Named] = field(default_factory=dict)

    def performer(self, provider_id: int | None) -> str:
        """Return who did it, for an entry; "" where the source does not say."""
        return self.providers[provider_id].xml if provider_id in self.providers else ""


def directory_of(bundle: PersonRecords, concepts: Concepts, root: str) -> Directory:
    """Return the providers and sites that a bundle's rows name.

    Args:
        bundle: The records.
        concepts: Of the bundle.
        root: OID of the source's ids.
    """
    if bundle.refers is None:
        return Directory()
    sites: dict[int | None, Named] = {}
    for care_site_id, row in bundle.care_site.items():
        kind = concepts[row.place_of_service_concept_id]
        sites[care_site_id] = _site(row, kind, address_at(bundle, row.location_id), root)
    providers: dict[int | None, Named] = {}
    for provider_id, provider in bundle.provider.items():
        specialty = concepts[provider.specialty_concept_id]
        at = sites.get(provider.care_site_id, NOBODY).organization
        providers[provider_id] = _provider(provider, specialty, at, root)
    return Directory(providers, sites)


@lru_cache(maxsize=16_384)
def _provider(row: Provider, specialty: ConceptInUse | None, organization: str, root: str) -> Named:
    """Return a performer.

    Source:
        C-CDA R2.1 Encounter Activity (V3) and Procedure Activity Procedure (V2): performer/assignedEntity.
    """
    npi, name = clean(row.npi), clean(row.provider_name)
    number = f'<id root="{NPI}" extension="{npi}"/>' if npi else ""
    person = f"<assignedPerson><name>{name}</name></assignedPerson>" if name else ""
    represented = f"<representedOrganization>{organization}</representedOrganization>" if organization else ""
    return Named(
        f'<performer><assignedEntity>{number}<id root="{root}.{PROVIDER_ARC}" '
        f'extension="{row.provider_id}"/>{_code(specialty, row.specialty_source_value)}{NO_ADDRESS}'
        f"{NO_TELECOM}{person}{represented}</assignedEntity></performer>",
        name,
    )


@lru_cache(maxsize=16_384)
def _site(row: CareSite, kind: ConceptInUse | None, address: Address, root: str) -> Named:
    """Return a place of service.

    Source:
        C-CDA R2.1 Service Delivery Location, template 2.16.840.1.113883.10.20.22.4.32.
    """
    name = clean(row.care_site_name)
    identity = f'<id root="{root}.{SITE_ARC}" extension="{row.care_site_id}"/>'
    place = f'<playingEntity classCode="PLC"><name>{name}</name></playingEntity>' if name else ""
    where = address_of(address)
    code = _code(kind, row.place_of_service_source_value) or '<code nullFlavor="UNK"/>'
    named = f"<name>{name}</name>" if name else '<name nullFlavor="UNK"/>'
    return Named(
        f'<participant typeCode="LOC"><participantRole classCode="SDLOC">{_SERVICE_LOCATION}{identity}'
        f"{code}{where}{NO_TELECOM}{place}</participantRole></participant>",
        name,
        f"{identity}{named}{NO_TELECOM}{where}",
    )


def _code(concept: ConceptInUse | None, text: str | None) -> str:
    """Return what kind of provider or site it is; the source's words where HL7 does not know the code."""
    if concept is not None and (attributes := code_attributes(concept)):
        return f"<code {attributes}/>"
    words = (clean(concept.concept_name) if concept is not None else "") or clean(text)
    return f'<code nullFlavor="OTH"><originalText>{words}</originalText></code>' if words else ""
