"""OMOP CDM 5.4 EPISODE: one row, columns in the order of the specification."""

from datetime import date, datetime
from typing import NamedTuple


class Episode(NamedTuple):
    """One row of EPISODE; only keys are certain to be there, whatever the CDM requires."""

    episode_id: int
    person_id: int
    episode_concept_id: int | None
    episode_start_date: date | None
    episode_start_datetime: datetime | None
    episode_end_date: date | None
    episode_end_datetime: datetime | None
    episode_parent_id: int | None
    episode_number: int | None
    episode_object_concept_id: int | None
    episode_type_concept_id: int | None
    episode_source_value: str | None
    episode_source_concept_id: int | None
