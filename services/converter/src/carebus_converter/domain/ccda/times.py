"""Dates and times as HL7 v3 writes them and as a clinician reads them."""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache
from typing import NamedTuple


class Stamp(NamedTuple):
    """One moment in both spellings; both empty when the source gives none."""

    hl7: str
    shown: str


NEVER = Stamp("", "")


def stamp(day: date | None, moment: datetime | None, offset: str) -> Stamp:
    """Return a moment only as precise as it was recorded.

    Midnight counts as a date without a time, because OMOP loads pad dates so. A time on another
    day than the date is not believed: the date is the column that the CDM requires.

    Args:
        day: The ``*_date`` column.
        moment: The ``*_datetime`` column.
        offset: ``+ZZZZ`` of times that carry no zone.
    """
    if day is not None and (moment is None or not (moment.hour or moment.minute or moment.second)):
        return _whole(day)
    if moment is None:
        return NEVER
    text = moment.isoformat()
    if day is not None and text[:10] != day.isoformat():
        return _whole(day)
    if not (moment.hour or moment.minute or moment.second):
        return _whole(moment.date())
    zone = offset if moment.tzinfo is None else text[-6:].replace(":", "")
    digits = text[:4] + text[5:7] + text[8:10] + text[11:13] + text[14:16] + text[17:19]
    return Stamp(digits + zone, f"{text[:10]} {text[11:16]}")


@lru_cache(maxsize=32_768)
def _whole(day: date) -> Stamp:
    text = day.isoformat()
    return Stamp(text.replace("-", ""), text)


def interval(low: str, high: str) -> str:
    """Return ``low`` and ``high`` elements; no ``high`` while it goes on.

    An end before its start cannot be stated in HL7: it becomes unknown, the narrative shows it.
    """
    start = f'<low value="{low}"/>' if low else '<low nullFlavor="UNK"/>'
    return start + bound_high(low, high) if high else start


def bound_high(low: str, high: str) -> str:
    """Return the ``high`` element that may stand beside this ``low``; unknown rather than impossible."""
    if not high or high[: len(low)] < low[: len(high)]:
        return '<high nullFlavor="UNK"/>'
    return f'<high value="{high}"/>'
