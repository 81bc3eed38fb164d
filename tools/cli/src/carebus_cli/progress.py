"""How far a job is: bars, rates and the time that is left, from its states."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

WINDOW_S = 20.0
"""Rates are means over this time: long enough for a target that writes in large batches."""
FINAL = ("completed", "failed", "cancelled", "rejected")


@dataclass(frozen=True, slots=True)
class Bar:
    """One stage or target."""

    name: str
    done: int
    total: int
    """An estimate until all is extracted: persons are known from the plan, reference rows are not."""


def bars_of(state: Mapping[str, Any]) -> list[Bar]:
    """Return a bar for the extraction and one for each target."""
    extracted, persons = state["extracted"], state["persons"]
    all_read = state["slices"] and state["slices_extracted"] >= state["slices"]
    total = extracted if all_read else max(extracted, persons)
    bars = [Bar("extract", extracted, total)]
    for target, told in state["targets"].items():
        bars.append(Bar(target, sum(told["outcomes"].values()), total))
    return bars


def waiting_of(state: Mapping[str, Any]) -> list[str]:
    """Return a line for each stage that waits."""
    return [f"{stage} waits for {system}" for stage, system in state["waiting"].items()]


def exit_status(state: Mapping[str, Any]) -> int:
    """0 when the job completed, 1 when it ended otherwise."""
    return 0 if state["status"] == "completed" else 1


@dataclass(slots=True)
class Rates:
    """Messages a second of each bar, as a mean over the last seconds."""

    _seen: deque[tuple[float, dict[str, int]]] = field(default_factory=deque)

    def note(self, at_s: float, bars: list[Bar]) -> None:
        """Remember how far the bars are."""
        self._seen.append((at_s, {bar.name: bar.done for bar in bars}))
        while len(self._seen) > 2 and at_s - self._seen[0][0] > WINDOW_S:
            self._seen.popleft()

    def per_s(self, bar: Bar) -> float:
        """Return the rate of a bar; 0 when it is not known or stands still."""
        if not self._seen:
            return 0.0
        (began, first), (ended, last) = self._seen[0], self._seen[-1]
        moved = last.get(bar.name, 0) - first.get(bar.name, 0)
        return max(0.0, moved / (ended - began)) if ended > began else 0.0

    def left_s(self, bar: Bar) -> float | None:
        """Return the seconds that a bar still takes; None when that is not known."""
        rate = self.per_s(bar)
        return (bar.total - bar.done) / rate if rate else None


def plain_line(state: Mapping[str, Any], seconds: float, rates: Rates) -> str:
    """Return one line on how far a job is."""
    bars = bars_of(state)
    parts = [f"{bar.name} {bar.done}/{bar.total}" for bar in bars]
    slowest = max(bars, key=lambda bar: (rates.left_s(bar) or 0, bar.total - bar.done))
    left = rates.left_s(slowest)
    more = f"; {rates.per_s(slowest):.0f}/s, {duration(left)} left" if left and slowest.done else ""
    waits = "".join(f"; {line}" for line in waiting_of(state))
    return f"{duration(seconds):>7}  {state['status']:9} {', '.join(parts)}{more}{waits}"


def duration(seconds: float) -> str:
    """Return ``1 h 02 m``, ``3 m 05 s`` or ``7 s``."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02} m"
    return f"{whole // 60} m {whole % 60:02} s" if whole >= 60 else f"{whole} s"
