"""OMOP CDM 5.4 OBSERVATION_PERIOD: one row, columns in the order of the specification."""

from datetime import date
from typing import NamedTuple


class ObservationPeriod(NamedTuple):
    """One row of OBSERVATION_PERIOD; only keys are certain to be there, whatever the CDM requires."""

    observation_period_id: int
    person_id: int
    observation_period_start_date: date | None
    observation_period_end_date: date | None
    period_type_concept_id: int | None
