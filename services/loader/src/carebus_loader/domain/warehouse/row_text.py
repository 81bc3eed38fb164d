"""Rows of plans as the text that a server reads, spliced and not parsed.

A plan has a row a line, and JSON text has no bare newline, so ``],\\n[`` is always a border of rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import orjson

from carebus_contracts.errors import ConstraintViolated, InvalidMessage
from carebus_contracts.plans import PlannedTable
from carebus_loader.domain.warehouse.tables import WarehouseTable

_BORDER = b"],\n["
_DIGITS = bytes(ord("0") if 0x30 <= byte <= 0x39 else byte for byte in range(256))
_LONG_NUMBER = b"0" * 19
_FAR_DATE = re.compile(rb'"(?:0\d|1[0-8]|2[3-9]|[3-9]\d)\d\d-\d\d-\d\d[T"]')
_BIGGEST = 2**63 - 1


def json_rows(write: PlannedTable, tail: bytes) -> bytes:
    """Return ``[...,tail],\\n[...,tail]``; nothing where there are no rows.

    Args:
        write: The rows.
        tail: JSON text of the cells to add to each row, with its comma before: ``,"source"``.

    Raises:
        ConstraintViolated: The rows are not as many, or not as wide, as the plan says.
    """
    if not write.count:
        return b""
    return _body(write)[:-1].replace(_BORDER, tail + _BORDER) + tail + b"]"


def csv_rows(write: PlannedTable, tail: bytes) -> bytes:
    r"""Return each row as a line of CSV with quote ``"``, escape ``\`` and a bare ``null`` for nothing.

    Without its brackets a row of JSON is such CSV already, as long as its strings hold no escapes
    but those of quote and backslash.
    """
    if not write.count:
        return b""
    body = _body(write)
    if b"\\" in body and b"\\" in body.replace(rb"\\", b"").replace(rb"\"", b""):
        rows = [b",".join(map(csv_cell, row)) for row in _records(write)]
        return (tail + b"\n").join(rows) + tail + b"\n"
    return body[1:-1].replace(_BORDER, tail + b"\n") + tail + b"\n"


def has_long_numbers(write: PlannedTable, table: WarehouseTable) -> bool:
    """Whether a whole number needs more than 64 bits, which some servers wrap in silence."""
    # Long digits are rare, even in strings: only then is it worth to look at cells.
    if _LONG_NUMBER not in bytes(memoryview(write.rows)).translate(_DIGITS):
        return False
    whole = [place for place, column in enumerate(write.columns) if table.kinds[column] == "whole"]
    return any(
        row[place] is not None and not -_BIGGEST - 1 <= row[place] <= _BIGGEST
        for row in _records(write)
        for place in whole
    )


def has_far_dates(write: PlannedTable) -> bool:
    """Whether a date lies outside 1900 to 2299, which servers with narrow dates would cut in silence."""
    return bool(write.count) and _FAR_DATE.search(bytes(memoryview(write.rows))) is not None


def lines_of(write: PlannedTable) -> Iterator[tuple[list[Any], bytes]]:
    """Yield each row as cells and as the text that the plan has for it.

    Raises:
        ConstraintViolated: The rows are not as many, or not as wide, as the plan says.
    """
    return zip(_records(write), write.lines(), strict=True)


def _body(write: PlannedTable) -> bytes:
    text = bytes(memoryview(write.rows))
    if text[:2] == b"[\n" and text[-2:] == b"\n]" and text.count(_BORDER) == write.count - 1:
        return text[2:-2]
    return b",\n".join(orjson.dumps(row) for row in _records(write))


def _records(write: PlannedTable) -> list[list[Any]]:
    try:
        return write.records()
    except InvalidMessage as error:
        raise ConstraintViolated(str(error)) from None


def csv_cell(cell: Any) -> bytes:
    """Return one cell in the CSV of ``csv_rows``."""
    if cell is None:
        return b"null"
    if isinstance(cell, str):
        return b'"%b"' % cell.encode().replace(b"\\", rb"\\").replace(b'"', rb"\"")
    return repr(cell).encode()
