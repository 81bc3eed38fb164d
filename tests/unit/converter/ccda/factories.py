"""Valid records: a test names only what it is about."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any, NamedTuple, TypeVar, cast

from lxml import etree

from carebus_contracts.omop.bundle import (
    REFERRED_TABLES,
    ConceptInUse,
    GivenName,
    PersonRecords,
    ReferredTables,
    decode_person,
    encode_person,
)
from carebus_contracts.omop.care_site import CareSite
from carebus_contracts.omop.catalog import PERSON_TABLES
from carebus_contracts.omop.condition_occurrence import ConditionOccurrence
from carebus_contracts.omop.device_exposure import DeviceExposure
from carebus_contracts.omop.drug_exposure import DrugExposure
from carebus_contracts.omop.location import Location
from carebus_contracts.omop.measurement import Measurement
from carebus_contracts.omop.observation import Observation
from carebus_contracts.omop.person import Person
from carebus_contracts.omop.procedure_occurrence import ProcedureOccurrence
from carebus_contracts.omop.provider import Provider
from carebus_contracts.omop.visit_occurrence import VisitOccurrence
from carebus_converter.domain.ccda import Document, DocumentSettings, document

RowT = TypeVar("RowT", bound=NamedTuple)

NS = {"c": "urn:hl7-org:v3", "sdtc": "urn:hl7-org:sdtc", "xsi": "http://www.w3.org/2001/XMLSchema-instance"}
SETTINGS = DocumentSettings(organization="General Hospital", id_root="2.16.840.1.113883.3.9999.1")
DAY = date(2020, 3, 14)

ASTHMA = ConceptInUse(317009, "195967001", "SNOMED", "Asthma", "Condition", "S")
ASTHMA_ICD = ConceptInUse(45591559, "J45.909", "ICD10CM", "Unspecified asthma", "Condition", None)
ASPIRIN = ConceptInUse(1112807, "1191", "RxNorm", "aspirin", "Drug", "S")
ASPIRIN_NDC = ConceptInUse(44000001, "00536330501", "NDC", "Aspirin 325 MG", "Drug", None)
EXTENSION_DRUG = ConceptInUse(21000001, "OMOP123", "RxNorm Extension", "Aspirin 77 MG", "Drug", "S")
FLU_SHOT = ConceptInUse(40213154, "140", "CVX", "Influenza, seasonal", "Drug", "S")
SYSTOLIC = ConceptInUse(3004249, "8480-6", "LOINC", "Systolic blood pressure", "Measurement", "S")
GLUCOSE = ConceptInUse(3004501, "2345-7", "LOINC", "Glucose", "Measurement", "S")
MM_HG = ConceptInUse(8876, "mm[Hg]", "UCUM", "millimeter mercury column", "Unit", "S")
MG_DL = ConceptInUse(8840, "mg/dL", "UCUM", "milligram per deciliter", "Unit", "S")
SMOKING = ConceptInUse(43054909, "72166-2", "LOINC", "Tobacco smoking status", "Observation", "S")
FORMER_SMOKER = ConceptInUse(45883458, "LA15920-4", "LOINC", "Former smoker", "Meas Value", "S")
EMPLOYED = ConceptInUse(4000001, "160903007", "SNOMED", "Full-time employment", "Observation", "S")
EGG_ALLERGY = ConceptInUse(4241527, "91930004", "SNOMED", "Allergy to eggs", "Observation", "S")
NO_ALLERGY = ConceptInUse(4222295, "716186003", "SNOMED", "No known allergy", "Observation", "S")
APPENDECTOMY = ConceptInUse(4323208, "428251008", "SNOMED", "History of appendectomy", "Observation", "S")
BURN = ConceptInUse(4013678, "48333001", "SNOMED", "Burn injury", "Observation", "S")
BIOPSY = ConceptInUse(4228202, "86273004", "SNOMED", "Biopsy", "Procedure", "S")
PACEMAKER = ConceptInUse(4030875, "14106009", "SNOMED", "Cardiac pacemaker", "Device", "S")
INPATIENT = ConceptInUse(9201, "IP", "Visit", "Inpatient Visit", "Visit", "S")


def a_row(kind: type[RowT], **values: Any) -> RowT:
    """Return a row with nothing in it but the person and what the test says."""
    person = {"person_id": 1} if "person_id" in kind._fields else {}
    cells = dict.fromkeys(kind._fields) | person | values
    return kind._make(cells.values())


def a_person(**values: Any) -> Person:
    """Return a woman of 1967."""
    return a_row(Person, **({"gender_concept_id": 8532, "year_of_birth": 1967} | values))


def a_condition(concept: ConceptInUse = ASTHMA, **values: Any) -> ConditionOccurrence:
    """Return a condition that began on DAY and goes on."""
    given = {
        "condition_occurrence_id": 1,
        "condition_concept_id": concept.concept_id,
        "condition_start_date": DAY,
    }
    return a_row(ConditionOccurrence, **(given | values))


def a_drug(concept: ConceptInUse = ASPIRIN, **values: Any) -> DrugExposure:
    """Return a drug taken from DAY on."""
    given = {"drug_exposure_id": 1, "drug_concept_id": concept.concept_id, "drug_exposure_start_date": DAY}
    return a_row(DrugExposure, **(given | values))


def a_measurement(concept: ConceptInUse = GLUCOSE, **values: Any) -> Measurement:
    """Return a measurement of DAY, without value."""
    given = {"measurement_id": 1, "measurement_concept_id": concept.concept_id, "measurement_date": DAY}
    return a_row(Measurement, **(given | values))


def an_observation(concept: ConceptInUse = BURN, **values: Any) -> Observation:
    """Return an observation of DAY, without value."""
    given = {"observation_id": 1, "observation_concept_id": concept.concept_id, "observation_date": DAY}
    return a_row(Observation, **(given | values))


def a_procedure(concept: ConceptInUse = BIOPSY, **values: Any) -> ProcedureOccurrence:
    """Return a procedure of DAY."""
    given = {"procedure_occurrence_id": 1, "procedure_concept_id": concept.concept_id, "procedure_date": DAY}
    return a_row(ProcedureOccurrence, **(given | values))


def a_device(concept: ConceptInUse = PACEMAKER, **values: Any) -> DeviceExposure:
    """Return a device in place since DAY."""
    given = {
        "device_exposure_id": 1,
        "device_concept_id": concept.concept_id,
        "device_exposure_start_date": DAY,
    }
    return a_row(DeviceExposure, **(given | values))


def a_visit(concept: ConceptInUse = INPATIENT, **values: Any) -> VisitOccurrence:
    """Return a visit that began on DAY."""
    given = {"visit_occurrence_id": 1, "visit_concept_id": concept.concept_id, "visit_start_date": DAY}
    return a_row(VisitOccurrence, **(given | values))


KNOWN = [value for value in list(globals().values()) if isinstance(value, ConceptInUse)]
"""All concepts of this module: what a bundle's source knows unless a test says otherwise."""


def a_bundle(
    *rows: NamedTuple, concepts: Iterable[ConceptInUse] = KNOWN, person_id: int = 1, source: str = "lab"
) -> PersonRecords:
    """Return a bundle of rows of any tables.

    The rows do not pass through JSON, so that they may hold what JSON cannot.
    """
    name_of: dict[type, str] = {spec.row: name for name, spec in PERSON_TABLES.items()}
    skeleton = encode_person(
        source=source,
        person_id=person_id,
        cdm_version="5.4",
        covers=list(PERSON_TABLES),
        tables=dict.fromkeys(PERSON_TABLES, b"[]"),
        concepts=[],
    )
    bundle = decode_person(skeleton)
    for row in rows:
        getattr(bundle.tables, name_of[type(row)]).rows.append(row)
    cast(Any, bundle.concepts).rows.extend(concepts)
    return bundle


FAMILY_MEDICINE = ConceptInUse(38004453, "207Q00000X", "NUCC", "Family Medicine", "Provider", "S")
OFFICE = ConceptInUse(8940, "11", "CMS Place of Service", "Office", "Visit", "S")
FULL_DIRECTORY: list[NamedTuple] = [
    a_row(Location, location_id=5, address_1="1 Long <Lane>", city="Springfield", state="MA"),
    a_row(Location, location_id=6, address_1="9 Hill", city="Ogdenville", state="ME", zip="04001"),
    a_row(
        CareSite,
        care_site_id=3,
        care_site_name="North & South",
        location_id=6,
        place_of_service_concept_id=OFFICE.concept_id,
    ),
    a_row(
        Provider,
        provider_id=4,
        provider_name="Lusab-Babad",
        npi="1234567893",
        specialty_concept_id=FAMILY_MEDICINE.concept_id,
        care_site_id=3,
    ),
]
"""A home, a site with its place, and a provider who works there."""


def with_directory(
    *rows: NamedTuple, directory: Iterable[NamedTuple] = FULL_DIRECTORY, name: GivenName | None = None
) -> PersonRecords:
    """Return a bundle that carries what its rows refer to."""
    bundle = a_bundle(*rows, concepts=[*KNOWN, FAMILY_MEDICINE, OFFICE])
    tables: Any = ReferredTables.model_validate(
        {name: {"columns": spec.columns, "rows": []} for name, spec in REFERRED_TABLES.items()}
    )
    table_of = {spec.row: getattr(tables, name) for name, spec in REFERRED_TABLES.items()}
    for row in directory:
        table_of[type(row)].rows.append(row)
    return bundle.model_copy(update={"refers": tables, "name": name})


def a_document(*rows: NamedTuple, settings: DocumentSettings = SETTINGS, **bundle: Any) -> Document:
    """Return the document of some rows."""
    return document(a_bundle(*rows, **bundle), settings=settings)


def parsed(made: Document) -> etree._Element:
    """Return the document's root element."""
    return etree.fromstring(made.xml.encode("ascii"))


def find(root: etree._Element, path: str) -> etree._Element:
    """Return the only element at a path."""
    (element,) = find_all(root, path)
    return element


def find_all(root: etree._Element, path: str) -> list[etree._Element]:
    """Return the elements at a path; ``c:`` is CDA."""
    return cast(list[etree._Element], root.xpath(path, namespaces=NS))


def attributes(element: etree._Element) -> dict[str, str]:
    """Return an element's attributes, ``xsi:type`` by this name."""
    return {str(k).replace(f"{{{NS['xsi']}}}", "xsi:"): str(v) for k, v in element.attrib.items()}


def section(root: etree._Element, loinc: str) -> etree._Element:
    """Return the section with a LOINC code."""
    return find(root, f".//c:section[c:code/@code='{loinc}']")
