"""Rows that are put among others of their chunk."""

from __future__ import annotations

import pytest

from carebus_contracts.receipts import Result
from carebus_contracts.versions import UNKNOWN_HASH, Version
from carebus_loader.domain.guard import Held
from carebus_loader.domain.warehouse.judging import Standing
from carebus_loader.domain.warehouse.tables import TABLES
from carebus_loader.domain.warehouse.upserting import above, ground_of, keyed, merge, only, without
from support.chunk_suite import part

CONCEPT = TABLES["concept"]


def test_each_row_is_judged_by_itself() -> None:
    """Newer words are written, equal ones raised, older ones stale; others stay as they are."""
    rows = {
        "changed": Held(Version(1), "a"),
        "same": Held(Version(1), "a"),
        "newer": Held(Version(9), "z"),
        "unsaid": Held(Version(2), "q"),
    }

    merged = merge(rows, None, Version(5), {"changed": "b", "same": "a", "newer": "y", "first": "c"})

    assert (merged.put, merged.raised) == ({"changed", "first"}, {"same"})
    assert merged.noted == rows | {
        "changed": Held(Version(5), "b"),
        "same": Held(Version(5), "a"),
        "first": Held(Version(5), "c"),
    }
    assert merged.result(changed=True) is Result.APPLIED
    assert merged.result(changed=False) is Result.UNCHANGED


@pytest.mark.parametrize(("low", "high"), [("a", "b"), ("b", "a")], ids=["rising", "falling"])
def test_at_equal_versions_the_larger_hash_wins(low: str, high: str) -> None:
    """Whichever came first."""
    first = merge({}, None, Version(5), {"row": low})

    second = merge(first.noted, None, Version(5), {"row": high})

    assert second.noted["row"].hash == "b"


@pytest.mark.parametrize("v", [4, 5])
def test_what_is_not_newer_than_the_whole_chunk_says_nothing(v: int) -> None:
    """The chunk's last whole statement knew all rows of its time."""
    merged = merge({}, Version(5), Version(v), {"row": "a"})

    assert (merged.put, merged.noted, merged.result(changed=False)) == (frozenset(), {}, Result.STALE)


def test_ground_is_the_newer_of_chunk_and_retired_source() -> None:
    """A retired job's chunk still was a statement."""
    standing = Standing(Held(Version(3), "a"), "one")

    assert ground_of("s", None, {}) is None
    assert ground_of("s", standing, {("s", "job/one"): Version(9)}) == Version(3)
    assert ground_of("s", standing, {("s", "*"): Version(7)}) == Version(7)
    assert ground_of("s", Standing(Held(Version(8), UNKNOWN_HASH), ""), {("s", "*"): Version(7)}) == Version(
        8
    )


def test_new_ground_leaves_newer_rows() -> None:
    """Rows of its own version were known to it."""
    rows = {str(v): Held(Version(v), "x") for v in (4, 5, 6)}

    assert list(above(rows, Version(5))) == ["6"]


def test_rows_are_chosen_by_record_key_and_copy() -> None:
    """What is left is a write as it came, with fewer rows."""
    (write,) = part("s", {1: "a", 2: "b", 30: "c"}).writes
    keys = [key for key, _ in keyed(write, CONCEPT)]

    assert keys == ["[1,0]", "[2,0]", "[30,0]"]
    assert [row[1] for row in only(write, CONCEPT, {"[2,0]"}).records()] == [2]
    assert [row[1] for row in without(write, CONCEPT, {"[2,0]"}).records()] == [1, 30]
    assert without(write, CONCEPT, keys).records() == []
