"""Whole numbers in given proportions, with exact totals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from carebus_generator.domain.draws import Floats, Ints


def apportion(total: int, weights: Sequence[float] | Floats | Ints) -> Ints:
    """Split a total by largest remainder (Hamilton); of equal remainders the first gets the unit.

    Raises:
        ValueError: There is something to split and no weight.
    """
    shares = np.asarray(weights, dtype=np.float64)
    if total == 0:
        return np.zeros(len(shares), dtype=np.int64)
    if (shares < 0).any() or not shares.sum() > 0:
        raise ValueError("weights must not be negative, and one must be positive")
    quotas = total * (shares / shares.sum())
    counts: Ints = np.floor(quotas + 1e-9).astype(np.int64)
    # Rounding to 9 digits keeps equal remainders equal whatever the order of the sums before.
    order = np.argsort(-np.round(quotas - counts, 9), kind="stable")
    counts[order[: total - int(counts.sum())]] += 1
    return counts


def systematic(totals: Ints, weights: Floats | Ints, offsets: Floats) -> Ints:
    """Split each total over its row of weights, by counting along the row from a random offset.

    Every entry is its expected value rounded down or up, on average exactly that; rows keep their totals.

    Args:
        totals: One a row, up to 2³¹.
        weights: Rows × columns, not negative, one positive in each row that has something to split.
            Whole numbers (up to 2³¹ in sum) are taken as they are, others to nine digits.
        offsets: A uniform number of [0, 1) a row.
    """
    if np.issubdtype(weights.dtype, np.integer):
        return _counted(totals, weights.astype(np.int64), offsets)
    sums = weights.sum(axis=1, keepdims=True)
    whole = np.rint(weights / np.where(sums > 0, sums, 1.0) * _GRAIN).astype(np.int64)
    return _counted(totals, whole, offsets)


def fill(rows: Ints, columns: Ints, offsets: Floats) -> Ints:
    """Return a table of whole numbers with these sums of rows and columns, near to even.

    Row by row, what is left of the columns is split from a random offset; so no entry is negative, the
    last row takes exactly what is left, and each entry is row × column / total on average.

    Args:
        rows: Sums of the rows; their sum is up to 2³¹.
        columns: Sums of the columns.
        offsets: A uniform number of [0, 1) a row.

    Raises:
        ValueError: The sums differ.
    """
    if int(rows.sum()) != int(columns.sum()):
        raise ValueError("rows and columns must have the same sum")
    left = columns.copy()
    table = np.zeros((len(rows), len(columns)), dtype=np.int64)
    for place in np.flatnonzero(rows):
        table[place] = _counted(rows[place : place + 1], left[None, :], offsets[place : place + 1])[0]
        left -= table[place]
    return table


_GRAIN = 2.0**30
"""Weights become whole numbers of this sum: then all counting is exact, on any machine."""


def _counted(totals: Ints, weights: Ints, offsets: Floats) -> Ints:
    rising = np.cumsum(weights, axis=1)
    last = np.maximum(rising[:, -1:], 1)
    start = (offsets[:, None] * last).astype(np.int64)
    counts: Ints = np.diff((totals[:, None] * rising + start) // last, axis=1, prepend=0)
    return counts
