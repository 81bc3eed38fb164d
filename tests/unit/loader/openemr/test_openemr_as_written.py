"""What we wrote and what the database shows of it have the same hash, and nothing else has."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import pytest

from carebus_loader.adapters.openemr.as_written import clinical, digest, writer

NO_FRACTIONS: frozenset[int] = frozenset()
UUID = bytes(range(16))


@pytest.mark.parametrize(
    ("ours", "shown", "fractions"),
    [
        pytest.param(
            "2001-02-03 04:05:06", datetime.fromisoformat("2001-02-03T04:05:06"), NO_FRACTIONS, id="moment"
        ),
        pytest.param(
            "2001-02-03 00:00:00", datetime.fromisoformat("2001-02-03"), NO_FRACTIONS, id="midnight"
        ),
        pytest.param("2001-02-03", date(2001, 2, 3), NO_FRACTIONS, id="day"),
        pytest.param(5, 5, NO_FRACTIONS, id="number"),
        pytest.param("5", 5, NO_FRACTIONS, id="number as text"),
        pytest.param("61.5", Decimal("61.500000"), frozenset({0}), id="decimal"),
        pytest.param("100", Decimal("100.00"), frozenset({0}), id="whole decimal"),
        pytest.param(61.5, 61.5, frozenset({0}), id="float"),
        pytest.param(None, None, frozenset({0}), id="null"),
        pytest.param("Ω & <b>", "Ω & <b>", NO_FRACTIONS, id="text"),
    ],
)
def test_cells_of_a_plan_and_of_the_database_agree(
    ours: object, shown: object, fractions: frozenset[int]
) -> None:
    """MariaDB gives its own types and fills up fractions."""
    assert digest(UUID, [ours], fractions) == digest(UUID, [shown], fractions)


@pytest.mark.parametrize(
    ("one", "other"),
    [(["a", "b"], ["ab", ""]), ([None], [""]), (["a"], ["A"]), (["a"], ["a "]), (["1"], ["1.0"])],
)
def test_different_cells_have_different_hashes(one: list[object], other: list[object]) -> None:
    """Also where a person only added a blank."""
    assert digest(UUID, one, NO_FRACTIONS) != digest(UUID, other, NO_FRACTIONS)


def test_two_rows_that_change_places_are_noticed() -> None:
    """The database sums up the hashes of many rows: the sum must know which content was whose."""
    other = bytes(16)

    sums = [
        int.from_bytes(digest(UUID, [mine], NO_FRACTIONS))
        ^ int.from_bytes(digest(other, [its], NO_FRACTIONS))
        for mine, its in (("a", "b"), ("b", "a"))
    ]
    assert sums[0] != sums[1]


def test_references_are_not_compared() -> None:
    """Their numbers are OpenEMR's own."""
    columns = ("uuid", "title", "begdate", "encounter")

    assert clinical("lists", columns, ("encounter",)) == ("title", "begdate")
    hashed = writer("lists", columns, ("encounter",))
    assert hashed(UUID, ["aa", "x", None, "bb"]) == hashed(UUID, ["aa", "x", None, None])
    assert hashed(UUID, ["aa", "x", None, "bb"]) != hashed(UUID, ["aa", "y", None, "bb"])
