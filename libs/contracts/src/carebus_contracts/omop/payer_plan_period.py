"""OMOP CDM 5.4 PAYER_PLAN_PERIOD: one row, columns in the order of the specification."""

from datetime import date
from typing import NamedTuple


class PayerPlanPeriod(NamedTuple):
    """One row of PAYER_PLAN_PERIOD; only keys are certain to be there, whatever the CDM requires."""

    payer_plan_period_id: int
    person_id: int
    payer_plan_period_start_date: date | None
    payer_plan_period_end_date: date | None
    payer_concept_id: int | None
    payer_source_value: str | None
    payer_source_concept_id: int | None
    plan_concept_id: int | None
    plan_source_value: str | None
    plan_source_concept_id: int | None
    sponsor_concept_id: int | None
    sponsor_source_value: str | None
    sponsor_source_concept_id: int | None
    family_source_value: str | None
    stop_reason_concept_id: int | None
    stop_reason_source_value: str | None
    stop_reason_source_concept_id: int | None
