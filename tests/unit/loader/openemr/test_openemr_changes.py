"""Rows are compared with what was written before: only what differs is put or taken away."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carebus_contracts.errors import ConstraintViolated
from carebus_contracts.plans import encode_plan, encode_write, read_plan
from carebus_contracts.versions import Version
from carebus_loader.adapters.openemr.changes import Change, change_of
from carebus_loader.adapters.openemr.judging import Standing, judge
from carebus_loader.adapters.openemr.row_index import (
    IndexedRows,
    RowIndex,
    index_lines,
    pack_index,
    unpack_index,
)
from carebus_loader.adapters.openemr.row_sql import line
from carebus_loader.ports import Delivery

ONE, TWO, THREE = (f"{n:032x}" for n in (1, 2, 3))


def a_change(standing: RowIndex, *, v: int = 1, **rows: str) -> Change:
    """The change of a plan whose ``lists`` hold these titles by uuid."""
    lines = [f'["{uuid}","{title}"]'.encode() for uuid, title in sorted(rows.items())]
    write = encode_write("lists.observation", ("uuid", "title"), lines)
    plan = read_plan(encode_plan(target="openemr", source="lab", subject="person/1", writes=[write]))
    return change_of(judge(Delivery(plan, Version(v)), Standing({})), standing)


def test_first_rows_are_all_put() -> None:
    """Nothing stands, so everything is new."""
    change = a_change({}, **{ONE: "a", TWO: "b"})

    assert list(change.put["lists.observation"].values()) == [[ONE, "a"], [TWO, "b"]]
    written = change.written
    assert (written.inserted, written.updated, written.deleted) == (2, 0, 0)


def test_only_differences_are_put_and_taken_away() -> None:
    """One row as it was, one changed, one new, one gone."""
    before = a_change({}, **{ONE: "a", TWO: "b", "f" * 32: "gone"}).index

    change = a_change(before, **{ONE: "a", TWO: "changed", THREE: "new"})

    assert list(change.put["lists.observation"].values()) == [[TWO, "changed"], [THREE, "new"]]
    assert change.gone == {"lists.observation": [bytes.fromhex("f" * 32)]}
    written = change.written
    assert (written.inserted, written.updated, written.deleted) == (1, 1, 1)
    assert written.tables == {"lists": 3}
    assert written.finer == {"lists.observation": {"written": 2, "conflict": 0, "unchanged": 1}}


def test_rows_with_one_uuid_are_refused() -> None:
    """One of them would vanish in silence."""
    with pytest.raises(ConstraintViolated, match="same uuid"):
        index_lines("lists", [f'["{ONE}","a"]'.encode(), f'["{ONE}","b"]'.encode()])


@given(
    st.dictionaries(
        st.sampled_from(["lists", "prescriptions", "patient_data"]),
        st.builds(
            IndexedRows,
            st.dictionaries(
                st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16), min_size=1
            ),
            st.sampled_from([("uuid",), ("uuid", "title", "begdate")]),
        ),
    )
)
def test_packed_index_comes_back(index: RowIndex) -> None:
    """What is packed for a ledger row is what is read from it."""
    read = unpack_index(pack_index(index))

    assert read == index
    assert {write: rows.columns for write, rows in read.items()} == {
        write: rows.columns for write, rows in index.items()
    }


@pytest.mark.parametrize(
    ("cells", "text"),
    [
        pytest.param(["a", None, 5, 1.5, True], "a\t\\N\t5\t1.5\t1", id="types"),
        pytest.param(["", "\\N", "null"], "\t\\\\N\tnull", id="what looks like NULL is text"),
        pytest.param(["a\tb\nc\\d\r\0"], "a\\tb\\nc\\\\d\\r\\0", id="escapes"),
    ],
)
def test_lines_are_as_load_data_reads_them(cells: list[object], text: str) -> None:
    """NULL is bare, everything that parts cells or rows is escaped."""
    assert line(cells) == text
