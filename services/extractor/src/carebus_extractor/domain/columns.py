"""Which column of CDM 5.4 a field of a source is, and whether a table's fields fit at all."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from carebus_contracts.errors import JobError
from carebus_contracts.omop.catalog import PERSON_TABLES, REFERENCE_TABLES, TableSpec

_VISIT_RENAMES = {
    "admitting_source_concept_id": "admitted_from_concept_id",
    "admitting_source_value": "admitted_from_source_value",
    "discharge_to_concept_id": "discharged_to_concept_id",
    "discharge_to_source_value": "discharged_to_source_value",
}
RENAMED: Mapping[str, Mapping[str, str]] = {
    "visit_occurrence": _VISIT_RENAMES,
    "visit_detail": _VISIT_RENAMES | {"visit_detail_parent_id": "parent_visit_detail_id"},
    # the slip stands in the published DDL of CDM 5.3
    "cost": {"reveue_code_source_value": "revenue_code_source_value"},
}
"""Columns of CDM 5.3 by table, and what CDM 5.4 calls them."""

ONLY_IN_5_4 = frozenset(
    {
        ("visit_occurrence", "admitted_from_concept_id"),
        ("visit_detail", "parent_visit_detail_id"),
        ("procedure_occurrence", "procedure_end_date"),
        ("device_exposure", "production_id"),
        ("measurement", "meas_event_field_concept_id"),
        ("measurement", "unit_source_concept_id"),
        ("observation", "observation_event_id"),
        ("note", "note_event_id"),
        ("location", "country_concept_id"),
        ("cdm_source", "cdm_version_concept_id"),
    }
)
"""Columns that tell a 5.4 source from a 5.3 one where CDM_SOURCE does not say."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_./ -]{0,80}")

ALL_TABLES: Mapping[str, TableSpec] = {**PERSON_TABLES, **REFERENCE_TABLES}
NUMBERED_BY_US = "metadata"
"""CDM 5.3 gives METADATA no key; its rows are numbered in the order of their content."""


@dataclass(frozen=True, slots=True)
class Match:
    """How the fields of a source stand to the columns of a table."""

    places: Mapping[str, int]
    """Column of CDM 5.4 to number of the field."""
    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    renamed: bool
    """A column has its name of CDM 5.3."""


def match_columns(table: str, fields: Sequence[str | None]) -> Match:
    """Find each column of CDM 5.4 among the fields of a source; of two with one name the first counts."""
    spec = ALL_TABLES[table]
    renames = RENAMED.get(table, {})
    places: dict[str, int] = {}
    old: dict[str, int] = {}
    unknown: list[str] = []
    for number, field in enumerate(fields):
        name = clean_name(field or "")
        if name in spec.columns:
            places.setdefault(name, number)
        elif name in renames:
            old.setdefault(renames[name], number)
        elif name:
            unknown.append(name)
    for column, number in old.items():
        places.setdefault(column, number)
    missing = tuple(c for c in spec.columns if c not in places)
    return Match(places, missing, tuple(unknown), bool(old))


def clean_name(field: str) -> str:
    """Return a field's name without the quotes, blanks, byte-order mark and capitals of its file."""
    return field.strip("\ufeff \t\r\n\"'`").lower()


def needed_columns(table: str) -> tuple[str, ...]:
    """Columns without which no row of the table can be told from another or given to a person."""
    spec = ALL_TABLES[table]
    if table == "cost":
        return (*spec.key, "cost_event_id", "cost_domain_id")
    if table == NUMBERED_BY_US:
        return ("name",)
    return spec.key if table in REFERENCE_TABLES else tuple(dict.fromkeys((*spec.key, "person_id")))


def lacking_columns(table: str, match: Match) -> tuple[str, ...]:
    """Return the columns that are needed and not there."""
    return tuple(column for column in needed_columns(table) if column not in match.places)


def check_columns(table: str, where: str, match: Match) -> None:
    """See that the fields make a table.

    Raises:
        JobError: They do not; the sentence names the place and the columns at fault.
    """
    if not match.places:
        # what stands there may be a patient's data
        raise JobError(
            f"{where} does not fit {table}: its first line names no column of {table}; has it a header?"
        )
    if lacking := lacking_columns(table, match):
        unknown = shortened(match.unknown) or "none"
        raise JobError(
            f"{where} does not fit {table}: missing {', '.join(lacking)}; unknown columns found: {unknown}"
        )


def shortened(names: Sequence[str], limit: int = 8) -> str:
    """Return some names, and how many more there are; what is no name is not shown."""
    shown = [name for name in names if _NAME.fullmatch(name)][:limit]
    rest = len(names) - len(shown)
    return ", ".join(shown + ([f"{rest} more"] if rest else []))


def cdm_version_of(said: str | None, *, renamed: bool, columns: frozenset[tuple[str, str]]) -> str:
    """Return 5.3 or 5.4: what CDM_SOURCE says, else what the columns show."""
    for version in ("5.3", "5.4"):
        if said and version in said:
            return version
    if renamed:
        return "5.3"
    return "5.4" if columns & ONLY_IN_5_4 or not said else "5.3"
