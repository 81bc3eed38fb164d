"""Rows of one table in an order that depends on their content alone, each with an id of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import NamedTuple, TypeVar

RowT = TypeVar("RowT", bound=NamedTuple)

SortKey = tuple[date, int, int]
"""Start, concept, record id."""

BEFORE_ALL = date.min


def numbered(rows: Sequence[RowT], key: Callable[[RowT], SortKey]) -> list[tuple[str, RowT]]:
    """Return rows newest first with the id extension of each.

    Real data repeat record ids, and even whole rows. The first of such rows keeps the id, the next
    get ``-2``, ``-3``; which is which follows from their content, so that any input order gives
    the same document.
    """
    ids = {row[0] for row in rows}
    if len(ids) == len(rows):
        return [(str(row[0]), row) for row in sorted(rows, key=key, reverse=True)]
    copies: dict[int, int] = {}
    result = []
    for row in sorted(rows, key=lambda row: (key(row), content_key(row)), reverse=True):
        copy = copies[row[0]] = copies.get(row[0], 0) + 1
        result.append((str(row[0]) if copy == 1 else f"{row[0]}-{copy}", row))
    return result


def content_key(row: NamedTuple) -> str:
    """Return a key that is equal only for rows that look the same.

    Spelt out rather than compared: times with and without a zone do not compare, and 0.0 equals -0.0.
    """
    return repr(row)
