"""The document's header: whose it is, who made it, when, and of which time it tells."""

from __future__ import annotations

from datetime import date
from functools import lru_cache

from carebus_contracts.omop.bundle import ConceptInUse
from carebus_contracts.omop.death import Death
from carebus_contracts.omop.person import Person
from carebus_converter.domain.ccda.codes import LOINC, Concepts, fixed, template
from carebus_converter.domain.ccda.contacts import (
    NO_ADDRESS,
    NO_TELECOM,
    home_address,
    home_telecom,
    patient_name,
)
from carebus_converter.domain.ccda.settings import DocumentSettings
from carebus_converter.domain.ccda.stylesheet import STYLESHEET
from carebus_converter.domain.ccda.text import clean
from carebus_converter.domain.ccda.times import bound_high, stamp
from carebus_converter.domain.demographics import Address, FullName, Reach

OPENING = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    + STYLESHEET
    + '<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:sdtc="urn:hl7-org:sdtc" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><realmCode code="US"/>'
    '<typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>'
    + template("1.1", "2015-08-01")
    + template("1.2", "2015-08-01")
    + '<id root="'
)
"""Up to the document's id. OpenEMR looks at the third templateId: it must be the CCD's."""

_TITLE = (
    '"/>'
    + fixed("code", "34133-9", LOINC, "Summarization of Episode Note")
    + "<title>Continuity of Care Document</title>"
)
_CONFIDENTIALITY = '<confidentialityCode code="N" codeSystem="2.16.840.1.113883.5.25" displayName="normal"/>'
_GENDER_SYSTEM = "2.16.840.1.113883.5.1"
_GENDERS = {8507: ("M", "Male"), 8532: ("F", "Female"), 8521: ("UN", "Undifferentiated")}
_RACE_SYSTEM = "2.16.840.1.113883.6.238"
_RACES = {
    8527: ("2106-3", "White"),
    8516: ("2054-5", "Black or African American"),
    8515: ("2028-9", "Asian"),
    8657: ("1002-5", "American Indian or Alaska Native"),
    8557: ("2076-8", "Native Hawaiian or Other Pacific Islander"),
}
_ETHNICITIES = {
    38003563: ("2135-2", "Hispanic or Latino"),
    38003564: ("2186-5", "Not Hispanic or Latino"),
}
"""Standard OMOP concepts, which sources use without carrying them in their vocabulary."""


def header(
    person: Person | None,
    death: Death | None,
    *,
    person_id: int,
    name: FullName,
    address: Address,
    reach: Reach,
    custodian: str,
    concepts: Concepts,
    span: tuple[date, date] | None,
    root: str,
    settings: DocumentSettings,
) -> str:
    """Return the document from behind its id (``OPENING`` stands before that) to its first section.

    Args:
        person: The PERSON row, if the bundle has one.
        death: The DEATH row, likewise.
        person_id: The id under which the source knows the patient.
        name: What the patient is called here.
        address: Where they live.
        reach: How they can be reached.
        custodian: The patient's own site as an organization; "" for the one of the settings.
        concepts: Of the bundle.
        span: Days of the earliest and the latest record.
        root: OID of the source's ids.
        settings: The site's half.

    Source:
        C-CDA R2.1 US Realm Header and CCD, templates 2.16.840.1.113883.10.20.22.1.1 and 1.2.
    """
    latest = settings.released or (span[1] if span else _day_of_birth(person))
    moment = f"{stamp(latest, None, '').hl7}000000{settings.utc_offset}"
    before, between, after = _fixed_parts(settings, root, custodian)
    return (
        f'{_TITLE}<effectiveTime value="{moment}"/>{before}'
        f'<recordTarget><patientRole><id root="{root}.1" extension="{person_id}"/>'
        f"{home_address(address)}{home_telecom(reach)}<patient>{patient_name(name)}"
        f"{_demographics(person, death, concepts, settings.utc_offset)}</patient></patientRole>"
        f'</recordTarget><author><time value="{moment}"/>{between}{_service_event(span)}{after}'
    )


CLOSING = "</structuredBody></component></ClinicalDocument>"


@lru_cache(maxsize=256)
def _fixed_parts(settings: DocumentSettings, root: str, site: str) -> tuple[str, str, str]:
    """Return what depends on sites and source only: language, author with custodian, opening of the body."""
    organization, device = clean(settings.organization), clean(settings.device)
    name = f"<name>{organization}</name>" if organization else '<name nullFlavor="UNK"/>'
    body = f'<id root="{root}"/>{name}{NO_TELECOM}{NO_ADDRESS}'
    author = (
        f'<assignedAuthor><id root="{root}.9" extension="converter"/>{NO_ADDRESS}{NO_TELECOM}'
        f"<assignedAuthoringDevice><manufacturerModelName>{device}</manufacturerModelName>"
        f"<softwareName>{device}</softwareName></assignedAuthoringDevice>"
        f"<representedOrganization>{body}</representedOrganization></assignedAuthor></author>"
    )
    custodian = (
        f"<custodian><assignedCustodian><representedCustodianOrganization>{site or body}"
        "</representedCustodianOrganization></assignedCustodian></custodian>"
    )
    return (
        f'{_CONFIDENTIALITY}<languageCode code="{settings.language}"/>',
        author + custodian,
        "<component><structuredBody>",
    )


def _service_event(span: tuple[date, date] | None) -> str:
    if span:
        low = stamp(span[0], None, "").hl7
        period = f'<low value="{low}"/>{bound_high(low, stamp(span[1], None, "").hl7)}'
    else:
        period = '<low nullFlavor="UNK"/><high nullFlavor="UNK"/>'
    return (
        f'<documentationOf><serviceEvent classCode="PCPR"><effectiveTime>{period}</effectiveTime>'
        "</serviceEvent></documentationOf>"
    )


def _demographics(person: Person | None, death: Death | None, concepts: Concepts, offset: str) -> str:
    gender: tuple[int, str | None] = (0, None)
    race, ethnicity, birth = gender, gender, ""
    if person is not None:
        gender = (person.gender_concept_id or 0, person.gender_source_value)
        race = (person.race_concept_id or 0, person.race_source_value)
        ethnicity = (person.ethnicity_concept_id or 0, person.ethnicity_source_value)
        birth = birth_of(person)
    born = f'<birthTime value="{birth}"/>' if birth else '<birthTime nullFlavor="UNK"/>'
    return (
        f"{_administrative('administrativeGenderCode', *gender, concepts[gender[0]])}{born}"
        f"{_deceased(death, offset)}"
        f"{_administrative('raceCode', *race, concepts[race[0]])}"
        f"{_administrative('ethnicGroupCode', *ethnicity, concepts[ethnicity[0]])}"
    )


_ADMINISTRATIVE = {
    "administrativeGenderCode": (_GENDERS, _GENDER_SYSTEM),
    "raceCode": (_RACES, _RACE_SYSTEM),
    "ethnicGroupCode": (_ETHNICITIES, _RACE_SYSTEM),
}


@lru_cache(maxsize=4096)
def _administrative(tag: str, concept_id: int, text: str | None, concept: ConceptInUse | None) -> str:
    """Return gender, race or ethnic group: a code of the fixed lists, else unknown in the source's words."""
    codes, system = _ADMINISTRATIVE[tag]
    if concept_id in codes:
        code, name = codes[concept_id]
        return fixed(tag, code, system, name)
    words = (clean(concept.concept_name) if concept else "") or clean(text)
    flavor = "OTH" if concept else "UNK"
    if not words:
        return f'<{tag} nullFlavor="{flavor}"/>'
    return f'<{tag} nullFlavor="{flavor}"><originalText>{words}</originalText></{tag}>'


def birth_of(person: Person) -> str:
    """Return the birth date only as precise as it is given: 1967, 196703 or 19670304; "" for none."""
    year, month, day = person.year_of_birth, person.month_of_birth, person.day_of_birth
    if year is None and person.birth_datetime is not None:
        year, month, day = person.birth_datetime.timetuple()[:3]
    if year is None or not date.min.year <= year <= date.max.year:
        return ""
    if month is None or not 1 <= month <= 12:
        return f"{year:04}"
    try:
        date(year, month, day or 0)
    except ValueError:
        return f"{year:04}{month:02}"
    return f"{year:04}{month:02}{day:02}"


_UNDATED = date(1900, 1, 1)
"""Time of a document whose records name no day at all: the Companion Guide's rules allow no null."""


def _day_of_birth(person: Person | None) -> date:
    """Return the first day that the birth date allows: the latest day that an undated record names."""
    digits = birth_of(person) if person else ""
    if not digits:
        return _UNDATED
    return date(int(digits[:4]), int(digits[4:6] or 1), int(digits[6:8] or 1))


def _deceased(death: Death | None, offset: str) -> str:
    if death is None:
        return ""
    when = stamp(death.death_date, death.death_datetime, offset).hl7
    time = f'<sdtc:deceasedTime value="{when}"/>' if when else ""
    return f'<sdtc:deceasedInd value="true"/>{time}'
