"""Allergies: observations and conditions that state one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from carebus_contracts.omop.bundle import ConceptInUse
from carebus_contracts.omop.condition_occurrence import ConditionOccurrence
from carebus_contracts.omop.observation import Observation
from carebus_converter.domain.ccda.allergens import allergy_of
from carebus_converter.domain.ccda.chart import Chart
from carebus_converter.domain.ccda.codes import ACT_CODE, SNOMED, code_attributes, coder, fixed, template
from carebus_converter.domain.ccda.sections.frame import frame
from carebus_converter.domain.ccda.text import clean
from carebus_converter.domain.ccda.times import NEVER, Stamp, interval, stamp

_FRAME = frame(
    "2.6.1",
    "2.6",
    version="2015-08-01",
    code="48765-2",
    name="Allergies and adverse reactions Document",
    title="Allergies and Adverse Reactions",
    columns=("Allergen", "Recorded as", "Since", "Until"),
    required=True,
)
_ACT = '<entry typeCode="DRIV"><act classCode="ACT" moodCode="EVN">' + template("4.30", "2015-08-01")
_CONCERN = '.act"/><code code="CONC" codeSystem="2.16.840.1.113883.5.6" displayName="Concern"/>'
_OBSERVATION = (
    '</effectiveTime><entryRelationship typeCode="SUBJ"><observation classCode="OBS" moodCode="EVN"'
)
_TEMPLATES = template("2.16.840.1.113883.10.20.24.3.90", "2014-06-09") + template("4.7", "2014-06-09")
_ASSERTION = f'"/><code code="ASSERTION" codeSystem="{ACT_CODE}"/>'
_END = "</observation></entryRelationship></act></entry>"

_allergen = coder("code", "SNOMED", also=True)


def allergies(
    observations: Sequence[tuple[str, Observation]],
    conditions: Sequence[tuple[str, ConditionOccurrence]],
    chart: Chart,
) -> str:
    """Build the Allergies section, newest first.

    Silence is "no information", never "no known allergies": that is said only when the source says it.
    OMOP records neither reaction nor severity.

    Args:
        observations: Numbered rows for which ``allergy_of`` knows an allergy; a coded value is the allergen.
        conditions: The same from CONDITION_OCCURRENCE; an end makes the concern completed.
        chart: Of the same person.

    Source:
        C-CDA R2.1 Allergies and Intolerances Section (entries required),
        template 2.16.840.1.113883.10.20.22.2.6.1.
    """
    found: list[tuple[str, str, str]] = []
    concepts = chart.concepts
    identity = chart.id_start("observation")
    for ext, row in observations:
        start = stamp(row.observation_date, row.observation_datetime, chart.offset)
        answer = concepts[row.value_as_concept_id]
        concept = concepts[row.observation_concept_id]
        found.append(_rendered(identity, ext, concept, answer, anchor=f"allergy-{ext}", start=start))
    identity = chart.id_start("condition_occurrence")
    for ext, condition in conditions:
        start = stamp(condition.condition_start_date, condition.condition_start_datetime, chart.offset)
        end = stamp(condition.condition_end_date, condition.condition_end_datetime, chart.offset)
        concept = concepts[condition.condition_concept_id]
        found.append(_rendered(identity, ext, concept, anchor=f"condition-{ext}", start=start, end=end))
    found.sort(key=lambda item: item[0], reverse=True)
    return _FRAME.filled([item[1] for item in found], [item[2] for item in found])


def _rendered(
    identity: str,
    ext: str,
    concept: ConceptInUse | None,
    answer: ConceptInUse | None = None,
    *,
    anchor: str,
    start: Stamp,
    end: Stamp = NEVER,
) -> tuple[str, str, str]:
    """Return start, narrative row and entry of one allergy."""
    negation, value, participant, label = _statement(concept, answer)
    period = interval(start.hl7, end.hl7)
    name = clean(concept.concept_name) if concept else ""
    row = f'<tr ID="{anchor}"><td>{label}</td><td>{name}</td><td>{start.shown}</td><td>{end.shown}</td></tr>'
    status = "completed" if end.hl7 else "active"
    entry = (
        f'{_ACT}{identity}{ext}{_CONCERN}<statusCode code="{status}"/><effectiveTime>{period}'
        f"{_OBSERVATION}{negation}>{_TEMPLATES}{identity}{ext}{_ASSERTION}"
        f'<text><reference value="#{anchor}"/></text><statusCode code="completed"/>'
        f"<effectiveTime>{period}</effectiveTime>{value}{participant}{_END}"
    )
    return start.hl7, row, entry


@lru_cache(maxsize=8192)
def _statement(concept: ConceptInUse | None, answer: ConceptInUse | None) -> tuple[str, str, str, str]:
    """Return negation, value, participant and name for people.

    The value is the kind of allergy; what the source recorded stands beside it as a translation.
    """
    allergy = allergy_of(concept)
    if allergy is None or concept is None:  # callers select by allergy_of
        raise ValueError("the concept states no allergy")
    translation = f"<translation {code_attributes(concept)}/>" if code_attributes(concept) else ""
    value = fixed('value xsi:type="CD"', allergy.kind[0], SNOMED, allergy.kind[1], translation)
    if allergy.denied:
        code, label = '<code nullFlavor="NA"/>', "None known"
    else:
        code, label = _allergen(answer or allergy.allergen, None, None)
    participant = (
        '<participant typeCode="CSM"><participantRole classCode="MANU"><playingEntity classCode="MMAT">'
        f"{code}</playingEntity></participantRole></participant>"
    )
    return (' negationInd="true"' if allergy.denied else ""), value, participant, label
