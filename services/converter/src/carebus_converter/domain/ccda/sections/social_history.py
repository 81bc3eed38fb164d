"""Social History: smoking status, living conditions, habits."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from carebus_contracts.omop.bundle import ConceptInUse
from carebus_contracts.omop.observation import Observation
from carebus_converter.domain.ccda.chart import Chart
from carebus_converter.domain.ccda.codes import LOINC, SNOMED, code_attributes, coder, fixed, template
from carebus_converter.domain.ccda.sections.frame import frame
from carebus_converter.domain.ccda.social import SMOKING_STATUS, SMOKING_UNKNOWN, question_of, smoking_answer
from carebus_converter.domain.ccda.text import clean
from carebus_converter.domain.ccda.times import stamp
from carebus_converter.domain.ccda.values import UNKNOWN, Value, value_of

_FRAME = frame(
    "2.17",
    version="2015-08-01",
    code="29762-2",
    name="Social history Narrative",
    title="Social History",
    columns=("Subject", "Finding", "Unit", "Date"),
    required=True,
)
_START = '<entry typeCode="DRIV"><observation classCode="OBS" moodCode="EVN">'
_SMOKING = template("4.78", "2014-06-09")
_OTHER = template("4.38", "2015-08-01")
_SMOKING_CODE = fixed("code", SMOKING_STATUS.code, LOINC, SMOKING_STATUS.name)

_question = coder("code", "LOINC", also=True)
_answer = coder("value", "SNOMED", attributes='xsi:type="CD"', also=True)


def social_history(rows: Sequence[tuple[str, Observation]], chart: Chart) -> str:
    """Build the Social History section, newest first.

    A smoking status that the source asks for but does not answer is "Unknown if ever smoked", as
    the template demands; an answer outside its value set stands as an ordinary observation. Sex at
    birth is left out: OMOP's gender does not claim to be that.

    Args:
        rows: Numbered observations placed as SOCIAL.
        chart: Of the same person.

    Source:
        C-CDA R2.1 Social History Section, template 2.16.840.1.113883.10.20.22.2.17.
    """
    concepts, offset = chart.concepts, chart.offset
    identity = chart.id_start("observation")
    narrative: list[str] = []
    entries: list[str] = []
    for ext, row in rows:
        concept = concepts[row.observation_concept_id]
        value = value_of(
            row.value_as_number,
            concepts[row.value_as_concept_id],
            row.value_as_string,
            row.value_source_value,
            unit=concepts[row.unit_concept_id],
            unit_text=row.unit_source_value,
        )
        templates, code, label, said = _statement(
            concept,
            concepts[row.observation_source_concept_id],
            concepts[row.value_as_concept_id],
            value is UNKNOWN,
        )
        value = said or value
        when, shown = stamp(row.observation_date, row.observation_datetime, offset)
        time = f'<effectiveTime value="{when}"/>' if when else '<effectiveTime nullFlavor="UNK"/>'
        narrative.append(
            f'<tr ID="social-{ext}"><td>{label}</td><td>{value.shown or "Not recorded"}</td>'
            f"<td>{value.unit}</td><td>{shown}</td></tr>"
        )
        entries.append(
            f'{_START}{templates}{identity}{ext}"/>{code}<text><reference value="#social-{ext}"/></text>'
            f'<statusCode code="completed"/>{time}{value.xml}</observation></entry>'
        )
    return _FRAME.filled(narrative, entries)


@lru_cache(maxsize=16_384)
def _statement(
    concept: ConceptInUse | None, source: ConceptInUse | None, answer: ConceptInUse | None, unanswered: bool
) -> tuple[str, str, str, Value | None]:
    """Return templates, code, name of the subject, and the value if it is not the row's own."""
    asked = concept is not None and concept.concept_code == SMOKING_STATUS.code
    status = smoking_answer(answer if asked else concept)
    if asked and status is None and unanswered:
        status = SMOKING_UNKNOWN
    question = question_of(concept) if concept else None
    if status and not asked and not unanswered:  # "Smoker: no" states no smoker
        question, status = SMOKING_STATUS, None
    if status:
        given = dict.fromkeys(c for c in (answer if asked else concept, None if asked else source) if c)
        translations = _translations([c for c in given if c.concept_code != status[0]])
        coded = fixed('value xsi:type="CD"', status[0], SNOMED, status[1], translations)
        return _SMOKING, _SMOKING_CODE, SMOKING_STATUS.name, Value(coded, status[1], "")
    if question is None or concept is None:
        code, label = _question(concept, source, None)
        return _OTHER, code, label, None
    if unanswered:
        said, words = _answer(concept, source, None)
        code = fixed("code", question.code, LOINC, question.name)
        return _OTHER, code, question.name, Value(said, words, "")
    code = fixed("code", question.code, LOINC, question.name, _translations([concept]))
    return _OTHER, code, clean(concept.concept_name) or question.name, None


def _translations(concepts: Sequence[ConceptInUse]) -> str:
    return "".join(f"<translation {code_attributes(c)}/>" for c in concepts if code_attributes(c))
