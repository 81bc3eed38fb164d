"""The rows of a data set that belong to no person: concepts in use, places, and CDM_SOURCE."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple

from carebus_contracts.omop.cdm_source import CdmSource
from carebus_contracts.omop.concept import Concept
from carebus_generator.domain.catalogue import data_text
from carebus_generator.domain.omop.places import care_sites, locations
from carebus_generator.domain.omop.surroundings import Surroundings

CDM_5_4 = 756265
"""OMOP's concept of version 5.4 of the CDM."""
VOCABULARY_VERSION = "v5.0 09-APR-22"
"""The vocabulary against which the catalogue's concept ids were checked (that of Synthea27Nj)."""
_LAST_VALID = date(2099, 12, 31)


def reference_tables(surroundings: Surroundings) -> Mapping[str, Sequence[NamedTuple]]:
    """Return the rows by table, in the order of the catalog, ascending by key."""
    return {
        "concept": _concepts(surroundings),
        "location": locations(surroundings),
        "care_site": care_sites(surroundings),
        "cdm_source": [_cdm_source(surroundings)],
    }


def _concepts(surroundings: Surroundings) -> list[Concept]:
    """Every concept that rows may carry; class and first day of validity as the vocabulary has them."""
    known = _classes()
    rows = []
    for concept_id, code, vocabulary, name, domain, standard in surroundings.concepts.rows:
        concept_class, since = known.get(concept_id, (None, None))
        rows.append(
            Concept(
                concept_id,
                concept_name=name,
                domain_id=domain,
                vocabulary_id=vocabulary,
                concept_class_id=concept_class,
                standard_concept=standard,
                concept_code=code,
                valid_start_date=since,
                valid_end_date=_LAST_VALID if since else None,
                invalid_reason=None,
            )
        )
    return rows


def _cdm_source(surroundings: Surroundings) -> CdmSource:
    # no clock: a data set is as old as the last day that it tells of
    released = surroundings.base_date + timedelta(days=surroundings.last_day)
    return CdmSource(
        cdm_source_name=surroundings.title,
        cdm_source_abbreviation=surroundings.source[:25],
        cdm_holder="carebus generator",
        source_description=surroundings.description or None,
        source_documentation_reference=None,
        cdm_etl_reference=None,
        source_release_date=released,
        cdm_release_date=released,
        cdm_version="5.4",
        cdm_version_concept_id=CDM_5_4,
        vocabulary_version=VOCABULARY_VERSION,
    )


@lru_cache(maxsize=1)
def _classes() -> Mapping[int, tuple[str, date]]:
    return {
        int(row["concept_id"]): (row["concept_class_id"], date.fromisoformat(row["valid_start_date"]))
        for row in csv.DictReader(data_text("concept_classes.csv").splitlines())
    }
