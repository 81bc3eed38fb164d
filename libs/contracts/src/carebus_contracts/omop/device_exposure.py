"""OMOP CDM 5.4 DEVICE_EXPOSURE: one row, columns in the order of the specification."""

from datetime import date, datetime
from typing import NamedTuple


class DeviceExposure(NamedTuple):
    """One row of DEVICE_EXPOSURE; only keys are certain to be there, whatever the CDM requires."""

    device_exposure_id: int
    person_id: int
    device_concept_id: int | None
    device_exposure_start_date: date | None
    device_exposure_start_datetime: datetime | None
    device_exposure_end_date: date | None
    device_exposure_end_datetime: datetime | None
    device_type_concept_id: int | None
    unique_device_id: str | None
    production_id: str | None
    quantity: int | None
    provider_id: int | None
    visit_occurrence_id: int | None
    visit_detail_id: int | None
    device_source_value: str | None
    device_source_concept_id: int | None
    unit_concept_id: int | None
    unit_source_value: str | None
    unit_source_concept_id: int | None
