"""What rows say of providers and sites, by the numbers that OpenEMR gave these.

A plan's columns ``provider`` and ``site`` hold uuids of rows that it brings along, or NULL for whom and what
the settings name. They become columns of the table before rows are compared, so that an edit of them is known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

PROVIDER, SITE, NPI = "provider", "site", "npi"

_COLUMNS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "patient_data": {PROVIDER: ("providerID",)},
    "form_encounter": {PROVIDER: ("provider_id",), SITE: ("facility_id", "facility")},
    "procedure_order": {PROVIDER: ("provider_id",)},
    "prescriptions": {PROVIDER: ("provider_id",)},
    "immunizations": {PROVIDER: ("administered_by_id",)},
    "users": {SITE: ("facility_id", "facility")},
}
"""By table: the columns that a reference becomes, the number first and then the name."""
_NUMBERED = frozenset(("form_encounter", "procedure_order"))
"""Tables in which nobody is 0; elsewhere it is NULL."""

Row = list[object]


class Site(NamedTuple):
    """A row of ``facility``."""

    number: int
    name: str


NO_SITE = Site(0, "")


class References(NamedTuple):
    """Where the references of a write are, and what it looks like without them."""

    columns: tuple[str, ...]
    provider: int | None
    """Place of the reference in a row."""
    site: int | None


@dataclass(frozen=True, slots=True)
class Directory:
    """The numbers of providers and sites by uuid in hex, and those of the settings."""

    providers: Mapping[str, int] = field(default_factory=dict)
    sites: Mapping[str, Site] = field(default_factory=dict)
    provider: int = 0
    site: Site = NO_SITE
    npi: str = ""
    """For providers who have none."""

    def resolve(self, table: str, columns: tuple[str, ...]) -> tuple[tuple[str, ...], Callable[[Row], Row]]:
        """Return a write's columns without references, and what makes a row of the plan fit them, in place.

        Who or what is not there any more stands as those of the settings; in the directory itself as none. A
        provider without an NPI gets that of the settings.
        """
        at = references(table, columns)
        if at.provider is None and at.site is None:
            return columns, _as_it_is
        npi = columns.index(NPI) if table == "users" and NPI in columns else None
        nobody = self.provider or (0 if table in _NUMBERED else None)
        nowhere = NO_SITE if table == "users" else self.site

        def resolved(row: Row) -> Row:
            if at.provider is not None:
                row[at.provider] = self.providers.get(str(row[at.provider]), nobody)
            if at.site is not None:
                site = self.sites.get(str(row[at.site]), nowhere)
                row[at.site] = site.number
                row.append(site.name)
            if npi is not None:
                row[npi] = row[npi] or self.npi
            return row

        return at.columns, resolved


NO_DIRECTORY = Directory()


@lru_cache(maxsize=256)
def references(table: str, columns: tuple[str, ...]) -> References:
    """Find the references of a write."""
    become = _COLUMNS.get(table, {})
    provider, site = (
        columns.index(name) if name in become and name in columns else None for name in (PROVIDER, SITE)
    )
    names = become[SITE][1:] if site is not None else ()
    plain = (become[c][0] if c in become else c for c in columns)
    return References((*plain, *names), provider, site)


def _as_it_is(row: Row) -> Row:
    return row
