"""OMOP CDM 5.4 COST: one row, columns in the order of the specification."""

from typing import NamedTuple


class Cost(NamedTuple):
    """One row of COST; only keys are certain to be there, whatever the CDM requires."""

    cost_id: int
    cost_event_id: int | None
    cost_domain_id: str | None
    cost_type_concept_id: int | None
    currency_concept_id: int | None
    total_charge: float | None
    total_cost: float | None
    total_paid: float | None
    paid_by_payer: float | None
    paid_by_patient: float | None
    paid_patient_copay: float | None
    paid_patient_coinsurance: float | None
    paid_patient_deductible: float | None
    paid_by_primary: float | None
    paid_ingredient_cost: float | None
    paid_dispensing_fee: float | None
    payer_plan_period_id: int | None
    amount_allowed: float | None
    revenue_code_concept_id: int | None
    revenue_code_source_value: str | None
    drg_concept_id: int | None
    drg_source_value: str | None
