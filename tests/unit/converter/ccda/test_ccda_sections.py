"""Each section holds what its template asks for."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from carebus_contracts.omop.bundle import ConceptInUse
from unit.converter.ccda import factories as f
from unit.converter.ccda.factories import a_document, attributes, find, find_all, parsed, section

C = "2.16.840.1.113883.10.20.22"
REQUIRED = {
    "48765-2": "Allergies and Adverse Reactions",
    "10160-0": "Medications",
    "11450-4": "Problems",
    "30954-2": "Results",
    "29762-2": "Social History",
    "8716-3": "Vital Signs",
}


def test_empty_person_has_the_six_required_sections_without_information() -> None:
    """Silence is no information, never "no known"."""
    root = parsed(a_document())

    sections = find_all(root, ".//c:section")

    titles = {find(s, "c:code").get("code"): find(s, "c:title").text for s in sections}
    assert titles == REQUIRED
    assert {s.get("nullFlavor") for s in sections} == {"NI"}
    assert {find(s, "c:text").text for s in sections} == {"No information"}


def test_problem_is_a_concern_around_one_observation() -> None:
    """SNOMED as value, the source's ICD as translation, an open end as an active concern."""
    row = f.a_condition(condition_occurrence_id=9, condition_source_concept_id=f.ASTHMA_ICD.concept_id)

    problems = section(parsed(a_document(row)), "11450-4")

    act = find(problems, "c:entry/c:act")
    assert attributes(find(act, "c:id")) == {"root": "2.16.840.1.113883.3.9999.1.3", "extension": "9.act"}
    assert find(act, "c:statusCode").get("code") == "active"
    assert [attributes(low) for low in find_all(act, "c:effectiveTime/*")] == [{"value": "20200314"}]
    observation = find(act, "c:entryRelationship[@typeCode='SUBJ']/c:observation")
    assert find(observation, "c:code/c:translation").get("code") == "75323-6"
    value = find(observation, "c:value")
    assert attributes(value) == {
        "xsi:type": "CD",
        "code": "195967001",
        "codeSystem": "2.16.840.1.113883.6.96",
        "codeSystemName": "SNOMED CT",
        "displayName": "Asthma",
    }
    assert find(value, "c:translation").get("codeSystem") == "2.16.840.1.113883.6.90"
    assert [cell.text for cell in find_all(problems, ".//c:td")] == ["Asthma", "Active", "2020-03-14", None]


def test_ended_problem_is_a_completed_concern_with_both_dates() -> None:
    """OpenEMR reads the dates from the concern."""
    row = f.a_condition(condition_end_date=date(2020, 4, 1))

    act = find(parsed(a_document(row)), ".//c:act")

    assert find(act, "c:statusCode").get("code") == "completed"
    assert [e.get("value") for e in find_all(act, "c:effectiveTime/*")] == ["20200314", "20200401"]


def test_end_before_start_is_unknown_and_shown() -> None:
    """HL7 cannot say it; the reader still sees it."""
    row = f.a_condition(condition_end_date=date(2019, 1, 1))

    root = parsed(a_document(row))

    assert [attributes(e) for e in find_all(root, ".//c:act/c:effectiveTime/*")] == [
        {"value": "20200314"},
        {"nullFlavor": "UNK"},
    ]
    assert find_all(root, ".//c:td")[3].text == "2019-01-01"


def test_problem_outside_snomed_keeps_code_system_for_openemr() -> None:
    """nullFlavor OTH with codeSystem, the name as text, the code as translation."""
    row = f.a_condition(f.ASTHMA_ICD)

    value = find(parsed(a_document(row)), ".//c:observation/c:value")

    assert attributes(value) == {
        "xsi:type": "CD",
        "nullFlavor": "OTH",
        "codeSystem": "2.16.840.1.113883.6.96",
    }
    assert find(value, "c:originalText").text == "Unspecified asthma"
    assert find(value, "c:translation").get("code") == "J45.909"


def test_concept_zero_is_unknown_in_the_sources_words() -> None:
    """Nothing mapped, nothing lost."""
    row = f.a_condition(condition_concept_id=0, condition_source_value='"wheezing" & cough')

    value = find(parsed(a_document(row)), ".//c:observation/c:value")

    assert attributes(value) == {"xsi:type": "CD", "nullFlavor": "UNK"}
    assert find(value, "c:originalText").text == '"wheezing" & cough'


def test_concept_that_the_source_does_not_know_is_not_lost() -> None:
    """An id without a row in the vocabulary still names itself."""
    row = f.a_condition(condition_concept_id=4711)

    value = find(parsed(a_document(row)), ".//c:observation/c:value")

    assert find(value, "c:originalText").text == "OMOP concept 4711"


def test_history_observation_is_an_active_problem() -> None:
    """A past problem that the source keeps as an observation."""
    problems = section(parsed(a_document(f.an_observation(f.APPENDECTOMY))), "11450-4")

    assert find(problems, ".//c:observation/c:value").get("code") == "428251008"
    assert find(problems, "c:entry/c:act/c:statusCode").get("code") == "active"


def test_medication_has_period_and_rxnorm_product() -> None:
    """RxNorm as code, NDC as translation; the dose is unknown to OMOP."""
    row = f.a_drug(
        drug_exposure_end_date=date(2020, 4, 1),
        drug_source_concept_id=f.ASPIRIN_NDC.concept_id,
        days_supply=18,
        quantity=30.0,
        sig="one a day",
    )

    medications = section(parsed(a_document(row)), "10160-0")

    taken = find(medications, "c:entry/c:substanceAdministration")
    period = find(taken, "c:effectiveTime")
    assert attributes(period) == {"xsi:type": "IVL_TS"}
    assert [e.get("value") for e in period] == ["20200314", "20200401"]
    assert find(taken, "c:statusCode").get("code") == "completed"
    assert attributes(find(taken, "c:doseQuantity")) == {"nullFlavor": "UNK"}
    code = find(taken, ".//c:manufacturedMaterial/c:code")
    assert (code.get("code"), code.get("codeSystem")) == ("1191", "2.16.840.1.113883.6.88")
    assert find(code, "c:translation").get("codeSystem") == "2.16.840.1.113883.6.69"
    assert [cell.text for cell in find_all(medications, ".//c:td")] == [
        "aspirin",
        "one a day",
        None,
        "30, 18 days",
        "2020-03-14",
        "2020-04-01",
    ]


def test_drug_of_rxnorm_extension_has_only_its_name() -> None:
    """HL7 has no OID for OMOP's own vocabularies."""
    code = find(parsed(a_document(f.a_drug(f.EXTENSION_DRUG))), ".//c:manufacturedMaterial/c:code")

    assert attributes(code) == {"nullFlavor": "OTH", "codeSystem": "2.16.840.1.113883.6.88"}
    assert find(code, "c:originalText").text == "Aspirin 77 MG"
    assert find_all(code, "c:translation") == []


def test_route_is_told_in_the_nci_thesaurus() -> None:
    """C-CDA binds the route to NCI; OMOP has SNOMED."""
    oral = ConceptInUse(4132161, "26643006", "SNOMED", "Oral", "Route", "S")

    root = parsed(a_document(f.a_drug(route_concept_id=4132161), concepts=[f.ASPIRIN, oral]))

    route = find(root, ".//c:routeCode")
    assert (route.get("code"), route.get("codeSystem")) == ("C38288", "2.16.840.1.113883.3.26.1.1")


def test_vaccine_is_an_immunization_not_a_medication() -> None:
    """CVX decides."""
    root = parsed(a_document(f.a_drug(f.FLU_SHOT, lot_number="A12")))

    given = find(section(root, "11369-6"), "c:entry/c:substanceAdministration")

    assert given.get("negationInd") == "false"
    assert find(given, "c:effectiveTime").get("value") == "20200314"
    material = find(given, ".//c:manufacturedMaterial")
    assert find(material, "c:code").get("codeSystem") == "2.16.840.1.113883.12.292"
    assert find(material, "c:lotNumberText").text == "A12"
    assert section(root, "10160-0").get("nullFlavor") == "NI"


def test_result_has_quantity_unit_and_range() -> None:
    """One organizer, one observation, UCUM."""
    row = f.a_measurement(
        value_as_number=92.5, unit_concept_id=f.MG_DL.concept_id, range_low=70.0, range_high=99.0
    )

    results = section(parsed(a_document(row)), "30954-2")

    organizer = find(results, "c:entry/c:organizer")
    assert find(organizer, "c:code").get("code") == "2345-7"
    assert [e.get("value") for e in find_all(organizer, "c:effectiveTime/*")] == ["20200314"] * 2
    observation = find(organizer, "c:component/c:observation")
    assert attributes(find(observation, "c:value")) == {"xsi:type": "PQ", "value": "92.5", "unit": "mg/dL"}
    limits = find_all(observation, "c:referenceRange/c:observationRange/c:value/*")
    assert [attributes(e) for e in limits] == [
        {"value": "70", "unit": "mg/dL"},
        {"value": "99", "unit": "mg/dL"},
    ]
    cells = [cell.text for cell in find_all(results, ".//c:td")]
    assert cells == ["Glucose", "92.5", "mg/dL", "70 - 99", "2020-03-14"]


VALUES: list[Any] = [
    pytest.param(
        {"value_as_number": 5.0, "operator_concept_id": 4171756, "unit_concept_id": 8840},
        '<high value="5" unit="mg/dL" inclusive="false"/>',
        id="less-than",
    ),
    pytest.param({"value_as_number": 5.0}, 'xsi:type="PQ" value="5" unit="1"', id="no-unit"),
    pytest.param(
        {"value_as_number": 5.0, "unit_source_value": "kU/L"},
        'xsi:type="PQ" value="5" unit="kU/L"',
        id="ucum-in-source-only",
    ),
    pytest.param(
        {"value_as_number": 5.0, "unit_source_value": "per <field>"},
        'xsi:type="PQ" value="5" unit="{per_field}"',
        id="other-unit-in-source-only",
    ),
    pytest.param({"value_as_concept_id": 317009}, 'xsi:type="CD" code="195967001"', id="coded"),
    pytest.param({"value_source_value": "3+"}, '<value xsi:type="ST">3+</value>', id="words"),
    pytest.param({}, '<value xsi:type="PQ" nullFlavor="UNK"/>', id="nothing"),
]


@pytest.mark.parametrize(("given", "expected"), VALUES)
def test_result_value_takes_the_type_of_what_was_found(given: dict[str, Any], expected: str) -> None:
    """Quantity, bound, code, words, or unknown: a test without a value is still told."""
    made = a_document(f.a_measurement(**given))

    assert expected in made.xml
    assert made.not_mapped == {}


def test_finding_without_value_is_asserted() -> None:
    """The concept is the answer, not the question."""
    results = section(parsed(a_document(f.an_observation(f.BURN))), "30954-2")

    observation = find(results, ".//c:observation")

    assert find(observation, "c:code").get("code") == "ASSERTION"
    assert find(observation, "c:value").get("code") == "48333001"
    assert [cell.text for cell in find_all(results, ".//c:td")][:2] == ["Finding", "Burn injury"]


def test_vital_signs_of_one_moment_share_an_organizer() -> None:
    """Grouped by visit and time, each a quantity with a unit."""
    pressure = {"value_as_number": 120.0, "unit_concept_id": 8876, "visit_occurrence_id": 5}
    rows = [f.a_measurement(f.SYSTOLIC, measurement_id=n, **pressure) for n in (1, 2)]

    vitals = section(parsed(a_document(*rows)), "8716-3")

    organizer = find(vitals, "c:entry/c:organizer")
    assert find(organizer, "c:code").get("code") == "46680005"
    assert find(organizer, "c:code/c:translation").get("code") == "74728-7"
    values = [attributes(v) for v in find_all(organizer, "c:component/c:observation/c:value")]
    assert values == [{"xsi:type": "PQ", "value": "120", "unit": "mm[Hg]"}] * 2


@pytest.mark.parametrize(("count", "sizes"), [(9, [9]), (10, [5, 5]), (19, [6, 6, 7])])
def test_openemr_reads_every_organizer(count: int, sizes: list[int]) -> None:
    """It drops those with one component or more than nine."""
    pressure = {"value_as_number": 120.0, "unit_concept_id": 8876}
    rows = [f.a_measurement(f.SYSTOLIC, measurement_id=n, **pressure) for n in range(count)]

    vitals = section(parsed(a_document(*rows)), "8716-3")

    organizers = find_all(vitals, "c:entry/c:organizer")
    assert [len(find_all(o, "c:component")) for o in organizers] == sizes


def test_vital_sign_without_value_is_a_result() -> None:
    """The vital sign template takes a quantity with a unit only."""
    root = parsed(a_document(f.a_measurement(f.SYSTOLIC)))

    assert section(root, "8716-3").get("nullFlavor") == "NI"
    assert attributes(find(section(root, "30954-2"), ".//c:value")) == {
        "xsi:type": "PQ",
        "nullFlavor": "UNK",
    }


def test_smoking_answer_of_loinc_becomes_snomed() -> None:
    """The value set has SNOMED codes; the time is a point."""
    row = f.an_observation(f.SMOKING, value_as_concept_id=f.FORMER_SMOKER.concept_id)

    observation = find(section(parsed(a_document(row)), "29762-2"), ".//c:observation")

    assert find_all(observation, "c:templateId")[0].get("root") == f"{C}.4.78"
    assert find(observation, "c:value").get("code") == "8517006"
    assert find(observation, "c:effectiveTime").get("value") == "20200314"


def test_unanswered_smoking_question_is_unknown_if_ever_smoked() -> None:
    """The template allows no null there."""
    value = find(section(parsed(a_document(f.an_observation(f.SMOKING))), "29762-2"), ".//c:value")

    assert value.get("code") == "266927001"


def test_social_statement_answers_a_loinc_question() -> None:
    """SNOMED statements stand as the answer: the template wants LOINC as the code."""
    observation = find(
        section(parsed(a_document(f.an_observation(f.EMPLOYED))), "29762-2"), ".//c:observation"
    )

    assert find_all(observation, "c:templateId")[0].get("root") == f"{C}.4.38"
    assert find(observation, "c:code").get("code") == "67875-5"
    assert find(observation, "c:value").get("code") == "160903007"


def test_allergy_names_kind_and_substance() -> None:
    """The value says which kind, the participant to what, the translation what the source recorded."""
    allergies = section(parsed(a_document(f.an_observation(f.EGG_ALLERGY))), "48765-2")

    observation = find(allergies, "c:entry/c:act/c:entryRelationship/c:observation")
    assert observation.get("negationInd") is None
    assert find(observation, "c:value").get("code") == "414285001"
    assert find(observation, "c:value/c:translation").get("code") == "91930004"
    assert find(observation, ".//c:playingEntity/c:code").get("code") == "102263004"
    cells = [cell.text for cell in find_all(allergies, ".//c:td")]
    assert cells == ["Eggs (edible)", "Allergy to eggs", "2020-03-14", None]


def test_condition_that_is_an_allergy_is_no_problem() -> None:
    """Whichever table the source's vocabulary put it in."""
    kiwi = ConceptInUse(5, "424214009", "SNOMED", "Allergy to kiwi", "Condition", "S")

    root = parsed(a_document(f.a_condition(kiwi), concepts=[kiwi]))

    code = find(section(root, "48765-2"), ".//c:playingEntity/c:code")
    assert find(code, "c:originalText").text == "Kiwi"
    assert section(root, "11450-4").get("nullFlavor") == "NI"


def test_coded_value_of_an_allergy_is_the_allergen() -> None:
    """OMOP's convention for "Allergy to drug" with the drug as value."""
    drug_allergy = ConceptInUse(439224, "416098002", "SNOMED", "Allergy to drug", "Observation", "S")
    row = f.an_observation(drug_allergy, value_as_concept_id=f.ASPIRIN.concept_id)

    root = parsed(a_document(row, concepts=[drug_allergy, f.ASPIRIN]))

    code = find(section(root, "48765-2"), ".//c:playingEntity/c:code")
    assert (code.get("code"), code.get("codeSystem")) == ("1191", "2.16.840.1.113883.6.88")


@pytest.mark.parametrize("name", ["Family history of food allergy", "Suspected latex allergy", "Asthma"])
def test_what_is_no_allergy_is_not_called_one(name: str) -> None:
    """Names decide only where they state an allergy of the patient."""
    concept = ConceptInUse(6, "1", "SNOMED", name, "Observation", "S")

    root = parsed(a_document(f.an_observation(concept), concepts=[concept]))

    assert section(root, "48765-2").get("nullFlavor") == "NI"


def test_no_known_allergy_is_said_when_the_source_says_it() -> None:
    """A negated observation without an allergen."""
    root = parsed(a_document(f.an_observation(f.NO_ALLERGY)))

    observation = find(section(root, "48765-2"), ".//c:observation")
    assert observation.get("negationInd") == "true"
    assert find(observation, "c:value").get("code") == "419199007"
    assert attributes(find(observation, ".//c:playingEntity/c:code")) == {"nullFlavor": "NA"}


def test_procedure_encounter_and_device_are_entries() -> None:
    """The three simple ones."""
    udi = "(01)41489306786662"

    root = parsed(a_document(f.a_procedure(), f.a_visit(), f.a_device(unique_device_id=udi)))

    procedure = find(section(root, "47519-4"), "c:entry/c:procedure")
    assert find(procedure, "c:code").get("code") == "86273004"
    assert find(procedure, "c:effectiveTime").get("value") == "20200314"
    encounter = find(section(root, "46240-8"), "c:entry/c:encounter")
    assert find(encounter, "c:code").get("nullFlavor") == "UNK"
    assert attributes(find(encounter, "c:code/c:translation")) == {
        "code": "IMP",
        "codeSystem": "2.16.840.1.113883.5.4",
        "displayName": "inpatient encounter",
    }
    device = find(section(root, "46264-8"), ".//c:participantRole")
    assert find(device, "c:id").get("extension") == udi
    assert find(device, "c:playingDevice/c:code").get("code") == "14106009"


def test_newest_record_stands_first() -> None:
    """In narrative and entries alike."""
    days = [date(2001, 1, 1), date(2003, 3, 3), date(2002, 2, 2)]
    rows = [f.a_procedure(procedure_occurrence_id=n, procedure_date=day) for n, day in enumerate(days)]

    procedures = section(parsed(a_document(*rows)), "47519-4")

    times = [e.get("value") for e in find_all(procedures, ".//c:effectiveTime")]
    assert times == ["20030303", "20020202", "20010101"]
