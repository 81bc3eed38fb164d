"""Allergies: observations and conditions that state one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from carebus_contracts.omop.bundle import ConceptInUse
from carebus_contracts.omop.condition_occurrence import ConditionOccurrence
from carebus_contracts.omop.observation import Observation
from carebus_converter.domain.allergens import allergy_of, answered
from carebus_converter.domain.answers import says_no
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
_PARTICIPANT = (
    '<participant typeCode="CSM"><participantRole classCode="MANU"><playingEntity classCode="MMAT">'
)
_END = "</playingEntity></participantRole></participant></observation></entryRelationship></act></entry>"

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
        said = row.value_as_string or row.value_source_value
        statement = _statement(
            concepts[row.observation_concept_id],
            concepts[row.observation_source_concept_id],
            concepts[row.value_as_concept_id],
            said if says_no(None, said) else None,
        )
        if words := clean(said):
            statement = _told(statement, words)
        found.append(_rendered(identity, ext, statement, anchor=f"allergy-{ext}", start=start))
    identity = chart.id_start("condition_occurrence")
    for ext, condition in conditions:
        start = stamp(condition.condition_start_date, condition.condition_start_datetime, chart.offset)
        end = stamp(condition.condition_end_date, condition.condition_end_datetime, chart.offset)
        statement = _statement(
            concepts[condition.condition_concept_id], concepts[condition.condition_source_concept_id], None
        )
        found.append(_rendered(identity, ext, statement, anchor=f"condition-{ext}", start=start, end=end))
    found.sort(key=lambda item: item[0], reverse=True)
    return _FRAME.filled([item[1] for item in found], [item[2] for item in found])


class _Statement(NamedTuple):
    """What one concept states, apart from when."""

    negation: str
    value: str
    allergen: str
    """The code of the substance."""
    label: str
    recorded: str
    """The source's concept, by name."""
    open: bool
    """Words of the source may name the substance."""


def _rendered(
    identity: str, ext: str, statement: _Statement, *, anchor: str, start: Stamp, end: Stamp = NEVER
) -> tuple[str, str, str]:
    """Return start, narrative row and entry of one allergy."""
    period = interval(start.hl7, end.hl7)
    row = (
        f'<tr ID="{anchor}"><td>{statement.label}</td><td>{statement.recorded}</td>'
        f"<td>{start.shown}</td><td>{end.shown}</td></tr>"
    )
    status = "completed" if end.hl7 else "active"
    entry = (
        f'{_ACT}{identity}{ext}{_CONCERN}<statusCode code="{status}"/><effectiveTime>{period}'
        f"{_OBSERVATION}{statement.negation}>{_TEMPLATES}{identity}{ext}{_ASSERTION}"
        f'<text><reference value="#{anchor}"/></text><statusCode code="completed"/>'
        f"<effectiveTime>{period}</effectiveTime>{statement.value}{_PARTICIPANT}{statement.allergen}{_END}"
    )
    return start.hl7, row, entry


@lru_cache(maxsize=8192)
def _statement(
    concept: ConceptInUse | None,
    source: ConceptInUse | None,
    answer: ConceptInUse | None,
    denial: str | None = None,
) -> _Statement:
    """Return what a concept states; its value is the kind of allergy, the concept itself a translation."""
    stated = allergy_of(concept)
    if stated is None or concept is None:  # callers select by allergy_of
        raise ValueError("the concept states no allergy")
    allergy = answered(stated, answer, denial)
    translations = "".join(
        f"<translation {code_attributes(given)}/>"
        for given in dict.fromkeys((concept, source))
        if given and code_attributes(given)
    )
    value = fixed('value xsi:type="CD"', allergy.kind[0], SNOMED, allergy.kind[1], translations)
    name = clean(concept.concept_name)
    negation = ' negationInd="true"' if allergy.denied else ""
    if allergy.allergen is None:
        return _Statement(negation, value, '<code nullFlavor="NA"/>', "None known", name, open=False)
    code, label = _allergen(allergy.allergen, None, None)
    if allergy.denied:
        label = f"No allergy to: {label}"
    return _Statement(negation, value, code, label, name, allergy.open)


def _told(statement: _Statement, words: str) -> _Statement:
    """Return a statement with the words (escaped) that the source adds to it."""
    if statement.open and not statement.negation:
        code = f'<code nullFlavor="UNK"><originalText>{words}</originalText></code>'
        return statement._replace(allergen=code, label=words)
    return statement._replace(recorded=f"{statement.recorded}: {words}")
