"""One clear sentence for each fault of a scenario: the place, what is there, what should be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

_TOLERANCE = 1e-6
"""Of sums that must be 1: shares as people write them have few digits."""


_BRANCHES = ("str", "tuple[float, ...]")
_LIMITS = {
    "greater_than_equal": ("ge", "at least"),
    "greater_than": ("gt", "above"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "at most"),
}
_LONGEST = 80
"""Characters of a value that is shown."""


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
    faults = [{**fault, "loc": _without_branch(fault["loc"])} for fault in faults]
    inner = [fault["loc"] for fault in faults]
    # What fits neither a name nor a list is told twice, of one place.
    told = {fault["loc"]: fault for fault in faults}
    return tuple(
        _sentence(fault)
        for fault in told.values()
        # A list whose entries are wrong is also told to be empty, or to be no text: of no use to anybody.
        if fault["type"] not in {"too_short", "string_type"}
        or not any(place != fault["loc"] and place[: len(fault["loc"])] == fault["loc"] for place in inner)
    )


def _without_branch(location: Sequence[str | int]) -> tuple[str | int, ...]:
    """Return a place without pydantic's names of what it tried there: ``tempo.str``, ``tempo.tuple[float, ...]``."""
    return tuple(step for step in location if step not in _BRANCHES)


def _sentence(fault: Mapping[str, Any]) -> str:
    place = _place(fault["loc"])
    given, limits = fault.get("input"), fault.get("ctx", {})
    match fault["type"]:
        case "extra_forbidden":
            text = "is no field of a scenario"
        case "missing":
            text = "is missing"
        case "greater_than_equal" | "greater_than" | "less_than" | "less_than_equal":
            limit, words = _LIMITS[fault["type"]]
            text = f"is {_shown(given)}, must be {words} {_shown(limits[limit])}"
        case "literal_error":
            text = f"is {_shown(given)}, must be {limits['expected']}"
        case "string_pattern_mismatch":
            text = f"is {_shown(given)}, must be small letters, digits and _, a letter first"
        case "too_short":
            text = f"has {limits['actual_length'] or 'no'} entries, must have at least {limits['min_length']}"
        case "date_type" | "date_parsing" | "date_from_datetime_parsing" | "date_from_datetime_inexact":
            text = f"is {_shown(given)}, must be a date such as 2025-06-01"
        case "string_too_long" | "too_long":
            parts = "characters" if isinstance(given, str) else "entries"
            text = f"has {len(given or ()):,} {parts}, must have at most {limits['max_length']}"
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
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
