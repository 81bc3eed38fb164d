"""One clear sentence for each fault of a scenario: the place, what is there, what should be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

_TOLERANCE = 1e-6
"""Of sums that must be 1: shares as people write them have few digits."""


def choices(what: str, given: str, known: Sequence[str]) -> str:
    """Return what is given.

    Raises:
        ValueError: It is unknown; says what there is.
    """
    if given in known:
        return given
    near = get_close_matches(given, known, n=1, cutoff=0.75)
    hint = f" (did you mean {near[0]}?)" if near else ""
    raise ValueError(f"there is no {what} {given!r}{hint}; there are {', '.join(known) or 'none'}")


def sum_fault(shares: Mapping[str, float]) -> str:
    """Return what is wrong with shares whose sum must be 1, or nothing."""
    total = sum(shares.values())
    if abs(total - 1) <= _TOLERANCE:
        return ""
    return f"{' + '.join(shares)} is {total:.6g}, must be 1"


def sentences(faults: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return a sentence a fault, of faults as pydantic reports them."""
    inner = [fault["loc"] for fault in faults]
    return tuple(
        _sentence(fault)
        for fault in faults
        # A list whose entries are wrong is also told to be empty: of no use to anybody.
        if fault["type"] != "too_short"
        or not any(place != fault["loc"] and place[: len(fault["loc"])] == fault["loc"] for place in inner)
    )


def _sentence(fault: Mapping[str, Any]) -> str:
    place = _place(fault["loc"])
    given, limits = fault.get("input"), fault.get("ctx", {})
    match fault["type"]:
        case "extra_forbidden":
            text = "is no field of a scenario"
        case "missing":
            text = "is missing"
        case "greater_than_equal":
            text = f"is {_shown(given)}, must be at least {_shown(limits['ge'])}"
        case "greater_than":
            text = f"is {_shown(given)}, must be above {_shown(limits['gt'])}"
        case "less_than":
            text = f"is {_shown(given)}, must be below {_shown(limits['lt'])}"
        case "less_than_equal":
            text = f"is {_shown(given)}, must be at most {_shown(limits['le'])}"
        case "literal_error":
            text = f"is {_shown(given)}, must be {limits['expected']}"
        case "string_pattern_mismatch":
            text = f"is {_shown(given)}, must be small letters, digits and _, a letter first"
        case "too_short":
            text = f"has {limits['actual_length'] or 'no'} entries, must have at least {limits['min_length']}"
        case "date_type" | "date_parsing" | "date_from_datetime_parsing" | "date_from_datetime_inexact":
            text = f"is {_shown(given)}, must be a date such as 2025-06-01"
        case "value_error":
            text = str(limits["error"])
        case _:
            text = str(fault["msg"]).removeprefix("Input ").replace("should", "must")
            text = f"is {_shown(given)}, {text}" if isinstance(given, str | int | float) else text
    # Faults between parts name their place themselves.
    return f"{place}: {text}" if place else text


def _place(location: Sequence[str | int]) -> str:
    place = ""
    for step in location:
        place += f"[{step}]" if isinstance(step, int) else f".{step}" if place else step
    return place


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.6g}"
    return repr(value) if isinstance(value, str) else str(value)
