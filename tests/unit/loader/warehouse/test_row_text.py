"""Row text is spliced, never cut in the wrong place."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carebus_contracts.errors import ConstraintViolated
from carebus_contracts.omop.catalog import PERSON_TABLES
from carebus_contracts.plans import PlannedTable, encode_plan, encode_write, read_plan
from carebus_loader.domain.warehouse.row_text import csv_rows, has_far_dates, has_long_numbers, json_rows
from carebus_loader.domain.warehouse.tables import TABLES

CELLS = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1), st.text(), st.floats(-1e9, 1e9))
ODD = 'quote " backslash \\ border ],\n[ and ],[ tab \t null'


def a_write(*rows: Sequence[object]) -> PlannedTable:
    """A write with rows of two cells."""
    lines = [orjson.dumps(row) for row in rows]
    return read_plan(
        encode_plan(target="t", source="s", subject="x/1", writes=[encode_write("x", ("a", "b"), lines)])
    ).writes[0]


@given(rows=st.lists(st.lists(CELLS, min_size=2, max_size=2), max_size=6))
def test_json_rows_are_the_rows_and_the_tail(rows: list[list[object]]) -> None:
    """Whatever is in the strings."""
    text = json_rows(a_write(*rows), b',"tail",1')

    assert orjson.loads(b"[%b]" % text) == [[*row, "tail", 1] for row in rows]


@given(rows=st.lists(st.lists(st.text(), min_size=2, max_size=2), max_size=6))
def test_csv_rows_read_back(rows: list[list[str]]) -> None:
    """As CSV with backslash as escape, by another reader than Postgres."""
    texts = [[cell.replace("\r", "").replace("\0", "") for cell in row] for row in rows]

    text = csv_rows(a_write(*texts), b',"tail"').decode()

    reader = csv.reader(io.StringIO(text, newline=""), escapechar="\\", doublequote=False)
    assert list(reader) == [[*row, "tail"] for row in texts]


def test_null_and_the_word_null_differ() -> None:
    """A bare null is nothing, a quoted one a string."""
    assert csv_rows(a_write([None, "null"]), b"") == b'null,"null"\n'


def test_plain_rows_are_spliced_and_escaped_ones_rewritten() -> None:
    """Escapes other than of quote and backslash mean something else in CSV."""
    assert csv_rows(a_write([1, 'a "b" \\']), b",2") == b'1,"a \\"b\\" \\\\",2\n'
    assert csv_rows(a_write([1, "tab\t"]), b",2") == b'1,"tab\t",2\n'


def test_other_layout_is_parsed() -> None:
    """A plan that another writer made on one line is understood."""
    plan = read_plan(
        b'{"target":"t","source":"s","subject":"x/1","writes":[{"kind":"replace_scope","table":"x",'
        b'"hash":"","count":2,"columns":["a","b"],"rows":[[1,"],["], [2,"b"]]}]}'
    )

    assert orjson.loads(b"[%b]" % json_rows(plan.writes[0], b",3")) == [[1, "],[", 3], [2, "b", 3]]


def test_rows_that_do_not_fit_their_count_are_refused() -> None:
    """A plan that lost a row on its way is the record's fault, not the message's."""
    write = PlannedTable("replace_scope", "x", "", 3, ("a",), msgspec.Raw(b"[\n[1],\n[2]\n]"))

    with pytest.raises(ConstraintViolated, match="x: rows do not fit count and columns"):
        json_rows(write, b"")


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        pytest.param({"provider_id": 2**63}, True, id="one too many"),
        pytest.param({"provider_id": 2**63 - 1}, False, id="the largest"),
        pytest.param({"value_as_string": "9" * 30}, False, id="digits in a string"),
        pytest.param({"value_as_number": 1e25}, False, id="a float"),
    ],
)
def test_long_numbers_are_found_where_they_do_harm(cells: dict[str, object], found: bool) -> None:
    """Only whole numbers are cut by servers."""
    columns = ("record_copy", *PERSON_TABLES["observation"].columns)
    row = [cells.get(column) for column in columns]
    write = PlannedTable("replace_scope", "observation", "", 1, columns, msgspec.Raw(orjson.dumps([row])))

    assert has_long_numbers(write, TABLES["observation"]) is found


@pytest.mark.parametrize(
    ("text", "far"),
    [
        ("1899-12-31", True),
        ("1900-01-01", False),
        ("2299-12-31T00:00:00", False),
        ("2300-01-01T00:00:00", True),
        ("0001-01-01", True),
        ("Room 1-22-33", False),
    ],
)
def test_far_dates_are_found(text: str, far: bool) -> None:
    """Dates outside 1900 to 2299, with a time or without."""
    assert has_far_dates(a_write([text, 1])) is far
