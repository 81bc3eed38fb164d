"""OMOP CDM 5.4 SPECIMEN: one row, columns in the order of the specification."""

from datetime import date, datetime
from typing import NamedTuple


class Specimen(NamedTuple):
    """One row of SPECIMEN; only keys are certain to be there, whatever the CDM requires."""

    specimen_id: int
    person_id: int
    specimen_concept_id: int | None
    specimen_type_concept_id: int | None
    specimen_date: date | None
    specimen_datetime: datetime | None
    quantity: float | None
    unit_concept_id: int | None
    anatomic_site_concept_id: int | None
    disease_status_concept_id: int | None
    specimen_source_id: str | None
    specimen_source_value: str | None
    unit_source_value: str | None
    anatomic_site_source_value: str | None
    disease_status_source_value: str | None
