"""PERSON and DEATH as one row of ``patient_data``, in two writes: a bundle may cover only one of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import orjson

from carebus_contracts.omop.bundle import PersonRecords
from carebus_contracts.omop.death import Death
from carebus_contracts.omop.person import Person
from carebus_converter.domain.demographics import (
    NO_REACH,
    NOWHERE,
    Address,
    FullName,
    Reach,
    full_name,
    home,
    reach,
)
from carebus_converter.domain.openemr.addresses import country_of, street_of
from carebus_converter.domain.openemr.cells import NULL, day, moment, text
from carebus_converter.domain.openemr.chart import Chart
from carebus_converter.domain.openemr.codes import title_of
from carebus_converter.domain.openemr.not_mapped import NotMapped

PATIENT = ("uuid", "pubpid", "fname", "lname", "DOB", "sex", "race", "ethnicity")
NAME_PARTS = ("title", "mname", "suffix")
CONTACT = ("street", "city", "state", "postal_code", "country_code", "phone_home", "email")
DEATH = ("uuid", "deceased_date", "deceased_reason")

SEX = {8507: "Male", 8532: "Female"}
"""OpenEMR's list has Female, Male and UNK, and no other."""
RACE = {
    8527: "white",
    8516: "black_or_afri_amer",
    8515: "Asian",
    8657: "amer_ind_or_alaska_native",
    8557: "native_hawai_or_pac_island",
}
ETHNICITY = {38003563: "hisp_or_latin", 38003564: "not_hisp_or_latin"}


class PatientRows(NamedTuple):
    """The row of a patient, and the columns that it fills."""

    columns: tuple[str, ...]
    rows: list[str]


def patient_rows(chart: Chart, bundle: PersonRecords, names_key: bytes) -> PatientRows:
    """Return the row of PERSON; further rows of the same person are counted.

    Of address, phone, provider and the like only what the source knows is in it: where it knows nothing,
    what people wrote into OpenEMR is theirs.
    """
    persons = bundle.rows(Person)
    if not persons:
        return PatientRows(PATIENT, [])
    person = min(persons, key=_content) if len(persons) > 1 else persons[0]
    chart.skip("person", NotMapped.REPEATED_PERSON, len(persons) - 1)
    pubpid = text(f"{bundle.source}:{person.person_id}", 255)
    name = full_name(bundle, names_key, person)
    columns, more = _also(name, home(bundle, person), reach(bundle))
    if (provider := chart.directory.provider(person.provider_id)) != NULL:
        columns, more = (*columns, "provider"), f"{more},{provider}"
    row = (
        f'["{chart.ids.uuid("person", person.person_id)}",{pubpid},{text(name.given, 255)}'
        f',{text(name.family, 255)},{_birth(person)},"{SEX.get(person.gender_concept_id or 0, "UNK")}"'
        f',"{RACE.get(person.race_concept_id or 0, "")}"'
        f',"{ETHNICITY.get(person.ethnicity_concept_id or 0, "")}"{more}]'
    )
    return PatientRows((*PATIENT, *columns), [row])


def death_rows(chart: Chart, deaths: Sequence[Death]) -> list[str]:
    """Return when and why the person died, to be put into the row of PERSON."""
    if not deaths:
        return []
    death = min(deaths, key=_content) if len(deaths) > 1 else deaths[0]
    chart.skip("death", NotMapped.REPEATED_PERSON, len(deaths) - 1)
    if death.death_date is None and death.death_datetime is None:
        chart.skip("death", NotMapped.NO_DATE)  # OpenEMR knows the dead by the date alone
        return []
    cause = title_of(
        chart.concepts.get(death.cause_concept_id),
        chart.concepts.get(death.cause_source_concept_id),
        death.cause_source_value,
        death.cause_concept_id,
    )
    return [
        f'["{chart.ids.uuid("person", death.person_id)}",{moment(death.death_date, death.death_datetime)}'
        f",{text(cause, 255)}]"
    ]


def _also(name: FullName, address: Address, ways: Reach) -> tuple[tuple[str, ...], str]:
    """Return further columns with their cells: other parts of the name together, and all of the contact."""
    columns: tuple[str, ...] = ()
    cells: tuple[str, ...] = ()
    if name.prefix or name.middle or name.suffix:
        columns += NAME_PARTS
        cells += (name.prefix, name.middle, name.suffix)
    if address != NOWHERE or ways != NO_REACH:
        columns += CONTACT
        cells += (
            street_of(address),
            address.city,
            address.state,
            address.zip,
            country_of(address),
            ways.phone,
            ways.email,
        )
    return columns, "".join(f",{text(cell, 255)}" for cell in cells)


def _birth(person: Person) -> str:
    """Return the date of birth; month and day that are withheld, or impossible, become the first."""
    if person.birth_datetime is not None:
        return day(person.birth_datetime.date())
    year, month = person.year_of_birth, person.month_of_birth
    if year is None or not date.min.year <= year <= date.max.year:
        return NULL
    if month is None or not 1 <= month <= 12:
        return day(date(year, 1, 1))
    try:
        return day(date(year, month, person.day_of_birth or 1))
    except ValueError:
        return day(date(year, month, 1))


def _content(row: Person | Death) -> bytes:
    return orjson.dumps(tuple(row))
