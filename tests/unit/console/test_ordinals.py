"""Sets of ordinals are sets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carebus_console.domain.ordinals import MAX_ORDINAL, OrdinalSet
from carebus_contracts.errors import InvalidMessage
from carebus_contracts.model import ranges_of

NUMBERS = st.sets(st.integers(0, 300))


def held(numbers: set[int]) -> OrdinalSet:
    return OrdinalSet.of(ranges_of(numbers))


@given(NUMBERS, NUMBERS)
def test_they_do_what_sets_do(left: set[int], right: set[int]) -> None:
    """Union, intersection, difference and size are those of Python's sets."""
    assert held(left) | held(right) == held(left | right)
    assert held(left) & held(right) == held(left & right)
    assert held(left) - held(right) == held(left - right)
    assert len(held(left)) == len(left)


@given(NUMBERS)
def test_ranges_and_text_come_back(numbers: set[int]) -> None:
    """What is written can be read, and ranges are packed."""
    assert held(numbers).ranges() == ranges_of(numbers)
    assert OrdinalSet.from_text(held(numbers).to_text()) == held(numbers)


def test_a_whole_slice_is_short() -> None:
    """The usual case takes a few bytes, however large the slice."""
    assert OrdinalSet.first(100_000).to_text() == "<100000"
    assert OrdinalSet().to_text() == "<0"


@pytest.mark.parametrize(
    "wrong", [(3, 2), (-1, 2), (0, MAX_ORDINAL + 1)], ids=["inverted", "negative", "huge"]
)
def test_odd_ranges_are_refused(wrong: tuple[int, int]) -> None:
    """A faulty receipt cannot cost memory."""
    with pytest.raises(InvalidMessage, match="ordinals"):
        OrdinalSet.of([wrong])
