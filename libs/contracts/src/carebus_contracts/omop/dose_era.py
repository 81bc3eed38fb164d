"""OMOP CDM 5.4 DOSE_ERA: one row, columns in the order of the specification."""

from datetime import date
from typing import NamedTuple


class DoseEra(NamedTuple):
    """One row of DOSE_ERA; only keys are certain to be there, whatever the CDM requires."""

    dose_era_id: int
    person_id: int
    drug_concept_id: int | None
    unit_concept_id: int | None
    dose_value: float | None
    dose_era_start_date: date | None
    dose_era_end_date: date | None
