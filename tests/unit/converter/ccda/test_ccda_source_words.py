"""What the source itself said stays in the document, and no bare code is shown as a name."""

from __future__ import annotations

import pytest

from carebus_contracts.omop.bundle import ConceptInUse
from unit.converter.ccda import factories as f
from unit.converter.ccda.factories import a_document, attributes, find, find_all, parsed, section

LOCAL = ConceptInUse(2_000_000_001, "asth", "Our codes", None, "Condition", None)
DRUG_ALLERGY = ConceptInUse(439224, "416098002", "SNOMED", "Allergy to drug", "Observation", "S")
NO = ConceptInUse(4188540, "373067005", "SNOMED", "No", "Meas Value", "S")
YES = ConceptInUse(4188539, "373066001", "SNOMED", "Yes", "Meas Value", "S")
SMOKER = ConceptInUse(4298794, "77176002", "SNOMED", "Smoker", "Observation", "S")
LOCAL_SMOKING = ConceptInUse(9_000_001, "F17.2", "ICD10CM", "Nicotine dependence", "Observation", None)


def test_source_value_is_original_text_of_a_code() -> None:
    """Standard concept as code, the source's words beside it."""
    row = f.a_condition(condition_source_value="asthma, mild")

    value = find(parsed(a_document(row)), ".//c:observation/c:value")

    assert value.get("code") == "195967001"
    assert find(value, "c:originalText").text == "asthma, mild"


def test_source_value_that_repeats_the_code_is_left_out() -> None:
    """Nothing is said twice."""
    row = f.a_condition(condition_source_value="195967001")

    assert len(find(parsed(a_document(row)), ".//c:observation/c:value")) == 0


def test_source_code_of_a_system_without_oid_stays() -> None:
    """A local vocabulary has no codeSystem, so its code stands as words."""
    row = f.a_condition(condition_source_concept_id=LOCAL.concept_id, condition_source_value="asth")

    value = find(parsed(a_document(row, concepts=[*f.KNOWN, LOCAL])), ".//c:observation/c:value")

    assert find(value, "c:originalText").text == "asth"


def test_words_beside_an_unmapped_concept_are_a_translation() -> None:
    """The concept's name is the original text, the source's words its translation."""
    row = f.a_drug(f.EXTENSION_DRUG, drug_source_value="ASS 77")

    code = find(parsed(a_document(row)), ".//c:manufacturedMaterial/c:code")

    assert find(code, "c:originalText").text == "Aspirin 77 MG"
    assert attributes(find(code, "c:translation")) == {"nullFlavor": "OTH"}
    assert find(code, "c:translation/c:originalText").text == "ASS 77"


@pytest.mark.parametrize(
    ("source_value", "shown"),
    [
        pytest.param("J45.909", "Unnamed, code J45.909 of the source", id="code"),
        pytest.param("00536330501", "Unnamed, code 00536330501 of the source", id="digits"),
        pytest.param("wheezing", "wheezing", id="words"),
        pytest.param("HbA1c", "HbA1c", id="short-name"),
    ],
)
def test_narrative_never_passes_off_a_code_as_a_name(source_value: str, shown: str) -> None:
    """The entry keeps the source's spelling either way."""
    root = parsed(a_document(f.a_condition(condition_concept_id=0, condition_source_value=source_value)))

    assert find_all(root, ".//c:td")[0].text == shown
    assert find(root, ".//c:observation/c:value/c:originalText").text == source_value


def test_name_of_the_source_concept_goes_before_its_code() -> None:
    """Unmapped, but the source's vocabulary names it."""
    row = f.a_condition(
        condition_concept_id=0,
        condition_source_concept_id=f.ASTHMA_ICD.concept_id,
        condition_source_value="J45.909",
    )

    assert find_all(parsed(a_document(row)), ".//c:td")[0].text == "Unspecified asthma"


def test_conditions_of_a_visit_are_its_diagnoses() -> None:
    """An Encounter Diagnosis act whose statements have ids of their own."""
    root = parsed(
        a_document(
            f.a_visit(visit_occurrence_id=7),
            f.a_condition(condition_occurrence_id=1, visit_occurrence_id=7),
            f.a_condition(f.ASTHMA_ICD, condition_occurrence_id=2, visit_occurrence_id=8),
        )
    )

    encounters = section(root, "46240-8")
    act = find(encounters, "c:entry/c:encounter/c:entryRelationship/c:act")
    assert find(act, "c:code").get("code") == "29308-4"
    diagnosis = find(act, "c:entryRelationship[@typeCode='SUBJ']/c:observation")
    assert find(diagnosis, "c:id").get("extension") == "1.diagnosis"
    assert find(diagnosis, "c:value").get("code") == "195967001"
    assert [cell.text for cell in find_all(encounters, ".//c:td")][3] == "Asthma"
    assert len(find_all(section(root, "11450-4"), "c:entry")) == 2


def test_drug_allergy_in_words_is_to_that_drug() -> None:
    """The concept names the kind only."""
    row = f.an_observation(DRUG_ALLERGY, value_as_string="penicillin")

    root = parsed(a_document(row, concepts=[DRUG_ALLERGY]))

    code = find(section(root, "48765-2"), ".//c:playingEntity/c:code")
    assert find(code, "c:originalText").text == "penicillin"
    assert find_all(root, ".//c:td")[0].text == "penicillin"


def test_words_beside_a_named_allergen_are_told() -> None:
    """They may be a reaction; OMOP does not say."""
    row = f.an_observation(f.EGG_ALLERGY, value_as_string="hives")

    root = parsed(a_document(row))

    assert find(root, ".//c:playingEntity/c:code").get("code") == "102263004"
    assert find_all(root, ".//c:td")[1].text == "Allergy to eggs: hives"


@pytest.mark.parametrize(
    ("answer", "negation"), [pytest.param(NO, "true", id="no"), pytest.param(YES, None, id="yes")]
)
def test_answer_to_an_allergy_question_is_no_allergen(answer: ConceptInUse, negation: str | None) -> None:
    """ "Allergy to eggs: no" is a negation that the source states."""
    row = f.an_observation(f.EGG_ALLERGY, value_as_concept_id=answer.concept_id)

    observation = find(parsed(a_document(row, concepts=[*f.KNOWN, answer])), ".//c:observation")

    assert observation.get("negationInd") == negation
    assert find(observation, ".//c:playingEntity/c:code").get("code") == "102263004"


@pytest.mark.parametrize(("words", "negation"), [("No", "true"), ("yes", None), ("no idea", None)])
def test_allergy_question_answered_in_words(words: str, negation: str | None) -> None:
    """A plain "no" in words denies as a coded one does; nothing else is taken for one."""
    row = f.an_observation(f.EGG_ALLERGY, value_as_string=words)

    observation = find(parsed(a_document(row)), ".//c:observation")

    assert observation.get("negationInd") == negation
    assert find(observation, ".//c:playingEntity/c:code").get("code") == "102263004"


def test_smoker_no_states_no_smoker() -> None:
    """A statement with an answer of its own is a question."""
    row = f.an_observation(SMOKER, value_as_concept_id=NO.concept_id)

    social = section(parsed(a_document(row, concepts=[SMOKER, NO])), "29762-2")

    observation = find(social, ".//c:observation")
    assert find(observation, "c:code").get("code") == "72166-2"
    assert find(observation, "c:code/c:translation").get("code") == "77176002"
    assert find(observation, "c:value").get("code") == "373067005"
    assert [cell.text for cell in find_all(social, ".//c:td")][:2] == ["Smoker", "No"]


def test_source_code_of_a_smoking_status_is_a_translation() -> None:
    """The value set has eight codes; the source's own stands beside."""
    row = f.an_observation(SMOKER, observation_source_concept_id=LOCAL_SMOKING.concept_id)

    value = find(parsed(a_document(row, concepts=[SMOKER, LOCAL_SMOKING])), ".//c:observation/c:value")

    assert value.get("code") == "77176002"
    assert find(value, "c:translation").get("code") == "F17.2"


def test_coded_answer_beside_a_number_is_told() -> None:
    """An entry holds one value; the reader sees both."""
    high = ConceptInUse(4328749, "75540009", "SNOMED", "High", "Meas Value", "S")
    row = f.a_measurement(value_as_number=300.0, value_as_concept_id=high.concept_id)

    results = section(parsed(a_document(row, concepts=[f.GLUCOSE, high])), "30954-2")

    assert find(results, ".//c:value").get("value") == "300"
    assert [cell.text for cell in find_all(results, ".//c:td")][1] == "300 (High)"


def test_document_brings_its_own_style_sheet() -> None:
    """In the document itself: no file beside it, no network, no script."""
    xml = a_document().xml

    declaration, instruction = xml.split("?>")[:2]
    assert declaration == '<?xml version="1.0" encoding="UTF-8"'
    assert instruction.startswith('<?xml-stylesheet type="text/css" href="data:text/css,')
    assert not {"#", "<", "&"} & set(instruction[1:])
    assert "url(" not in instruction
