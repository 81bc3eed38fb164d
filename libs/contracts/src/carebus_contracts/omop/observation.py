"""OMOP CDM 5.4 OBSERVATION: one row, columns in the order of the specification."""

from datetime import date, datetime
from typing import NamedTuple


class Observation(NamedTuple):
    """One row of OBSERVATION; only keys are certain to be there, whatever the CDM requires."""

    observation_id: int
    person_id: int
    observation_concept_id: int | None
    observation_date: date | None
    observation_datetime: datetime | None
    observation_type_concept_id: int | None
    value_as_number: float | None
    value_as_string: str | None
    value_as_concept_id: int | None
    qualifier_concept_id: int | None
    unit_concept_id: int | None
    provider_id: int | None
    visit_occurrence_id: int | None
    visit_detail_id: int | None
    observation_source_value: str | None
    observation_source_concept_id: int | None
    unit_source_value: str | None
    qualifier_source_value: str | None
    value_source_value: str | None
    observation_event_id: int | None
    obs_event_field_concept_id: int | None
