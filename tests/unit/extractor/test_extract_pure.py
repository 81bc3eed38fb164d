"""The decisions of the extractor: names, columns, layouts, casts and cuts."""

from __future__ import annotations

from datetime import date, datetime
from itertools import pairwise
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carebus_extractor.domain.casts import cell
from carebus_extractor.domain.columns import cdm_version_of, match_columns
from carebus_extractor.domain.delimited import layout_of
from carebus_extractor.domain.slicing import SliceRange, Weight, cut, cut_ids
from carebus_extractor.domain.table_names import DELIMITED_SUFFIXES, stem_of, table_named


@pytest.mark.parametrize(
    ("name", "table", "part"),
    [
        ("person", "person", False),
        ("PERSONS", "person", False),
        ("CDM_PERSON", "person", False),
        ("omop_cdm_person", "person", False),
        ("public.person", "person", False),
        ("devices_exposure", "device_exposure", False),
        ("Drug Exposure", "drug_exposure", False),
        ("cdm_source", "cdm_source", False),
        ("cdm_cdm_source", "cdm_source", False),
        ("concept_class", "concept_class", False),
        ("person_12", "person", True),
        ("person-00001-of-00004", "person", True),
        ("measurement_part_3", "measurement", True),
        ("fact_relationship", "fact_relationship", False),
    ],
)
def test_name_says_the_table(name: str, table: str, part: bool) -> None:
    """Prefixes, plurals, capitals and numbers do not hide a table."""
    assert table_named(name) == (table, part)


@pytest.mark.parametrize("name", ["", "readme", "personality", "ontime", "drug", "12", "person_old"])
def test_name_says_no_table(name: str) -> None:
    """A guess too far would read the wrong file."""
    assert table_named(name) is None


@pytest.mark.parametrize(
    ("file", "stem"),
    [("PERSON.CSV.GZ", "person"), ("a.tsv", "a"), ("a.csv.bz2", "a"), ("a.parquet", None), ("a.gz", None)],
)
def test_suffixes_are_taken_off(file: str, stem: str | None) -> None:
    """Files of another kind have no stem."""
    assert stem_of(file, DELIMITED_SUFFIXES) == stem


def test_newer_name_of_a_column_counts_first() -> None:
    """A source half way to 5.4 has both names."""
    match = match_columns("visit_occurrence", ["admitting_source_value", "ADMITTED_FROM_SOURCE_VALUE "])

    assert match.places["admitted_from_source_value"] == 1


@pytest.mark.parametrize(
    ("said", "renamed", "columns", "version"),
    [
        ("v5.3.1", False, set(), "5.3"),
        ("CDM v5.4.0", True, set(), "5.4"),
        (None, True, set(), "5.3"),
        (None, False, {("note", "note_event_id")}, "5.4"),
        (None, False, set(), "5.4"),
        ("6.0", False, set(), "5.3"),
    ],
)
def test_version_is_what_the_source_says_or_shows(
    said: str | None, renamed: bool, columns: set[tuple[str, str]], version: str
) -> None:
    """CDM_SOURCE is believed; without it the columns decide."""
    assert cdm_version_of(said, renamed=renamed, columns=frozenset(columns)) == version


@pytest.mark.parametrize(
    ("sample", "delimiter", "fields"),
    [
        pytest.param("person_id,death_date\n1,2\n", ",", ("person_id", "death_date"), id="plain"),
        pytest.param("person_id\tcause\n1\ta,b,c\n", "\t", ("person_id", "cause"), id="tab"),
        pytest.param(
            "person_id,death_date\n1,2001-01-01,\n", ",", ("person_id", "death_date", None), id="tail"
        ),
        pytest.param(
            "person_id,death_date\n9,1,2001-01-01\n", ",", (None, "person_id", "death_date"), id="row-names"
        ),
        pytest.param(
            "person_id,death_date,,\n1,2001-01-01\n", ",", ("person_id", "death_date"), id="header-tail"
        ),
        pytest.param("person_id,death_date", ",", ("person_id", "death_date"), id="header-alone"),
        pytest.param("", ",", (), id="nothing"),
        pytest.param('person_id,x\n1,"cut o', ",", ("person_id", "x"), id="cut-off"),
    ],
)
def test_layout_is_seen(sample: str, delimiter: str, fields: tuple[str | None, ...]) -> None:
    """The header's names lie where their cells make sense."""
    layout = layout_of("death", sample)

    assert (layout.delimiter, layout.fields) == (delimiter, fields)


@pytest.mark.parametrize(
    ("kind", "raw", "raw_type", "value", "given"),
    [
        (int, "'8507.0'", "VARCHAR", 8507, True),
        (int, "'8507.6'", "VARCHAR", None, True),
        (int, "' 12 '", "VARCHAR", 12, True),
        (int, "'9223372036854775807'", "VARCHAR", 9223372036854775807, True),
        (int, "'9223372036854775808'", "VARCHAR", None, True),
        (int, "'1e3'", "VARCHAR", 1000, True),
        (int, "'15e-1'", "VARCHAR", None, True),
        (int, "'NA'", "VARCHAR", None, False),
        (int, "8507.0::DOUBLE", "DOUBLE", 8507, True),
        (int, "8507.5::DOUBLE", "DOUBLE", None, True),
        (int, "'nan'::DOUBLE", "DOUBLE", None, False),
        (int, "12.00::DECIMAL(9,2)", "DECIMAL(9,2)", 12, True),
        (int, "7::UTINYINT", "UTINYINT", 7, True),
        (int, "true", "BOOLEAN", 1, True),
        (float, "0.1::FLOAT", "FLOAT", 0.1, True),
        (float, "'inf'::DOUBLE", "DOUBLE", None, True),
        (float, "1.50::DECIMAL(9,2)", "DECIMAL(9,2)", 1.5, True),
        (float, "'-1.5e-3'", "VARCHAR", -0.0015, True),
        (float, "3", "INTEGER", 3.0, True),
        (str, "12", "BIGINT", "12", None),
        (str, "''", "VARCHAR", None, None),
        (str, "'nan'::DOUBLE", "DOUBLE", None, None),
        (date, "'infinity'", "VARCHAR", None, True),
        (date, "'0044-03-15 (BC)'", "VARCHAR", None, True),
        (date, "TIMESTAMP '2001-02-03 04:05:06'", "TIMESTAMP", date(2001, 2, 3), True),
        (date, "20010203", "INTEGER", date(2001, 2, 3), True),
        (date, "'31-DEC-2020'", "VARCHAR", date(2020, 12, 31), True),
        (date, "'31-DEC-20'", "VARCHAR", None, True),
        (date, "'00010101'", "VARCHAR", date(1, 1, 1), True),
        (date, "'5'", "VARCHAR", None, True),
        (datetime, "'1-JAN-20'", "VARCHAR", None, True),
        (date, "'2001-02-03 10:30 PM'", "VARCHAR", date(2001, 2, 3), True),
        (datetime, "'2001-02-03 10:30 PM'", "VARCHAR", "2001-02-03T22:30:00", True),
        (datetime, "'2001-02-03 12:05:06 am'", "VARCHAR", "2001-02-03T00:05:06", True),
        (datetime, "'2001-02-03 22:30 PM'", "VARCHAR", None, True),
        (datetime, "'2001-02-03T23:30:00-05:00'", "VARCHAR", "2001-02-03T23:30:00", True),
        (datetime, "'2001-02-03 10:30 Europe/Amsterdam'", "VARCHAR", "2001-02-03T10:30:00", True),
        (datetime, "DATE '2001-02-03'", "DATE", "2001-02-03T00:00:00", True),
        (
            datetime,
            "TIMESTAMPTZ '2001-02-03 04:05:06+02'",
            "TIMESTAMP WITH TIME ZONE",
            "2001-02-03T02:05:06",
            True,
        ),
        (datetime, "TIMESTAMP_NS '2001-02-03 04:05:06'", "TIMESTAMP_NS", "2001-02-03T04:05:06", True),
    ],
)
def test_cell_is_cast(kind: type, raw: str, raw_type: str, value: Any, given: bool | None) -> None:
    """A value is exact or NULL; one that was given and is NULL counts as unreadable."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        sql = cell(kind, "r0", raw_type)

        row = connection.execute(f"SELECT {sql.value}, {sql.given} FROM (SELECT {raw} AS r0)").fetchone()

    assert row is not None
    assert row[0] == value
    assert type(row[0]) is type(value)
    if given is not None:
        assert row[1] is given


WEIGHTS = st.lists(
    st.tuples(st.integers(-50, 500), st.integers(0, 40), st.integers(0, 900)), max_size=60
).map(lambda found: [Weight(*w) for w in sorted({w[0]: w for w in found}.values())])


@given(weights=WEIGHTS, persons=st.integers(1, 9), rows=st.integers(1, 60), size=st.integers(1, 2_000))
def test_ranges_hold_everybody_once_and_leave_no_gap(
    weights: list[Weight], persons: int, rows: int, size: int
) -> None:
    """Each range begins where the last one ends, and is as small as asked unless one person is larger."""
    ranges = list(cut(weights, persons=persons, rows=rows, size=size))

    assert (ranges[0].after, ranges[-1].up_to) == (None, None)
    assert all(one.up_to == other.after for one, other in pairwise(ranges))
    for part in ranges:
        inside = [
            w
            for w in weights
            if (part.after is None or w.person_id > part.after)
            and (part.up_to is None or w.person_id <= part.up_to)
        ]
        assert len(inside) == part.persons <= persons
        assert len(inside) <= 1 or (
            sum(w.rows for w in inside) <= rows and sum(w.size for w in inside) <= size
        )
    assert sum(part.persons for part in ranges) == len(weights)


def test_named_persons_are_cut_into_closed_ranges() -> None:
    """Each range names its persons."""
    assert list(cut_ids([9, 3, 3, 5], persons=2)) == [SliceRange(2, 5, 2, (3, 5)), SliceRange(8, 9, 1, (9,))]
