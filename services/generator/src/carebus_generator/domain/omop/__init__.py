"""Patients as records of OMOP CDM 5.4."""

from carebus_generator.domain.omop.surroundings import Site, Surroundings
from carebus_generator.domain.omop.tables import OmopChunk, omop_tables

__all__ = ["OmopChunk", "Site", "Surroundings", "omop_tables"]
