"""OBSERVATION: allergies, smoking, histories and results; the rest has no safe place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from carebus_contracts.omop.bundle import ConceptInUse
from carebus_contracts.omop.observation import Observation
from carebus_converter.domain.answers import says_yes
from carebus_converter.domain.openemr.allergies import allergy_row, is_allergy
from carebus_converter.domain.openemr.cells import NULL, moment, text
from carebus_converter.domain.openemr.chart import Chart
from carebus_converter.domain.openemr.codes import codes_of, title_of
from carebus_converter.domain.openemr.labs import Findings, Value, answer_of, test_of
from carebus_converter.domain.openemr.lists import list_row
from carebus_converter.domain.openemr.not_mapped import NotMapped
from carebus_converter.domain.openemr.row_ids import numbered
from carebus_converter.domain.openemr.smoking import Smoking, newest, smoking_of, smoking_row


@dataclass(slots=True)
class ObservationRows:
    """Rows of the tables that observations go to."""

    findings: Findings
    problems: list[str] = field(default_factory=list)
    """Allergies and histories."""
    history: list[str] = field(default_factory=list)


def observation_rows(chart: Chart, observations: Sequence[Observation]) -> ObservationRows:
    """Return the rows of observations that have a place.

    Those are allergies, the newest statement on smoking, findings of the past ("History of ...", with
    problems) and what OMOP's own vocabulary holds for a measurement (with results). The others would go
    to a form to which nothing can be added safely.
    """
    out = ObservationRows(Findings(chart, "observation"))
    smoking: list[tuple[Observation, int, Smoking]] = []
    concept_of = chart.concepts.get
    for row, copy in sorted(numbered(observations), key=lambda pair: (pair[0][0], pair[1])):
        concept = concept_of(row.observation_concept_id)
        if is_allergy(concept):
            if allergy := allergy_row(chart, row, copy):
                out.problems.append(allergy)
            else:
                chart.skip("observation", NotMapped.DENIED)
        elif stated := smoking_of(chart, row, answered=_answered(row) and not _confirmed(chart, row)):
            smoking.append((row, copy, stated))
        elif is_history(concept) and (not _answered(row) or _confirmed(chart, row)):
            out.problems.append(_history_row(chart, row, copy))
        elif concept is not None and concept.domain_id == "Measurement":
            _finding(out, chart, row, copy)
        else:
            asked = concept is not None and concept.vocabulary_id == "LOINC" and not _answered(row)
            if asked:
                chart.skip("observation", NotMapped.NO_VALUE)
            else:
                concept_id = row.observation_concept_id or 0
                chart.skip("observation", NotMapped.NO_SAFE_PLACE, concept_id=concept_id)
    if smoking:
        chart.skip("observation", NotMapped.SUPERSEDED, len(smoking) - 1)
        out.history.append(smoking_row(chart, *newest(smoking)))
    return out


def _answered(row: Observation) -> bool:
    return bool(
        row.value_as_number is not None
        or row.value_as_concept_id
        or (row.value_as_string or row.value_source_value or "").strip()
    )


def _confirmed(chart: Chart, row: Observation) -> bool:
    words = row.value_as_string or row.value_source_value
    return row.value_as_number is None and says_yes(chart.concepts.get(row.value_as_concept_id), words)


_PAST = re.compile(r"^(past )?history of ", re.IGNORECASE)


@lru_cache(maxsize=65_536)
def is_history(concept: ConceptInUse | None) -> bool:
    """Return whether a concept itself states what somebody once had: SNOMED CT's "History of ..."."""
    return (
        concept is not None
        and concept.vocabulary_id == "SNOMED"
        and bool(_PAST.match(concept.concept_name or ""))
    )


def _history_row(chart: Chart, row: Observation, copy: int) -> str:
    return list_row(
        chart.ids.uuid("observation", row.observation_id, copy),
        _stated(
            chart.concepts.get(row.observation_concept_id),
            chart.concepts.get(row.observation_source_concept_id),
        ),
        begun=moment(row.observation_date, row.observation_datetime),
        ended=NULL,
        record_id=row.observation_id,
        encounter=NULL,
    )


@lru_cache(maxsize=65_536)
def _stated(concept: ConceptInUse | None, source: ConceptInUse | None) -> str:
    title = text(title_of(concept, source, None, None), 255)
    return f'"medical_problem",{title},{text(codes_of(concept, source), 255)},"confirmed"'


def _finding(out: ObservationRows, chart: Chart, row: Observation, copy: int) -> None:
    concept_of = chart.concepts.get
    on = row.observation_date or (row.observation_datetime and row.observation_datetime.date())
    test = test_of(
        concept_of(row.observation_concept_id),
        concept_of(row.observation_source_concept_id),
        row.observation_source_value,
        row.observation_concept_id,
    )
    if on is None:
        chart.skip("observation", NotMapped.NO_DATE)
        return
    if test is None:
        chart.skip("observation", NotMapped.NOTHING_RECORDED)
        return
    out.findings.add(
        row.observation_id,
        copy,
        test=test,
        on=on,
        when=moment(on, row.observation_datetime),
        encounter=chart.encounter(row.visit_occurrence_id),
        provider=chart.directory.provider(row.provider_id),
        value=Value(
            row.value_as_number,
            answer_of(concept_of(row.value_as_concept_id), row.value_as_concept_id),
            row.value_as_string or row.value_source_value,
            concept_of(row.unit_concept_id),
            row.unit_source_value,
        ),
    )
