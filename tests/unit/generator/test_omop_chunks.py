"""Whole cohorts as bundles: no chunk, worker or order changes a byte, and no row is out of place."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carebus_contracts.omop.bundle import PersonRecords, decode_person
from carebus_contracts.omop.catalog import PERSON_TABLES
from carebus_generator.domain.bundles import BundleWriter, References
from carebus_generator.domain.digest import added, chunk_digest, data_set_hash
from carebus_generator.domain.making import make_cohort
from carebus_generator.domain.model import Model, compile_model
from carebus_generator.domain.omop import omop_tables
from carebus_generator.domain.scenario import preset
from carebus_generator.domain.surroundings import surroundings_of

TOTAL = 400


@lru_cache(maxsize=1)
def model() -> Model:
    return compile_model(preset("baltic_defence").model_copy(update={"total": TOTAL}), seed=3)


def bundles(size: int) -> list[bytes]:
    """Return all bundles, made in chunks of that size."""
    surroundings = surroundings_of(model(), "exercise", first_person_id=5_001)
    writer = BundleWriter(References.of(surroundings))
    made = []
    for first in range(0, TOTAL, size):
        chunk = omop_tables(surroundings, make_cohort(model(), first, size))
        made += [bundle for block in writer.blocks(chunk.persons, chunk.tables) for bundle in block]
    return made


@pytest.fixture(scope="module")
def whole() -> list[bytes]:
    return bundles(TOTAL)


@pytest.fixture(scope="module")
def read(whole: list[bytes]) -> list[PersonRecords]:
    return [decode_person(bundle) for bundle in whole]


@pytest.mark.parametrize("size", [7, 100, 399])
def test_the_chunk_changes_no_byte(whole: list[bytes], size: int) -> None:
    """Bundles depend on seed and index only."""
    assert bundles(size) == whole


@given(st.lists(st.integers(1, TOTAL - 1), unique=True, max_size=8), st.randoms())
def test_the_hash_of_a_data_set_adds_up_from_any_chunks_in_any_order(
    whole: list[bytes], cuts: list[int], random: Random
) -> None:
    """Partial sums of chunks are that of the whole."""
    edges = [0, *sorted(cuts), TOTAL]
    parts = [chunk_digest(a, whole[a:b]) for a, b in pairwise(edges)]
    random.shuffle(parts)

    assert added(parts) == chunk_digest(0, whole)


def test_the_hash_sees_lost_changed_doubled_and_moved_patients(whole: list[bytes]) -> None:
    """Each of these gives another hash."""
    few = whole[:5]
    others = [
        few[:-1],
        [few[0].replace(b"2025", b"2024", 1), *few[1:]],
        [*few[:-1], few[0]],
        [few[1], few[0], *few[2:]],
        [*few, few[-1]],
    ]

    hashes = {data_set_hash(len(p), chunk_digest(0, p)) for p in (few, *others)}

    assert len(hashes) == 1 + len(others)
    assert data_set_hash(5, chunk_digest(0, few)) != data_set_hash(6, chunk_digest(0, few))


def test_ids_are_unique_and_references_hold(read: list[PersonRecords]) -> None:
    """Record ids in each table, visits, stays before, conditions of regions, places."""
    keys: dict[str, list[int]] = {name: [] for name in PERSON_TABLES}
    for person in read:
        tables = {n: t.rows for n, t in person.tables if t is not None}
        own = {name: {row[0] for row in rows} for name, rows in tables.items()}
        for name, rows in tables.items():
            keys[name] += [row[0] for row in rows]
            for row in rows:
                assert row.person_id == person.person_id
                visit = getattr(row, "visit_occurrence_id", None)
                detail = getattr(row, "visit_detail_id", None)
                assert visit is None or visit in own["visit_occurrence"]
                assert detail is None or detail in own["visit_detail"]
        for detail in tables.get("visit_detail", []):
            before = detail.preceding_visit_detail_id
            assert before is None or (before in own["visit_detail"] and before < detail.visit_detail_id)
            assert detail.care_site_id is None or detail.care_site_id in person.care_site
        for row in tables["observation"]:
            event = row.observation_event_id
            assert event is None or event in own["condition_occurrence"]
        assert {site.location_id for site in person.care_site.values()} <= person.location.keys()
    for name, found in keys.items():
        assert len(set(found)) == len(found), name
    assert [person.person_id for person in read] == list(range(5_001, 5_001 + TOTAL))


def test_what_the_cdm_requires_is_never_null(read: list[PersonRecords]) -> None:
    """In no row of any patient."""
    for person in read:
        for name, table in person.tables:
            required = [PERSON_TABLES[name].columns.index(c) for c in PERSON_TABLES[name].required]
            for row in table.rows if table else ():
                assert None not in {row[place] for place in required}, name


def test_every_row_tells_its_code(read: list[PersonRecords]) -> None:
    """Vocabulary and code, also where no concept is known, so that a site can map it later."""
    for person in read:
        for name in (
            "condition_occurrence", "drug_exposure", "procedure_occurrence", "measurement", "observation",
        ):  # fmt: skip
            table = getattr(person.tables, name)
            column = f"{name.partition('_')[0]}_source_value"
            for row in table.rows if table else ():
                vocabulary, _, code = getattr(row, column).partition(":")
                assert vocabulary in {"SNOMED", "LOINC", "RxNorm", "MIL"}
                assert code
