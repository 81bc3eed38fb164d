"""Whole numbers in given proportions: totals are exact, nothing is negative, nothing is favoured."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carebus_generator.domain.apportioning import apportion, fill, systematic
from carebus_generator.domain.draws import Draws
from carebus_generator.domain.fitting import fitted, rounded

_weights = st.lists(st.floats(0, 1e6, allow_nan=False), min_size=1, max_size=40).filter(
    lambda w: sum(w) > 1e-3
)
_offset = st.floats(0, 1, exclude_max=True)


def test_the_textbook_example_of_the_largest_remainder() -> None:
    """Ten seats by Hare's quota of 10,000 votes: 4.7, 1.6, 1.58, 1.2, 0.61 and 0.31 quotas."""
    votes = [47_000, 16_000, 15_800, 12_000, 6_100, 3_100]

    assert apportion(10, votes).tolist() == [5, 2, 1, 1, 1, 0]


def test_of_equal_remainders_the_first_gets_the_unit() -> None:
    """Ten over three equal weights."""
    assert apportion(10, [1, 1, 1]).tolist() == [4, 3, 3]


@given(st.integers(0, 10**9), _weights)
def test_apportioned_numbers_keep_total_and_quota(total: int, weights: list[float]) -> None:
    """Each share is its exact part, rounded down or up; a weight of 0 gets nothing."""
    counts = apportion(total, weights)

    exact = total * np.asarray(weights) / sum(weights)
    assert counts.sum() == total
    assert (np.abs(counts - exact) < 1 + 1e-6 * max(1, total / 1e6)).all()
    assert (counts[np.asarray(weights) == 0] <= 0).all()


@pytest.mark.parametrize("weights", [[0.0, 0.0], [-1.0, 2.0]], ids=["none", "negative"])
def test_impossible_weights_are_refused(weights: list[float]) -> None:
    """Something cannot be split over nothing."""
    with pytest.raises(ValueError, match="weights"):
        apportion(1, weights)


@given(st.integers(0, 10**9), _weights, _offset)
def test_systematic_numbers_are_the_exact_ones_rounded(
    total: int, weights: list[float], offset: float
) -> None:
    """Rows keep their totals, whatever the offset."""
    counts = systematic(np.asarray([total]), np.asarray([weights]), np.asarray([offset]))[0]

    exact = total * np.asarray(weights) / sum(weights)
    assert counts.sum() == total
    assert counts.min() >= 0
    # Weights are taken to nine digits.
    assert (np.abs(counts - exact) <= 1 + total * 4e-8).all()


@st.composite
def _margins(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    most = draw(st.sampled_from([3, 100, 10**8]))
    columns = draw(st.lists(st.integers(0, most), min_size=1, max_size=12))
    cuts = sorted(draw(st.lists(st.integers(0, sum(columns)), min_size=0, max_size=8)))
    rows = np.diff([0, *cuts, sum(columns)])
    return rows, np.asarray(columns)


@given(_margins(), st.integers(0, 1000))
def test_filled_tables_keep_all_sums(margins: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    """Rows and columns have their sums, and no entry is negative."""
    rows, columns = margins

    table = fill(rows, columns, Draws(seed, np.arange(len(rows))).uniform("test"))

    assert table.sum(axis=1).tolist() == rows.tolist()
    assert table.sum(axis=0).tolist() == columns.tolist()
    assert table.min() >= 0


def test_filled_tables_favour_no_entry() -> None:
    """Over 4,000 seeds each entry is row × column / total on average."""
    rows, columns = np.asarray([2, 5, 3]), np.asarray([1, 0, 4, 5])

    tables = [fill(rows, columns, Draws(seed, np.arange(3)).uniform("test")) for seed in range(4000)]

    expected = np.outer(rows, columns) / 10
    # Entries vary by less than 1, so a mean of 4,000 by less than 0.016; four of these.
    assert np.abs(np.mean(tables, axis=0) - expected).max() < 0.064


def test_different_sums_are_refused() -> None:
    """A table cannot have rows of 3 and columns of 4."""
    with pytest.raises(ValueError, match="same sum"):
        fill(np.asarray([3]), np.asarray([4]), np.zeros(1))


_PATTERN = np.asarray([[1.5, 0.9, 0.8], [2.5, 0.6, 0.3], [2.0, 0.5, 0.2], [0.1, 0.3, 5.0]])
_ROWS, _COLUMNS = np.asarray([100, 73, 41, 11]), np.asarray([124, 56, 45])


def test_fitted_tables_keep_sums_and_odds() -> None:
    """Odds of two rows in two columns are those of the pattern; that is what fitting promises."""
    table = fitted(_PATTERN, _ROWS, _COLUMNS)

    assert np.allclose(table.sum(axis=1), _ROWS)
    assert np.allclose(table.sum(axis=0), _COLUMNS)
    for row in range(3):
        ours = table[row, 0] * table[row + 1, 2] / (table[row, 2] * table[row + 1, 0])
        assert np.isclose(
            ours, _PATTERN[row, 0] * _PATTERN[row + 1, 2] / (_PATTERN[row, 2] * _PATTERN[row + 1, 0])
        )


def test_a_table_of_two_by_two_is_the_known_one() -> None:
    """With odds of 1 the fitted table is row × column / total."""
    assert fitted(np.ones((2, 2)), np.asarray([30, 70]), np.asarray([40, 60])).tolist() == [
        [pytest.approx(12), pytest.approx(18)],
        [pytest.approx(28), pytest.approx(42)],
    ]


def test_rounded_tables_keep_sums_and_favour_no_entry() -> None:
    """Every entry is rounded down or up; over 3,000 seeds it is on average what it was."""
    table = fitted(_PATTERN, _ROWS, _COLUMNS)

    whole = [
        rounded(table, iter(Draws(seed, np.arange(99)).uniform("test").tolist())) for seed in range(3000)
    ]

    for one in whole:
        assert one.sum(axis=1).tolist() == _ROWS.tolist()
        assert one.sum(axis=0).tolist() == _COLUMNS.tolist()
        assert (np.abs(one - table) < 1 + 1e-6).all()
    # A rounded entry varies by at most a half, so a mean of 3,000 by less than 0.0092; four of these.
    assert np.abs(np.mean(whole, axis=0) - table).max() < 0.037


@given(_margins(), st.integers(0, 100), st.integers(0, 100))
def test_any_fitted_table_can_be_rounded(
    margins: tuple[np.ndarray, np.ndarray], seed: int, other: int
) -> None:
    """Sums stay, also with rows and columns of nothing and with very large ones."""
    rows, columns = margins
    pattern = 0.05 + 5 * Draws(other, np.arange(rows.size * columns.size)).uniform("p").reshape(rows.size, -1)

    table = fitted(pattern * columns[None, :] * rows[:, None], rows, columns)
    whole = rounded(table, iter(Draws(seed, np.arange(1000)).uniform("test").tolist()))

    assert whole.sum(axis=1).tolist() == rows.tolist()
    assert whole.sum(axis=0).tolist() == columns.tolist()
    assert whole.min() >= 0
