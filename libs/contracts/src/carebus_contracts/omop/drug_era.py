"""OMOP CDM 5.4 DRUG_ERA: one row, columns in the order of the specification."""

from datetime import date
from typing import NamedTuple


class DrugEra(NamedTuple):
    """One row of DRUG_ERA; only keys are certain to be there, whatever the CDM requires."""

    drug_era_id: int
    person_id: int
    drug_concept_id: int | None
    drug_era_start_date: date | None
    drug_era_end_date: date | None
    drug_exposure_count: int | None
    gap_days: int | None
