"""OMOP CDM 5.4 DRUG_EXPOSURE: one row, columns in the order of the specification."""

from datetime import date, datetime
from typing import NamedTuple


class DrugExposure(NamedTuple):
    """One row of DRUG_EXPOSURE; only keys are certain to be there, whatever the CDM requires."""

    drug_exposure_id: int
    person_id: int
    drug_concept_id: int | None
    drug_exposure_start_date: date | None
    drug_exposure_start_datetime: datetime | None
    drug_exposure_end_date: date | None
    drug_exposure_end_datetime: datetime | None
    verbatim_end_date: date | None
    drug_type_concept_id: int | None
    stop_reason: str | None
    refills: int | None
    quantity: float | None
    days_supply: int | None
    sig: str | None
    route_concept_id: int | None
    lot_number: str | None
    provider_id: int | None
    visit_occurrence_id: int | None
    visit_detail_id: int | None
    drug_source_value: str | None
    drug_source_concept_id: int | None
    route_source_value: str | None
    dose_unit_source_value: str | None
