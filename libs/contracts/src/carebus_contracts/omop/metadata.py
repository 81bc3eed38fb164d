"""OMOP CDM 5.4 METADATA: one row, columns in the order of the specification."""

from datetime import date, datetime
from typing import NamedTuple


class Metadata(NamedTuple):
    """One row of METADATA; only keys are certain to be there, whatever the CDM requires."""

    metadata_id: int
    metadata_concept_id: int | None
    metadata_type_concept_id: int | None
    name: str | None
    value_as_string: str | None
    value_as_concept_id: int | None
    value_as_number: float | None
    metadata_date: date | None
    metadata_datetime: datetime | None
