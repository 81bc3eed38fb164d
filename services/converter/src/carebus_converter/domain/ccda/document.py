"""One person's records as one Continuity of Care Document."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from hashlib import sha1
from typing import NamedTuple, TypeVar
from uuid import NAMESPACE_URL, UUID

from carebus_contracts.omop.bundle import PersonRecords
from carebus_contracts.omop.condition_occurrence import ConditionOccurrence
from carebus_contracts.omop.death import Death
from carebus_contracts.omop.device_exposure import DeviceExposure
from carebus_contracts.omop.drug_exposure import DrugExposure
from carebus_contracts.omop.measurement import Measurement
from carebus_contracts.omop.observation import Observation
from carebus_contracts.omop.observation_period import ObservationPeriod
from carebus_contracts.omop.person import Person
from carebus_contracts.omop.procedure_occurrence import ProcedureOccurrence
from carebus_contracts.omop.visit_occurrence import VisitOccurrence
from carebus_converter.domain.allergens import allergy_of
from carebus_converter.domain.ccda.chart import Chart
from carebus_converter.domain.ccda.codes import Concepts
from carebus_converter.domain.ccda.directory import NOBODY, directory_of
from carebus_converter.domain.ccda.header import CLOSING, OPENING, header
from carebus_converter.domain.ccda.not_mapped import WHOLE_TABLES, NotMapped
from carebus_converter.domain.ccda.numbering import BEFORE_ALL, content_key, numbered
from carebus_converter.domain.ccda.places import Place, place_of
from carebus_converter.domain.ccda.sections.allergies import allergies
from carebus_converter.domain.ccda.sections.encounters import encounters
from carebus_converter.domain.ccda.sections.immunizations import immunizations
from carebus_converter.domain.ccda.sections.medical_equipment import medical_equipment
from carebus_converter.domain.ccda.sections.medications import medications
from carebus_converter.domain.ccda.sections.problems import problems
from carebus_converter.domain.ccda.sections.procedures import procedures
from carebus_converter.domain.ccda.sections.results import results
from carebus_converter.domain.ccda.sections.social_history import social_history
from carebus_converter.domain.ccda.sections.vital_signs import fits, is_vital, vital_signs
from carebus_converter.domain.ccda.settings import DocumentSettings
from carebus_converter.domain.ccda.text import clean
from carebus_converter.domain.demographics import full_name, home, reach

RowT = TypeVar("RowT", bound=NamedTuple)


@dataclass(frozen=True, slots=True)
class Document:
    """A finished document, and what of the records is not in it."""

    document_id: str
    """UUIDv5 over source, person and content: another content is another document."""
    xml: str
    """Pure ASCII."""
    day: date | None
    """Day up to which it tells; None when no record has one."""
    not_mapped: dict[str, dict[str, int]]
    """Rows without an entry, by OMOP table and reason (``NotMapped``)."""


def document(person: PersonRecords, *, settings: DocumentSettings) -> Document:
    """Turn a bundle into a CCD; the same records in any order give the same bytes.

    Each row becomes one entry of one section, or counts in ``not_mapped``:

    - CONDITION_OCCURRENCE: a problem, or an allergy if its concept states one.
    - DRUG_EXPOSURE: an immunization if its concept is from CVX, else a medication.
    - MEASUREMENT: a vital sign if its concept is in that value set and it has a number and a unit,
      else a result. A vital sign without value stays visible as a result of unknown value.
    - OBSERVATION: ``places.Place`` decides.
    - VISIT_OCCURRENCE, PROCEDURE_OCCURRENCE, DEVICE_EXPOSURE: encounter, procedure, device.
    - PERSON and DEATH are the header. The other tables are in ``not_mapped.WHOLE_TABLES``.

    Args:
        person: The records; nothing but keys need be there.
        settings: The site's half of the header.

    Source:
        C-CDA R2.1 Continuity of Care Document, template 2.16.840.1.113883.10.20.22.1.2.
    """
    root = settings.root_for(person.source)
    concepts = Concepts(person.concept)
    chart = Chart(concepts, root, settings.utc_offset, directory_of(person, concepts, root))
    people = sorted(person.rows(Person), key=content_key)
    deaths = sorted(person.rows(Death), key=content_key)
    body = "".join(_sections(person, chart))
    span = _span(person)
    patient = people[0] if people else None
    head = header(
        patient,
        deaths[0] if deaths else None,
        person_id=person.person_id,
        name=full_name(person, settings.name_key, patient),
        address=home(person, patient),
        reach=reach(person),
        custodian=chart.directory.sites.get(patient.care_site_id if patient else None, NOBODY).organization,
        concepts=concepts,
        span=span,
        root=root,
        settings=settings,
    )
    document_id = _document_id(person, head, body)
    return Document(
        document_id,
        f"{OPENING}{document_id}{head}{body}{CLOSING}",
        settings.released or (span[1] if span else None),
        _not_mapped(person, chart),
    )


def _sections(person: PersonRecords, chart: Chart) -> Iterable[str]:
    concepts = chart.concepts
    allergic = {key for key, concept in concepts.items() if allergy_of(concept)}
    vaccines = {key for key, concept in concepts.items() if concept and concept.vocabulary_id == "CVX"}
    vital = {key for key, concept in concepts.items() if is_vital(concept)}

    allergic_conditions, conditions = _parted(
        numbered(
            person.rows(ConditionOccurrence),
            lambda row: (row.condition_start_date or BEFORE_ALL, row.condition_concept_id or 0, row[0]),
        ),
        lambda row: row.condition_concept_id in allergic,
    )
    vaccinations, exposures = _parted(
        numbered(
            person.rows(DrugExposure),
            lambda row: (row.drug_exposure_start_date or BEFORE_ALL, row.drug_concept_id or 0, row[0]),
        ),
        lambda row: (row.drug_concept_id or row.drug_source_concept_id) in vaccines,
    )
    signs, measurements = _parted(
        numbered(
            person.rows(Measurement),
            lambda row: (row.measurement_date or BEFORE_ALL, row.measurement_concept_id or 0, row[0]),
        ),
        lambda row: row.measurement_concept_id in vital and fits(row, concepts),
    )
    placed = _placed(
        numbered(
            person.rows(Observation),
            lambda row: (row.observation_date or BEFORE_ALL, row.observation_concept_id or 0, row[0]),
        ),
        concepts,
    )

    yield allergies(placed[Place.ALLERGY], allergic_conditions, chart)
    yield medications(exposures, chart)
    yield problems(conditions, placed[Place.HISTORY], chart)
    yield procedures(
        numbered(
            person.rows(ProcedureOccurrence),
            lambda row: (row.procedure_date or BEFORE_ALL, row.procedure_concept_id or 0, row[0]),
        ),
        chart,
    )
    yield results(measurements, placed[Place.RESULT], chart)
    yield social_history(placed[Place.SOCIAL], chart)
    yield vital_signs(signs, chart)
    yield encounters(
        numbered(
            person.rows(VisitOccurrence),
            lambda row: (row.visit_start_date or BEFORE_ALL, row.visit_concept_id or 0, row[0]),
        ),
        conditions,
        chart,
    )
    yield immunizations(vaccinations, chart)
    yield medical_equipment(
        numbered(
            person.rows(DeviceExposure),
            lambda row: (row.device_exposure_start_date or BEFORE_ALL, row.device_concept_id or 0, row[0]),
        ),
        chart,
    )


def _parted(
    items: list[tuple[str, RowT]], wanted: Callable[[RowT], bool]
) -> tuple[list[tuple[str, RowT]], list[tuple[str, RowT]]]:
    """Return the items that are wanted, and the rest, each in order."""
    yes: list[tuple[str, RowT]] = []
    no: list[tuple[str, RowT]] = []
    for item in items:
        (yes if wanted(item[1]) else no).append(item)
    return yes, no


def _placed(
    items: list[tuple[str, Observation]], concepts: Concepts
) -> dict[Place, list[tuple[str, Observation]]]:
    places: dict[Place, list[tuple[str, Observation]]] = {place: [] for place in Place}
    for item in items:
        row = item[1]
        answered = bool(
            row.value_as_number is not None
            or row.value_as_concept_id
            or clean(row.value_as_string)
            or clean(row.value_source_value)
        )
        places[place_of(concepts[row.observation_concept_id], answered)].append(item)
    return places


_DATES: Mapping[type[NamedTuple], tuple[str, ...]] = {
    ConditionOccurrence: ("condition_start_date", "condition_end_date"),
    DrugExposure: ("drug_exposure_start_date", "drug_exposure_end_date"),
    Measurement: ("measurement_date",),
    Observation: ("observation_date",),
    ProcedureOccurrence: ("procedure_date", "procedure_end_date"),
    VisitOccurrence: ("visit_start_date", "visit_end_date"),
    DeviceExposure: ("device_exposure_start_date", "device_exposure_end_date"),
    ObservationPeriod: ("observation_period_start_date", "observation_period_end_date"),
    Death: ("death_date",),
}
_DATE_PLACES = [(row, [row._fields.index(column) for column in columns]) for row, columns in _DATES.items()]


def _span(person: PersonRecords) -> tuple[date, date] | None:
    """Return the days of the earliest and of the latest record."""
    days = {
        row[place]
        for kind, places in _DATE_PLACES
        for rows in (person.rows(kind),)
        for place in places
        for row in rows
    }
    days.discard(None)
    return (min(days), max(days)) if days else None


def _document_id(person: PersonRecords, head: str, body: str) -> str:
    digest = sha1(NAMESPACE_URL.bytes, usedforsecurity=False)
    digest.update(f"urn:carebus:document:{person.source}/{person.person_id}:{head}".encode("ascii"))
    digest.update(body.encode("ascii"))
    return str(UUID(bytes=digest.digest()[:16], version=5))


def _not_mapped(person: PersonRecords, chart: Chart) -> dict[str, dict[str, int]]:
    unmapped = chart.unmapped
    for kind in (Person, Death):
        if (copies := len(person.rows(kind)) - 1) > 0:
            unmapped[kind.__name__.lower(), NotMapped.REPEATED_PERSON] = copies
    for table, reason in WHOLE_TABLES.items():
        if rows := getattr(person.tables, table):
            unmapped[table, reason] += len(rows.rows)
    counts: dict[str, dict[str, int]] = {}
    for (table, reason), count in sorted(unmapped.items()):
        if count:
            counts.setdefault(table, {})[reason.value] = count
    return counts
