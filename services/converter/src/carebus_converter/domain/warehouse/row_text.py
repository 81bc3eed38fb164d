"""Rows as the text that a plan carries: sorted, and with a copy number where record keys repeat."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

import orjson

from carebus_contracts.errors import UnmappableRecord
from carebus_contracts.omop.catalog import TableSpec

COPY_COLUMN = "record_copy"
"""First column of every row: 0, 1, ... among rows with the same record key, by content."""

Row = tuple[Any, ...]
_NUL = b"\\u0000"


def row_lines(spec: TableSpec, rows: Sequence[Row]) -> list[bytes]:
    """Write each row as ``[copy,...]``, the same text whatever the order of ``rows``.

    NUL characters are left out of texts: Postgres has no place for them.

    Raises:
        UnmappableRecord: A number is larger than any target can hold.
    """
    key = cells(spec.row, spec.key)
    try:
        if len(set(map(key, rows))) == len(rows):
            lines = [orjson.dumps((0, *row)) for row in sorted(rows, key=key)]
        else:
            lines = _numbered_copies(rows, key)
    except TypeError:
        raise UnmappableRecord(f"{spec.name}: a number has more than 64 bits") from None
    return [_without_nul(line) if _NUL in line else line for line in lines]


def _without_nul(line: bytes) -> bytes:
    row = [cell.replace("\0", "") if isinstance(cell, str) else cell for cell in orjson.loads(line)]
    return orjson.dumps(row)


def _numbered_copies(rows: Sequence[Row], key: itemgetter[Any]) -> list[bytes]:
    keyed = sorted((key(row), orjson.dumps(tuple(row))) for row in rows)
    return [
        b"[%d,%b" % (copy, text[1:])
        for _, same_key in groupby(keyed, key=itemgetter(0))
        for copy, (_, text) in enumerate(same_key)
    ]


@lru_cache
def cells(row: type[NamedTuple], columns: tuple[str, ...]) -> itemgetter[Any]:
    """Return what takes these cells from a row: one bare, several as a tuple."""
    return itemgetter(*(row._fields.index(column) for column in columns))
