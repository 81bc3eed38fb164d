"""Cells as JSON text. Rows are written as text at once, since most cells recur or need no escaping."""

from __future__ import annotations

import re
from datetime import date, datetime

import orjson

NULL = "null"

_CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")


def text(value: str | None, limit: int) -> str:
    """Return a string cell without control characters, cut to what the column holds; NULL becomes ''."""
    return orjson.dumps(shortened(value, limit)).decode()


def shortened(value: str | None, limit: int) -> str:
    """Return text without control characters, cut to ``limit`` characters."""
    plain = _CONTROLS.sub(" ", value).strip() if value else ""
    return plain if len(plain) <= limit else plain[: limit - 1].rstrip() + "…"


def day(value: date | None) -> str:
    """Return a DATE cell."""
    return f'"{value.isoformat()}"' if value is not None else NULL


def moment(on: date | None, at: datetime | None) -> str:
    """Return a DATETIME cell as precise as it was recorded.

    A time on another day than the date is not believed: the date is the column that the CDM requires.
    OMOP's times carry no zone; one that is given stays unread, as OpenEMR has nowhere to put it.
    """
    if at is not None:
        clock = at.isoformat(" ", "seconds")[:19]
        if on is None or clock.startswith(on.isoformat()):
            return f'"{clock}"'
    return f'"{on.isoformat()} 00:00:00"' if on is not None else NULL


def number(value: float | None) -> str:
    """Return a number as a string cell, without a needless fraction; OMOP's 0 means that nobody counted."""
    return f'"{repr(float(value)).removesuffix(".0")}"' if value else NULL
