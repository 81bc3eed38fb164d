"""PROVIDER and CARE_SITE: rows of ``users`` and ``facility`` that charts refer to.

They belong to no person. Each is a subject of its own, which every plan brings along whose rows refer to it;
those that no chart refers to stay out of OpenEMR, which offers all providers in every list of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from carebus_contracts.omop.bundle import ConceptInUse, PersonRecords
from carebus_contracts.omop.care_site import CareSite
from carebus_contracts.omop.provider import Provider
from carebus_contracts.plans import encode_shared, encode_write
from carebus_converter.domain.demographics import Address, address_at
from carebus_converter.domain.openemr.addresses import country_of, street_of
from carebus_converter.domain.openemr.cells import NULL, shortened, text
from carebus_converter.domain.openemr.codes import bare_code
from carebus_converter.domain.openemr.row_ids import shared_uuid
from carebus_converter.domain.openemr.visit_kinds import place_of_service

USERS = (
    "uuid",
    "username",
    "lname",
    "npi",
    "federaldrugid",
    "specialty",
    "taxonomy",
    "organization",
    "site",
)
FACILITIES = ("uuid", "name", "street", "city", "state", "postal_code", "country_code", "pos_code")

_NPI_DIGITS = 10


@dataclass(slots=True)
class Directory:
    """What the source says of providers and sites, and which of them a chart refers to."""

    source: str = ""
    providers: Mapping[int, Provider] = field(default_factory=dict)
    sites: Mapping[int, CareSite] = field(default_factory=dict)
    concepts: Mapping[int, ConceptInUse] = field(default_factory=dict)
    addresses: Mapping[int, Address] = field(default_factory=dict)
    """Of the sites."""
    named: set[int] = field(default_factory=set)
    """Providers that rows refer to."""
    visited: set[int] = field(default_factory=set)
    """Sites that rows refer to."""

    def provider(self, provider_id: int | None) -> str:
        """Return the cell that refers to a provider; NULL when the source does not know who it is."""
        if provider_id is None or provider_id not in self.providers:
            return NULL
        self.named.add(provider_id)
        return f'"{shared_uuid(self.source, "provider", provider_id)}"'

    def site(self, care_site_id: int | None) -> str:
        """Return the cell that refers to a site; NULL when the source does not know which it is."""
        if care_site_id is None or care_site_id not in self.sites:
            return NULL
        self.visited.add(care_site_id)
        return f'"{shared_uuid(self.source, "care_site", care_site_id)}"'

    def shared(self) -> list[bytes]:
        """Return the rows that were referred to, each as its subject's statement: sites, then providers."""
        who = [self._provider(self.providers[provider_id]) for provider_id in sorted(self.named)]
        where = [self._site(self.sites[care_site_id]) for care_site_id in sorted(self.visited)]
        return where + who

    def _provider(self, row: Provider) -> bytes:
        specialty = self.concepts.get(row.specialty_concept_id or 0)
        site = self.sites.get(row.care_site_id or 0)
        organization = _called(site) if site is not None else ""
        return _provider(self.source, row, specialty, organization, self.site(row.care_site_id))

    def _site(self, row: CareSite) -> bytes:
        kind = self.concepts.get(row.place_of_service_concept_id or 0)
        return _site(self.source, row, kind, self.addresses[row.care_site_id])


def directory_of(bundle: PersonRecords) -> Directory:
    """Return what a bundle says of providers and sites."""
    if bundle.refers is None:
        return Directory()
    return Directory(
        bundle.source,
        bundle.provider,
        bundle.care_site,
        bundle.concept,
        {key: address_at(bundle, site.location_id) for key, site in bundle.care_site.items()},
    )


@lru_cache(maxsize=16_384)
def _provider(
    source: str, row: Provider, specialty: ConceptInUse | None, organization: str, site: str
) -> bytes:
    """Return the statement about one provider.

    OMOP has one field for the name, which is not taken apart. Without a name the provider is called by the id.
    """
    uuid = shared_uuid(source, "provider", row.provider_id)
    name = shortened(row.provider_name, 255) or f"Provider {row.provider_id}"
    npi = (row.npi or "").strip()
    npi = npi if len(npi) == _NPI_DIGITS and npi.isascii() and npi.isdigit() else ""
    kind = (specialty.concept_name if specialty is not None else "") or row.specialty_source_value
    taxonomy = bare_code(specialty, "NUCC")
    cells = (
        f'["{uuid}",{text(f"carebus:{source}:{row.provider_id}", 255)},{text(name, 255)},"{npi}"'
        f",{text(row.dea, 255)},{text(kind, 255)},{text(taxonomy, 30)}"
        f",{text(organization, 255)},{site}]"
    )
    return _statement(f"provider/{row.provider_id}", "users", USERS, cells)


@lru_cache(maxsize=16_384)
def _site(source: str, row: CareSite, kind: ConceptInUse | None, at: Address) -> bytes:
    """Return the statement about one site; without a name it is called by its id."""
    place = place_of_service(row.place_of_service_concept_id, kind)
    cells = (
        f'["{shared_uuid(source, "care_site", row.care_site_id)}",{text(_called(row), 255)}'
        f",{text(street_of(at), 255)},{text(at.city, 255)},{text(at.state, 50)},{text(at.zip, 11)}"
        f",{text(country_of(at), 30)},{NULL if place is None else place}]"
    )
    return _statement(f"care_site/{row.care_site_id}", "facility", FACILITIES, cells)


def _called(site: CareSite) -> str:
    return shortened(site.care_site_name, 255) or f"Site {site.care_site_id}"


def _statement(subject: str, table: str, columns: tuple[str, ...], row: str) -> bytes:
    return encode_shared(subject, encode_write(table, columns, [row.encode()], of={}))
