"""Bundles of generated patients, against the contract's own writer and reader."""

from __future__ import annotations

import csv
import io
import math
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carebus_contracts.omop.bundle import decode_person, encode_person
from carebus_contracts.omop.catalog import PERSON_TABLES
from carebus_contracts.omop.death import Death
from carebus_contracts.omop.measurement import Measurement
from carebus_generator.domain.bundles import BundleWriter, References
from carebus_generator.domain.omop import OmopChunk, omop_tables
from carebus_generator.domain.omop.columns import Coded, Decimals, Labels, values
from carebus_generator.domain.text import CSV, JSON, SHEET_ROWS, row_pieces, written
from unit.generator.cohorts import SURROUNDINGS, three_patients


@pytest.fixture(scope="module")
def chunk() -> OmopChunk:
    return omop_tables(SURROUNDINGS, three_patients())


@pytest.fixture(scope="module")
def bundles(chunk: OmopChunk) -> list[bytes]:
    return bundles_of(chunk)


def bundles_of(chunk: OmopChunk) -> list[bytes]:
    """Return the bundles of a chunk."""
    writer = BundleWriter(References.of(SURROUNDINGS))
    return [bundle for block in writer.blocks(chunk.persons, chunk.tables) for bundle in block]


def plain(chunk: OmopChunk, name: str, patient: int) -> list[list[Any]]:
    """Return the rows of one patient as plain values."""
    table = chunk.tables[name]
    listed = [values(column, len(table)) for column in table.columns.values()]
    return [[cells[n] for cells in listed] for n in np.flatnonzero(table.patient == patient)]


def test_bundles_are_what_the_contract_would_write(chunk: OmopChunk, bundles: list[bytes]) -> None:
    """The bytes equal those of encode_person for the same rows."""
    concepts = {row[0]: orjson.dumps(row) for row in SURROUNDINGS.concepts.rows}
    for patient, bundle in enumerate(bundles):
        tables = {name: plain(chunk, name, patient) for name in chunk.tables}
        used = {
            row[PERSON_TABLES[name].columns.index(column)]
            for name, rows in tables.items()
            for column in PERSON_TABLES[name].concept_columns
            for row in rows
        }
        read = decode_person(bundle)
        refers = {
            name: [orjson.dumps([*row]) for row in table.rows]
            for name, table in (read.refers or ())
            if table is not None
        }

        assert bundle == encode_person(
            source="exercise",
            person_id=1_010 + patient,
            cdm_version="5.4",
            covers=tuple(chunk.tables),
            tables={name: orjson.dumps(rows) for name, rows in tables.items() if rows},
            concepts=[text for concept_id, text in concepts.items() if concept_id in used],
            refers=refers,
        )


def test_bundles_bring_the_places_that_their_rows_refer_to(bundles: list[bytes]) -> None:
    """Nation, facilities and the locations of these, of this person only."""
    first, second, _ = map(decode_person, bundles)

    assert sorted(first.care_site) == [1_001, 1_002]
    assert sorted(first.location) == [2, 10_001, 10_002]
    assert first.care_site[1_002].place_of_service_source_value == "ROLE2"
    assert first.location[10_002].latitude == 54.25
    assert first.location[2].country_source_value == "POL"
    assert not second.care_site
    assert sorted(second.location) == [1]


def test_bundles_bring_the_concepts_that_their_rows_carry(bundles: list[bytes]) -> None:
    """Names of units, codes and types; ascending."""
    first = decode_person(bundles[0])

    assert first.concept[8541].concept_name == "per minute"
    assert first.concept[4094814].concept_code == "262574004"
    assert first.concept[0].concept_name == "No matching concept"
    assert list(first.concept) == sorted(first.concept)
    assert 260139 not in first.concept


def test_tables_without_rows_are_covered_and_left_out(bundles: list[bytes]) -> None:
    """Who lives has no DEATH in the bundle, and the bundle says that it is complete for it."""
    third = decode_person(bundles[2])

    assert "death" in third.covers
    assert third.tables.death is None
    assert third.rows(Death) == []
    assert [m.value_as_number for m in third.rows(Measurement)] == [15.0]


def test_a_chunk_may_have_one_patient_and_any_place(bundles: list[bytes]) -> None:
    """The bundle of a patient does not depend on the chunk's other patients."""
    moved = bundles_of(omop_tables(SURROUNDINGS, three_patients(first=11)))

    assert [decode_person(b).person_id for b in moved] == [1_011, 1_012, 1_013]


numbers = st.one_of(
    st.floats(0, 1_000).map(lambda x: round(x, 2)),
    st.floats(-1e6, 1e6).map(lambda x: round(x, 3)),
    st.just(math.nan),
)


@given(st.lists(numbers, min_size=1, max_size=30))
def test_numbers_are_written_as_json_reads_them(cells: list[float]) -> None:
    """Whatever the number, its text reads back as the same; no number is null."""
    column = Decimals(np.array(cells))

    (text,) = written([*row_pieces([column], JSON), b"\n"], 0, len(cells))

    read = [orjson.loads(line)[0] for line in text.splitlines()]
    assert read == [None if math.isnan(c) else c for c in cells]


words = st.lists(
    st.text(st.characters(blacklist_categories=["Cs"], min_codepoint=1)), min_size=1, max_size=20
)


@given(words)
def test_words_survive_json_and_csv(cells: list[str]) -> None:
    """Quotes, commas, line ends and any script; an empty word is not null."""
    column = Coded(Labels(cells), np.arange(len(cells)))

    (as_json,) = written([*row_pieces([column, column], JSON), b"\n"], 0, len(cells))
    (as_csv,) = written([*row_pieces([column, column], CSV), b"\r\n"], 0, len(cells))

    assert [orjson.loads(line) for line in as_json.split(b"\n")[:-1]] == [[c, c] for c in cells]
    assert list(csv.reader(io.StringIO(as_csv.decode(), newline=""))) == [[c, c] for c in cells]


def test_more_rows_than_a_sheet_come_out_in_order() -> None:
    """Sheets bound the memory, and leave no seam."""
    count = 2 * SHEET_ROWS + 5
    column = Decimals(np.arange(count, dtype=np.float64))

    text = b"".join(written([*row_pieces([column], CSV), b"\n"], 0, count))

    assert [float(line) for line in text.splitlines()] == list(range(count))
