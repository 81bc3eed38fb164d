"""Who is meant, who did it and where: read back from documents by an independent reader."""

from __future__ import annotations

from typing import Any

from lxml import etree

from carebus_contracts.omop.bundle import GivenName
from carebus_converter.domain.ccda import document

from .factories import (
    SETTINGS,
    a_measurement,
    a_person,
    a_procedure,
    a_visit,
    an_observation,
    attributes,
    find,
    find_all,
    parsed,
    section,
    with_directory,
)

ROOT = "2.16.840.1.113883.3.9999.1"


def read(*rows: Any, name: GivenName | None = None) -> etree._Element:
    """The document of some rows, parsed."""
    return parsed(document(with_directory(*rows, name=name), settings=SETTINGS))


def words(element: etree._Element) -> dict[str, str | None]:
    """The text of an element's children by their name."""
    return {etree.QName(child).localname: child.text for child in element}


PATIENT = "/c:ClinicalDocument/c:recordTarget/c:patientRole"
PERFORMER = "/c:performer/c:assignedEntity"


def test_a_real_name_is_a_legal_one() -> None:
    """All of its parts in order, with what XML must escape."""
    name = find(
        read(a_person(), name=GivenName(prefix="Dr", given="Bedin", middle="T.", family="O<B", suffix="Jr")),
        f"{PATIENT}/c:patient/c:name",
    )

    assert attributes(name) == {"use": "L"}
    assert [(etree.QName(part).localname, part.text) for part in name] == [
        ("prefix", "Dr"),
        ("given", "Bedin"),
        ("given", "T."),
        ("family", "O<B"),
        ("suffix", "Jr"),
    ]


def test_a_missing_part_of_a_name_is_unknown() -> None:
    """A person of one name has no invented other."""
    name = find(read(a_person(), name=GivenName(family="Lusab")), f"{PATIENT}/c:patient/c:name")

    assert [(part.text, part.get("nullFlavor")) for part in name] == [(None, "UNK"), ("Lusab", None)]


def test_the_patient_lives_at_their_location() -> None:
    """What LOCATION says; what it does not say is unknown."""
    address = find(read(a_person(location_id=5)), f"{PATIENT}/c:addr")

    assert attributes(address) == {"use": "HP"}
    assert words(address) == {
        "streetAddressLine": "1 Long <Lane>",
        "city": "Springfield",
        "state": "MA",
        "postalCode": None,
        "country": None,
    }
    assert find(address, "c:postalCode").get("nullFlavor") == "UNK"


def test_phone_and_mail_are_uris() -> None:
    """Two telecoms, as OpenEMR takes a single one for a cell phone; without any there is one unknown."""
    said = read(a_person(), name=GivenName(phone="+1 (555) 0100 x7", email="p 7@example.org"))
    phone_only = read(a_person(), name=GivenName(phone="5550100"))

    assert [attributes(t) for t in find_all(said, f"{PATIENT}/c:telecom")] == [
        {"use": "HP", "value": "tel:+1(555)0100x7"},
        {"value": "mailto:p%207@example.org"},
    ]
    assert [attributes(t) for t in find_all(phone_only, f"{PATIENT}/c:telecom")] == [
        {"use": "HP", "value": "tel:5550100"},
        {"nullFlavor": "UNK"},
    ]
    assert attributes(find(read(a_person()), f"{PATIENT}/c:telecom")) == {"nullFlavor": "UNK"}


def test_an_encounter_names_its_provider_and_its_place() -> None:
    """Performer with NPI, specialty and organization; location with kind, name and address; both readable."""
    encounters = section(read(a_person(), a_visit(provider_id=4, care_site_id=3)), "46240-8")
    entity = find(encounters, f".//c:encounter{PERFORMER}")
    place = find(encounters, ".//c:encounter/c:participant[@typeCode='LOC']/c:participantRole")

    assert [attributes(i) for i in find_all(entity, "c:id")] == [
        {"root": "2.16.840.1.113883.4.6", "extension": "1234567893"},
        {"root": f"{ROOT}.10", "extension": "4"},
    ]
    assert find(entity, "c:code").get("code") == "207Q00000X"
    assert find(entity, "c:assignedPerson/c:name").text == "Lusab-Babad"
    assert find(entity, "c:representedOrganization/c:name").text == "North & South"
    assert find(place, "c:templateId").get("root") == "2.16.840.1.113883.10.20.22.4.32"
    assert find(place, "c:code/c:originalText").text == "Office"
    assert find(place, "c:playingEntity/c:name").text == "North & South"
    assert words(find(place, "c:addr"))["city"] == "Ogdenville"
    assert [cell.text for cell in find_all(encounters, ".//c:tbody/c:tr/c:td")][4:] == [
        "Lusab-Babad",
        "North & South",
    ]


def test_procedures_and_results_name_who_did_them() -> None:
    """Rows that name a provider whom the source knows have a performer; others have none."""
    root = read(
        a_person(),
        a_procedure(provider_id=4),
        a_procedure(procedure_occurrence_id=2, provider_id=99),
        a_measurement(provider_id=4, value_as_number=5.0),
        an_observation(provider_id=4),
        an_observation(observation_id=2),
    )

    assert len(find_all(root, f".//c:procedure{PERFORMER}")) == 1
    assert len(find_all(root, f".//c:organizer//c:observation{PERFORMER}")) == 2
    ids = find_all(root, f".//c:structuredBody//c:performer//c:assignedEntity/c:id[@root='{ROOT}.10']")
    assert {i.get("extension") for i in ids} == {"4"}


def test_the_custodian_is_the_site_of_the_person() -> None:
    """Where PERSON names none, or an unknown one, the configured organization keeps the documents."""
    custodian = ".//c:representedCustodianOrganization"

    of_site = find(read(a_person(care_site_id=3)), custodian)
    of_none = find(read(a_person(care_site_id=8)), custodian)

    assert find(of_site, "c:name").text == "North & South"
    assert attributes(find(of_site, "c:id")) == {"root": f"{ROOT}.11", "extension": "3"}
    assert words(find(of_site, "c:addr"))["state"] == "ME"
    assert find(of_none, "c:name").text == "General Hospital"
