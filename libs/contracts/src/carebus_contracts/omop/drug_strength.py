"""OMOP CDM 5.4 DRUG_STRENGTH: one row, columns in the order of the specification."""

from datetime import date
from typing import NamedTuple


class DrugStrength(NamedTuple):
    """One row of DRUG_STRENGTH; only keys are certain to be there, whatever the CDM requires."""

    drug_concept_id: int
    ingredient_concept_id: int
    amount_value: float | None
    amount_unit_concept_id: int | None
    numerator_value: float | None
    numerator_unit_concept_id: int | None
    denominator_value: float | None
    denominator_unit_concept_id: int | None
    box_size: int | None
    valid_start_date: date | None
    valid_end_date: date | None
    invalid_reason: str | None
