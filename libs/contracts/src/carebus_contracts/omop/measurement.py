"""OMOP CDM 5.4 MEASUREMENT: one row, columns in the order of the specification."""

from datetime import date, datetime
from typing import NamedTuple


class Measurement(NamedTuple):
    """One row of MEASUREMENT; only keys are certain to be there, whatever the CDM requires."""

    measurement_id: int
    person_id: int
    measurement_concept_id: int | None
    measurement_date: date | None
    measurement_datetime: datetime | None
    measurement_time: str | None
    measurement_type_concept_id: int | None
    operator_concept_id: int | None
    value_as_number: float | None
    value_as_concept_id: int | None
    unit_concept_id: int | None
    range_low: float | None
    range_high: float | None
    provider_id: int | None
    visit_occurrence_id: int | None
    visit_detail_id: int | None
    measurement_source_value: str | None
    measurement_source_concept_id: int | None
    unit_source_value: str | None
    unit_source_concept_id: int | None
    value_source_value: str | None
    measurement_event_id: int | None
    meas_event_field_concept_id: int | None
