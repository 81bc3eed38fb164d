"""The Problem Observation, which problems and the diagnoses of encounters share."""

from __future__ import annotations

from carebus_contracts.omop.condition_occurrence import ConditionOccurrence
from carebus_converter.domain.ccda.chart import Chart
from carebus_converter.domain.ccda.codes import LOINC, SNOMED, Coded, coder, fixed, template
from carebus_converter.domain.ccda.text import clean

_START = '<entryRelationship typeCode="SUBJ"><observation classCode="OBS" moodCode="EVN">' + template(
    "4.4", "2015-08-01"
)
_CONDITION = '"/>' + fixed(
    "code", "64572001", SNOMED, "Condition", fixed("translation", "75323-6", LOINC, "Condition")
)

problem_value = coder("value", "SNOMED", attributes='xsi:type="CD"')


def problem_observation(identity: str, ext: str, *, anchor: str, period: str, value: str) -> str:
    """Return the observation inside its entryRelationship.

    Args:
        identity: Start of the id, as ``Chart.id_start`` gives it.
        ext: The id's extension, unlike that of every other statement.
        anchor: ID of the narrative's row.
        period: ``low`` and ``high``.
        value: The coded problem.

    Source:
        C-CDA R2.1 Problem Observation, template 2.16.840.1.113883.10.20.22.4.4.
    """
    return (
        f'{_START}{identity}{ext}{_CONDITION}<text><reference value="#{anchor}"/></text>'
        f'<statusCode code="completed"/><effectiveTime>{period}</effectiveTime>{value}'
        "</observation></entryRelationship>"
    )


def condition_value(row: ConditionOccurrence, chart: Chart) -> Coded | None:
    """Return a condition as the value of a problem; None when the row says nothing."""
    concept = chart.concepts[row.condition_concept_id]
    source = chart.concepts[row.condition_source_concept_id]
    if concept is None and source is None and not clean(row.condition_source_value):
        return None
    return problem_value(concept, source, row.condition_source_value)
