"""Concepts, places and CDM_SOURCE of a generated data set."""

from __future__ import annotations

from datetime import date
from typing import cast

import duckdb
import numpy as np

from carebus_contracts.omop.care_site import CareSite
from carebus_contracts.omop.cdm_source import CdmSource
from carebus_contracts.omop.concept import Concept
from carebus_contracts.omop.location import Location
from carebus_generator.domain.model import compile_model
from carebus_generator.domain.omop.persons import service_numbers
from carebus_generator.domain.omop.references import reference_tables
from carebus_generator.domain.people import data_set_mark, people
from carebus_generator.domain.scenario import preset
from carebus_generator.domain.surroundings import surroundings_of
from support.omop_bundles import SHARED
from unit.generator.cohorts import SURROUNDINGS

TABLES = reference_tables(SURROUNDINGS)
CONCEPTS = cast("list[Concept]", TABLES["concept"])

BY_CONVENTION = {0, 262, 8507, 8532, 32817, 581478}
"""Concepts of OHDSI's conventions that neither shipped vocabulary has (0 only GiBleed has)."""


def test_concepts_are_those_of_the_vocabulary() -> None:
    """Each cell of a row is that of one of OHDSI's CONCEPT files, which differ in names of burns."""
    known: dict[int, list[tuple[object, ...]]] = {}
    for folder in ("gibleed_5.3", "synthea27nj_5.4"):
        path = SHARED / "omop" / folder / "parquet" / "concept.parquet"
        for row in duckdb.sql(f"SELECT {', '.join(Concept._fields)} FROM '{path}'").fetchall():
            known.setdefault(row[0], []).append(row)

    assert {c.concept_id for c in CONCEPTS} - known.keys() <= BY_CONVENTION
    for concept in CONCEPTS:
        for cell, cells in zip(concept, zip(*known.get(concept.concept_id, []), strict=True), strict=False):
            assert cell in cells, concept


def test_every_concept_is_whole() -> None:
    """What the CDM requires of a concept is there."""
    for concept in CONCEPTS:
        assert None not in {concept.concept_name, concept.domain_id, concept.vocabulary_id}
        assert None not in {concept.concept_class_id, concept.valid_start_date, concept.valid_end_date}


def test_places_are_numbered_by_kind_and_refer_to_one_another() -> None:
    """Nations, fronts and facilities are locations; points of injury and facilities are care sites."""
    places = {row.location_id: row for row in cast("list[Location]", TABLES["location"])}
    sites = cast("list[CareSite]", TABLES["care_site"])

    assert places[1].country_source_value == "EST"
    assert places[1_002].location_source_value == "FRONT:South"
    assert (places[10_002].latitude, places[10_002].county) == (54.25, "North")
    assert places[10_004].county is None
    assert [s.place_of_service_source_value for s in sites] == [
        "POI",
        "POI",
        "ROLE1",
        "ROLE2",
        "ROLE1",
        "ROLE4",
    ]
    assert all(site.location_id in places for site in sites)


def test_the_source_is_named_without_a_clock() -> None:
    """The release date comes from the scenario."""
    (source,) = cast("list[CdmSource]", TABLES["cdm_source"])

    assert (source.cdm_version, source.cdm_version_concept_id) == ("5.4", 756265)
    assert source.cdm_release_date == date(2025, 6, 1)


def test_surroundings_of_a_model_are_complete() -> None:
    """Facilities, fronts, labels and the mark of service numbers come from the scenario."""
    model = compile_model(preset("baltic_defence"), seed=7)

    found = surroundings_of(model, "baltic", 500)

    assert len(found.sites) == len(model.facilities)
    assert found.fronts == tuple(front.name for front in model.scenario.fronts)
    assert len(found.environments) == len(found.fronts)
    numbers = service_numbers(found, people(model, np.arange(100, 120)))
    assert all(number[3:11] == f"-{data_set_mark(model)}-" for number in numbers)
    assert numbers[0].endswith("0000000101")
