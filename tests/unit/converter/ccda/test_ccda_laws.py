"""Laws: any order gives the same bytes, any text parses, every row is accounted for."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime
from itertools import permutations
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from carebus_contracts.omop.bundle import ConceptInUse
from carebus_contracts.omop.catalog import PERSON_TABLES
from carebus_converter.domain.ccda import Document, DocumentSettings, document
from carebus_converter.domain.ccda.not_mapped import WHOLE_TABLES
from unit.converter.ccda import factories as f
from unit.converter.ccda.factories import a_bundle, a_document, a_row, find_all, parsed
from unit.converter.ccda.strategies import ANY_TEXT, odd_concepts, rows_of_any_table

MAPPED = {
    "person",
    "death",
    "visit_occurrence",
    "condition_occurrence",
    "drug_exposure",
    "procedure_occurrence",
    "device_exposure",
    "measurement",
    "observation",
}
"""Tables with a place in the document, by the description of the feature."""


def entries_and_counted(made: Document) -> tuple[int, int]:
    """Return how many records have an entry, and how many are counted as not mapped."""
    root = parsed(made)
    organized = find_all(root, ".//c:entry/c:organizer/c:component")
    single = find_all(root, ".//c:entry/*[not(self::c:organizer)]")
    return len(organized) + len(single), sum(sum(r.values()) for r in made.not_mapped.values())


@settings(max_examples=150, deadline=None)
@given(st.lists(rows_of_any_table(), max_size=12), odd_concepts(), st.randoms(use_true_random=False))
def test_any_rows_in_any_order_make_one_well_formed_document(
    rows: list[NamedTuple], odd: list[ConceptInUse], shuffle: random.Random
) -> None:
    """The whole of the promises, on anything that a bundle can hold."""
    rows = rows + rows[:2]
    mixed = rows.copy()
    shuffle.shuffle(mixed)

    made = a_document(*rows, concepts=[*f.KNOWN, *odd])

    assert a_document(*mixed, concepts=[*odd, *f.KNOWN]) == made
    assert made.xml.isascii()
    root = parsed(made)
    statements = [
        (i.get("root"), i.get("extension"))
        for i in find_all(root, ".//c:entry//*[@classCode and @moodCode]/c:id")
    ]
    assert len(statements) == len(set(statements))
    anchors = {str(e.get("ID")) for e in find_all(root, ".//*[@ID]")}
    links = {str(e.get("value")) for e in find_all(root, ".//c:reference")}
    assert links == {f"#{anchor}" for anchor in anchors}
    entries, counted = entries_and_counted(made)
    headers = len({type(row).__name__ for row in rows} & {"Person", "Death"})
    assert entries + counted + headers == len(rows)


@settings(max_examples=200, deadline=None)
@given(ANY_TEXT)
def test_hostile_text_in_every_free_field_parses_and_survives(text: str) -> None:
    """What XML can hold comes out as it went in."""
    concept = ConceptInUse(1, text, "SNOMED", text, None, None)
    rows: list[NamedTuple] = [
        f.a_condition(condition_concept_id=0, condition_source_value=text, stop_reason=text),
        f.a_condition(condition_concept_id=1, condition_occurrence_id=2),
        f.a_drug(drug_concept_id=0, drug_source_value=text, sig=text, route_source_value=text),
        f.a_drug(f.FLU_SHOT, drug_exposure_id=2, lot_number=text),
        f.a_measurement(value_as_number=1.0, unit_source_value=text, measurement_source_value=text),
        f.a_measurement(measurement_id=2, value_source_value=text),
        f.an_observation(f.SMOKING, value_as_string=text),
        f.a_device(unique_device_id=text, production_id=text, device_source_value=text),
        f.a_person(gender_concept_id=0, gender_source_value=text, race_source_value=text),
    ]

    settings_ = DocumentSettings(organization=text, device=text)
    made = a_document(*rows, concepts=[*f.KNOWN, concept], settings=settings_)

    assert made.xml.isascii()
    root = parsed(made)
    printable = [c for c in text if c.isprintable() and not c.isspace() and not 0xD800 <= ord(c) <= 0xDFFF]
    words = "".join(root.itertext())
    assert all(c in words for c in printable if not 0xFDD0 <= ord(c) <= 0xFDEF)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("<script>&amp;]]>\"'", id="markup"),
        pytest.param("\x00\x0b\x1f\x7f", id="controls"),
        pytest.param("\ud800 \udfff", id="surrogates"),
        pytest.param("\ufffe\uffff", id="non-characters"),
        pytest.param("\U0001fa7a" * 3, id="astral"),
        pytest.param("x" * 1_000_000, id="megabyte"),
    ],
)
def test_named_horrors_parse(text: str) -> None:
    """The ones that have broken converters before."""
    made = a_document(f.a_condition(condition_concept_id=0, condition_source_value=f"a{text}b"))

    value = parsed(made).find(".//{*}observation/{*}value/{*}originalText")

    assert value is not None
    assert value.text is not None
    assert value.text[0] + value.text[-1] == "ab"


def test_whole_row_twice_is_two_entries_with_ids_of_their_own() -> None:
    """Real data repeat rows; the standard forbids repeated ids."""
    made = a_document(f.a_condition(), f.a_condition(), f.a_condition(condition_start_date=date(2021, 1, 1)))

    ids = [i.get("extension") for i in find_all(parsed(made), ".//c:act/c:id")]

    assert ids == ["1.act", "1-2.act", "1-3.act"]


def test_copies_that_compare_badly_still_have_one_order() -> None:
    """A time with a zone beside one without, and the two zeros, under one record id."""
    naive = datetime(2020, 3, 14, 9, 0)  # noqa: DTZ001
    rows = [
        f.a_measurement(measurement_datetime=naive, value_as_number=0.0),
        f.a_measurement(measurement_datetime=naive, value_as_number=-0.0),
        f.a_measurement(measurement_datetime=naive.replace(tzinfo=UTC)),
    ]

    made = {a_document(*order).xml for order in permutations(rows)}

    assert len(made) == 1


def test_content_decides_the_document_id() -> None:
    """Another content is another document; another person with the same content too."""
    ids = {
        a_document(f.a_condition()).document_id,
        a_document(f.a_condition(), person_id=2).document_id,
        a_document(f.a_condition(), source="clinic").document_id,
        a_document(f.a_condition(condition_start_date=date(1999, 9, 9))).document_id,
    }

    assert len(ids) == 4
    assert a_document(f.a_condition()).document_id in ids


def test_every_table_has_a_place_or_a_reason() -> None:
    """A new OMOP table cannot be forgotten."""
    assert MAPPED | WHOLE_TABLES.keys() == PERSON_TABLES.keys()
    assert not MAPPED & WHOLE_TABLES.keys()


@pytest.mark.parametrize("table", sorted(WHOLE_TABLES))
def test_rows_without_a_section_are_counted(table: str) -> None:
    """By table and reason."""
    spec = PERSON_TABLES[table]
    keys = dict.fromkeys(spec.key, 1)
    row = a_row(spec.row, **keys)

    made = document(a_bundle(row, row), settings=f.SETTINGS)

    assert made.not_mapped == {table: {WHOLE_TABLES[table].value: 2}}


def test_row_that_says_nothing_is_counted() -> None:
    """No concept, no source value, no result: an entry would be empty."""
    made = a_document(
        f.a_condition(condition_concept_id=0),
        f.a_drug(drug_concept_id=None),
        f.a_measurement(measurement_concept_id=0),
        f.an_observation(observation_concept_id=0),
        f.a_procedure(procedure_concept_id=0),
        f.a_device(device_concept_id=0),
        f.a_person(),
        f.a_person(year_of_birth=1970),
    )

    nothing = {"nothing_recorded": 1}
    assert made.not_mapped == {
        "condition_occurrence": nothing,
        "device_exposure": nothing,
        "drug_exposure": nothing,
        "measurement": nothing,
        "observation": nothing,
        "person": {"repeated_person": 1},
        "procedure_occurrence": nothing,
    }


def test_document_has_no_doctype() -> None:
    """Readers that forbid DTDs read it."""
    tree = etree.ElementTree(parsed(a_document(f.a_person())))

    assert not tree.docinfo.doctype
