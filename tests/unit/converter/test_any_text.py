"""Any text in any column of any table: the document is XML that still holds it, every plan is JSON that binds."""

from __future__ import annotations

from datetime import date
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from carebus_contracts.omop.bundle import ConceptInUse, PersonRecords, decode_person, encode_person
from carebus_contracts.omop.catalog import PERSON_TABLES
from carebus_contracts.plans import read_plan
from carebus_converter.domain.ccda import DocumentSettings
from carebus_converter.domain.ccda.not_mapped import WHOLE_TABLES
from carebus_converter.domain.conversion import Conversion
from carebus_converter.domain.openemr import OpenEmrSettings

CONVERT = Conversion(documents=DocumentSettings(), openemr=OpenEmrSettings())
DAY = date(2020, 3, 14)
TESTED = ConceptInUse(1, "2345-7", "LOINC", "Glucose", "Measurement", "S")

COLUMNS = [
    (table, column)
    for table, spec in PERSON_TABLES.items()
    for column, kind in spec.types.items()
    if str in getattr(kind, "__args__", (kind,))
]
"""Every free text of a bundle's tables."""

LEFT_OUT = {
    ("person", "person_source_value"),
    ("death", "cause_source_value"),
    ("visit_occurrence", "visit_source_value"),
    ("visit_occurrence", "admitted_from_source_value"),
    ("visit_occurrence", "discharged_to_source_value"),
    ("condition_occurrence", "condition_status_source_value"),
    ("procedure_occurrence", "modifier_source_value"),
    ("measurement", "measurement_time"),
    ("observation", "qualifier_source_value"),
    ("device_exposure", "unit_source_value"),
}
"""Texts of mapped tables that a document does not show; docs/architecture/ccda.md says why."""

TEXT = st.text(st.characters(codec="utf-8"), max_size=40)


def a_bundle_with(table: str, column: str, text: str) -> PersonRecords:
    """Return a bundle through the wire: one row, complete but for this text, and hostile concepts."""
    spec = PERSON_TABLES[table]
    cells: dict[str, Any] = {}
    for name, kind in spec.types.items():
        kinds = getattr(kind, "__args__", (kind,))
        if name.endswith("_concept_id"):
            cells[name] = 0 if name.removesuffix("_concept_id") + "_source_value" == column else None
        elif name == "person_id" or name in spec.key:
            cells[name] = 1
        elif date in kinds:
            cells[name] = DAY.isoformat()
        else:
            cells[name] = None
    main = next((name for name in cells if name.endswith("_concept_id")), "")
    if table != "person" and not column.startswith(main.removesuffix("concept_id") + "source"):
        cells[main] = 1
    if column == "unit_source_value" and "value_as_number" in cells:
        cells["value_as_number"] = 1.0
    if column == "dose_unit_source_value":
        cells["quantity"] = 1.0
    cells[column] = text
    concept = ConceptInUse(2, text, "SNOMED", text, text, None)
    encoded = encode_person(
        source="lab",
        person_id=1,
        cdm_version="5.4",
        covers=list(PERSON_TABLES),
        tables={table: orjson.dumps([list(cells.values())])},
        concepts=[orjson.dumps(list(TESTED)), orjson.dumps(list(concept))],
    )
    return decode_person(encoded)


def words_of(records: PersonRecords) -> str:
    """Return all text and attribute values of the person's document."""
    message = orjson.loads(CONVERT(records, "documents") or b"")
    root = etree.fromstring(message["xml"].encode("ascii"), etree.XMLParser(huge_tree=True))
    values = (str(value) for element in root.iter() for value in element.attrib.values())
    return "\n".join([*(str(text) for text in root.itertext()), *values])


def assert_plans_bind(records: PersonRecords) -> None:
    """Fail unless every line of every plan is JSON whose cells are what a driver takes."""
    for target in ("openemr", "postgres", "clickhouse"):
        plan = read_plan(CONVERT(records, target) or b"")
        for write in plan.writes:
            assert [orjson.loads(line) for line in write.lines()] == write.records()
            for row in write.records():
                for cell in row:
                    assert cell is None or isinstance(cell, (str, int, float)) or _is_reference(cell)
                    assert not isinstance(cell, str) or "\0" not in cell


def _is_reference(cell: Any) -> bool:
    return isinstance(cell, dict) and all(isinstance(value, (str, int)) for value in cell.values())


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(COLUMNS), TEXT)
def test_any_text_anywhere(place: tuple[str, str], text: str) -> None:
    """Well-formed, ASCII, and nothing printable lost."""
    records = a_bundle_with(*place, text)

    words = words_of(records)

    assert_plans_bind(records)
    if place not in LEFT_OUT and place[0] not in WHOLE_TABLES:
        plain = [c for c in text if c.isprintable() and not c.isspace() and not 0xFDD0 <= ord(c) <= 0xFDEF]
        assert all(c in words for c in plain)


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_text_of_every_column_is_in_the_document_or_named_as_left_out(table: str, column: str) -> None:
    """Markup and a character beyond the basic plane; a new column of the CDM cannot be forgotten."""
    text = '<a href="x">&amp;\'\U0001fa7a'

    words = words_of(a_bundle_with(table, column, text))

    shown = text in words
    assert shown == ((table, column) not in LEFT_OUT and table not in WHOLE_TABLES)


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_a_megabyte_in_any_column_is_one_text_among_others(table: str, column: str) -> None:
    """Nothing breaks, nothing takes long."""
    text = "x]]>" * 250_000
    records = a_bundle_with(table, column, text)

    words = words_of(records)

    assert_plans_bind(records)
    if (table, column) not in LEFT_OUT and table not in WHOLE_TABLES:
        assert text in words


@pytest.mark.parametrize("target", ["postgres", "clickhouse"])
@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_warehouses_get_the_text_itself(table: str, column: str, target: str) -> None:
    """All of it but NUL."""
    text = "a\0\t<\u2028\ufffe\U0001fa7a'\\\""

    plan = read_plan(CONVERT(a_bundle_with(table, column, text), target) or b"")

    (row,) = next(write.records() for write in plan.writes if write.table == table)
    assert text.replace("\0", "") in row
