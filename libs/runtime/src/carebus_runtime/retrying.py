"""Delays between tries."""

from __future__ import annotations

from collections.abc import Iterator


def growing_delays(first_s: float, longest_s: float) -> Iterator[float]:
    """Yield delays that double up to the longest, for ever."""
    delay = first_s
    while True:
        yield delay
        delay = min(delay * 2, longest_s)
