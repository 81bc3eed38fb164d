"""Tables that keep given sums of rows and columns: fitted to a pattern, then rounded without bias.

Sources:
    Iterative proportional fitting: W. Deming, F. Stephan, "On a Least Squares Adjustment of a Sampled
    Frequency Table When the Expected Marginal Totals are Known", Ann. Math. Statist. 11 (1940).
    Rounding: L. Cox, "A Constructive Procedure for Unbiased Controlled Rounding", JASA 82 (1987).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from carebus_generator.domain.draws import Floats, Ints

_ROUNDS = 500
"""Tables of some ten rows and three columns need about ten."""
_WHOLE = 1e-6
"""Nearer to a whole number is whole: tables of 10⁹ have sums that are good to 10⁻⁷."""


def fitted(pattern: Floats, rows: Ints, columns: Ints) -> Floats:
    """Return the table with these sums that keeps the pattern's odds.

    Args:
        pattern: Rows × columns, positive.
        rows: Sums of the rows.
        columns: Sums of the columns, in all as much as the rows.
    """
    table = pattern.astype(np.float64)
    for _ in range(_ROUNDS):
        table = table * _ratio(columns, table.sum(axis=0))[None, :]
        off = table.sum(axis=1)
        table = table * _ratio(rows, off)[:, None]
        if np.abs(off - rows).max() <= 1e-12 * max(1, int(rows.sum())):
            break
    return table


def rounded(table: Floats, uniforms: Iterator[float]) -> Ints:
    """Round a table so that its sums stay, and each entry is on average what it was.

    Along a ring of entries that are not whole, alternately rows and columns, one share is moved around
    until an entry is whole; the direction is drawn with the odds that leave the average as it is.

    Args:
        table: Its sums of rows and columns are whole numbers.
        uniforms: Numbers of [0, 1); at most one an entry is taken.
    """
    floor = np.floor(table + _WHOLE)
    part = table - floor
    part[part < _WHOLE] = 0.0
    while (ring := _ring(part > 0)) is not None:
        up, down = ring[0::2], ring[1::2]
        most_up = min(*(1 - part[cell] for cell in up), *(part[cell] for cell in down))
        most_down = min(*(part[cell] for cell in up), *(1 - part[cell] for cell in down))
        move = most_up if next(uniforms) * (most_up + most_down) < most_down else -most_down
        for cells, sign in ((up, 1), (down, -1)):
            for cell in cells:
                value = part[cell] + sign * move
                if value > 1 - _WHOLE:
                    floor[cell] += 1
                    value = 0.0
                part[cell] = 0.0 if value < _WHOLE else value
    whole: Ints = (floor + np.rint(part)).astype(np.int64)
    return whole


def _ratio(wanted: Ints, found: Floats) -> Floats:
    return np.where(found > 0, wanted / np.where(found > 0, found, 1.0), 0.0)


def _ring(open_cells: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> list[tuple[int, int]] | None:
    """Return cells around a ring that alternates between rows and columns, or None if there is no more."""
    cells = open_cells.copy()
    # A cell alone in its row or column is on no ring (it is a remainder of computing).
    while True:
        lonely = cells & ((cells.sum(axis=1) < 2)[:, None] | (cells.sum(axis=0) < 2)[None, :])
        if not lonely.any():
            break
        cells &= ~lonely
    if not cells.any():
        return None
    row = int(np.flatnonzero(cells.any(axis=1))[0])
    column = int(np.flatnonzero(cells[row])[0])
    path = [(row, column)]
    while True:
        # Along the row to another column, then along the column to another row.
        column = next(int(c) for c in np.flatnonzero(cells[row]) if c != column)
        for start in range(0, len(path), 2):
            if path[start][1] == column:
                return [*path[start:], (row, column)]
        path.append((row, column))
        row = next(int(r) for r in np.flatnonzero(cells[:, column]) if r != row)
        for start in range(1, len(path), 2):
            if path[start][0] == row:
                return [*path[start:], (row, column)]
        path.append((row, column))
