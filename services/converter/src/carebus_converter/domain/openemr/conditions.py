"""CONDITION_OCCURRENCE as problems, and as allergies where the concept is one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from carebus_contracts.omop.bundle import ConceptInUse
from carebus_contracts.omop.condition_occurrence import ConditionOccurrence
from carebus_converter.domain.openemr.allergies import is_allergy
from carebus_converter.domain.openemr.cells import NULL, moment, text
from carebus_converter.domain.openemr.chart import Chart
from carebus_converter.domain.openemr.codes import codes_of, title_of
from carebus_converter.domain.openemr.lists import list_row
from carebus_converter.domain.openemr.not_mapped import NotMapped
from carebus_converter.domain.openemr.row_ids import numbered

VISIT_DIAGNOSIS_TYPES = frozenset({32020})
"""EHR encounter diagnosis."""
VISIT_DIAGNOSIS_STATUSES = frozenset({32890, 32896, 32901, 32902, 32903, 32907, 32908, 32909})
"""Admission and discharge diagnosis; primary and secondary, each of admission, visit and discharge."""
PRELIMINARY_STATUSES = frozenset({32899})


def condition_rows(chart: Chart, conditions: Sequence[ConditionOccurrence]) -> list[str]:
    """Return one list row a condition.

    Only diagnoses of a visit refer to their encounter: OpenEMR then shows them there, and no longer
    in the problem list of FHIR.
    """
    rows: list[str] = []
    concept_of, uuid = chart.concepts.get, chart.ids.uuid
    for row, copy in numbered(conditions):
        what = _problem(
            row.condition_concept_id,
            concept_of(row.condition_concept_id),
            concept_of(row.condition_source_concept_id),
            row.condition_source_value,
            row.condition_status_concept_id in PRELIMINARY_STATUSES,
        )
        if what is None:
            chart.skip("condition_occurrence", NotMapped.NOTHING_RECORDED)
            continue
        rows.append(
            list_row(
                uuid("condition_occurrence", row.condition_occurrence_id, copy),
                what,
                begun=moment(row.condition_start_date, row.condition_start_datetime),
                ended=moment(row.condition_end_date, row.condition_end_datetime),
                record_id=row.condition_occurrence_id,
                encounter=chart.encounter(row.visit_occurrence_id) if _is_visit_diagnosis(row) else NULL,
            )
        )
    return rows


def _is_visit_diagnosis(row: ConditionOccurrence) -> bool:
    return (
        row.condition_type_concept_id in VISIT_DIAGNOSIS_TYPES
        or row.condition_status_concept_id in VISIT_DIAGNOSIS_STATUSES
    )


@lru_cache(maxsize=65_536)
def _problem(
    concept_id: int | None,
    concept: ConceptInUse | None,
    source: ConceptInUse | None,
    value: str | None,
    preliminary: bool,
) -> str | None:
    title = title_of(concept, source, value, concept_id)
    if not title:
        return None
    kind = "allergy" if is_allergy(concept) else "medical_problem"
    verification = "unconfirmed" if preliminary else "confirmed"
    return f'"{kind}",{text(title, 255)},{text(codes_of(concept, source), 255)},"{verification}"'
