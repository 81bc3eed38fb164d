"""A batch that names a subject twice is written in rounds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from carebus_loader.handlers import rounds


def test_the_second_mention_goes_to_the_second_round() -> None:
    """Each subject is at most once in a round, in its order."""
    assert rounds(["a1", "b1", "a2", "c1", "a3"], lambda m: m[0]) == [["a1", "b1", "c1"], ["a2"], ["a3"]]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers())))
def test_nothing_is_lost_and_order_stays(batch: list[tuple[int, int]]) -> None:
    """All messages are there, once, and those of a subject in their order."""
    parts = rounds(batch, lambda m: m[0])

    assert sorted(m for part in parts for m in part) == sorted(batch)
    for part in parts:
        assert len({m[0] for m in part}) == len(part)
    for subject in {m[0] for m in batch}:
        in_rounds = [m for part in parts for m in part if m[0] == subject]
        assert in_rounds == [m for m in batch if m[0] == subject]
