"""Rules about totals: as many patients a day, front and kind as the scenario says, in hours that its types have.

The wanted numbers are worked out here anew, in exact fractions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

from carebus_generator.domain.checks.results import Rule
from carebus_generator.domain.cohort import NONE, Kind, Patients
from carebus_generator.domain.draws import Bools, Ints
from carebus_generator.domain.reference import (
    TEMPOS,
    WARFARE,
    Contamination,
    Incidents,
    Pattern,
    Phased,
    Sporadic,
    Strikes,
    Surges,
    Sustained,
    Waves,
)
from carebus_generator.domain.scenario import Scenario

HOURS = 24


class Totals:
    """Counts of patients by day, hour, front, kind and cause."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.patients = 0
        self.days = np.zeros(scenario.days, dtype=np.int64)
        self.fronts = np.zeros(len(scenario.fronts), dtype=np.int64)
        self.kinds = np.zeros(len(Kind), dtype=np.int64)
        self.outside = 0
        """Patients of no day or front of the scenario."""
        self.special = np.zeros(len(scenario.special_events), dtype=np.int64)
        self.hours = np.zeros((len(WARFARE), HOURS), dtype=np.int64)
        """Battle casualties of warfare types by hour of the day."""

    def see(self, patients: Patients) -> None:
        """Count some patients."""
        self.count(
            day=patients.injured_s // 86_400,
            hour=patients.injured_s // 3600 % HOURS,
            front=patients.front,
            kind=patients.kind,
            warfare=patients.warfare,
            special=patients.special,
            of_each=np.ones(len(patients.index), dtype=np.int64),
        )

    def count(
        self, *, day: Ints, hour: Ints, front: Ints, kind: Ints, warfare: Ints, special: Ints, of_each: Ints
    ) -> None:
        """Count groups of patients.

        Args:
            day: From 0.
            hour: Of the day.
            front: Row of the scenario's.
            kind: Of patients.
            warfare: Row of the reference data, or NONE.
            special: Row of the scenario's special events, or NONE.
            of_each: Patients of the group.
        """
        self.patients += int(of_each.sum())
        sane: Bools = (day >= 0) & (day < len(self.days)) & (front >= 0) & (front < len(self.fronts))
        self.outside += int(of_each[~sane].sum())
        np.add.at(self.days, day[sane], of_each[sane])
        np.add.at(self.fronts, front[sane], of_each[sane])
        np.add.at(self.kinds, kind, of_each)
        special_ = special != NONE
        np.add.at(self.special, special[special_], of_each[special_])
        fighting = (kind == Kind.BATTLE) & ~special_
        np.add.at(self.hours, (warfare[fighting], hour[fighting]), of_each[fighting])

    def rules(self) -> Iterator[Rule]:
        """Yield what holds of the totals; these are about all patients of the scenario."""
        given = self.scenario
        yield self._rule("total", "there are as many patients as asked for", self.patients != given.total)
        yield self._rule("observed days", "nobody is hurt outside of days and fronts", self.outside > 0)
        for name, counts, weights in (
            ("days", self.days, _days(given)),
            ("fronts", self.fronts, [Fraction(str(front.share)) for front in given.fronts]),
            ("kinds", self.kinds, [Fraction(str(getattr(given.mix, k.name.lower()))) for k in Kind]),
        ):
            yield self._rule(
                f"patients by {name}",
                f"patients by {name} are the scenario's shares, rounded by largest remainder",
                not largest_remainder(counts.tolist(), weights, given.total),
            )
        sizes = [event.size for event in given.special_events]
        wrong = [size is not None and size != n for size, n in zip(sizes, self.special.tolist(), strict=True)]
        yield self._rule("special sizes", "special events have as many patients as asked for", any(wrong))
        silent = 0
        for row, warfare in enumerate(WARFARE):
            hours = sorted(set(range(HOURS)) - set(possible_hours(warfare.pattern)))
            silent += int(self.hours[row][hours].sum())
        yield Rule(
            "hours of types",
            "no battle casualty comes in an hour in which its type of warfare never strikes",
            int(self.hours.sum()),
            silent,
        )

    def _rule(self, name: str, says: str, broken: object) -> Rule:
        return Rule(name, says, self.patients, int(bool(broken)))


def largest_remainder(counts: Sequence[int], weights: Sequence[Fraction], total: int) -> bool:
    """Return whether counts are a rounding of the shares by largest remainder; ties may fall either way."""
    whole = sum(weights)
    exact = [total * weight / whole for weight in weights]
    if sum(counts) != total:
        return False
    up = [e - int(e) for n, e in zip(counts, exact, strict=True) if n == int(e) + 1]
    down = [e - int(e) for n, e in zip(counts, exact, strict=True) if n == int(e)]
    # Binary fractions of a tempo's line make ties uneven in the last digits.
    near = Fraction(1, 10**6)
    return len(up) + len(down) == len(counts) and (not up or not down or min(up) >= max(down) - near)


def possible_hours(pattern: Pattern) -> list[int]:
    """Return the hours of the day in which a way of fighting can make casualties."""
    match pattern:
        case Strikes():
            return list(range(pattern.window[0], pattern.window[1] + 1))
        case Incidents():
            return list(pattern.hours)
        case _:
            return list(range(HOURS))


def busy_hours(pattern: Pattern, frequency: float) -> tuple[list[int], float, float] | None:
    """Return the hours that a type is known by, and bounds of the share of battle casualties in them.

    The bounds come from the declared shape by hand; there is nothing to say of contamination, whose
    releases come at any hour.

    Args:
        pattern: Of the type.
        frequency: Of the intensity.
    """
    match pattern:
        case Sustained():
            busy = list(pattern.peak_hours)
            by_day = len(busy) * pattern.peak
            quiet = [h for h in range(HOURS) if h not in busy]
            night = [h for h in quiet if h >= 22 or h <= 5]
            rest = len(quiet) * pattern.base
            less = rest - len(night) * pattern.base * (1 - pattern.night)
            return busy, by_day / (by_day + rest), by_day / (by_day + less)
        case Surges():
            after = {h + more for h in pattern.preferred for more in range(pattern.hours)}
            return sorted(h for h in after if h < HOURS), pattern.share, 1.0
        case Phased():
            busy = [h for first, length, _ in pattern.phases for h in range(first, first + length)]
            inside = sum(length * weight for _, length, weight in pattern.phases)
            share = inside / (inside + (HOURS - len(busy)) * pattern.base)
            return busy, share, share
        case Waves():
            inside = len(pattern.hours) * pattern.inside
            share = inside / (inside + (HOURS - len(pattern.hours)) * pattern.outside)
            return list(pattern.hours), share, share
        case Sporadic():
            busy = [*pattern.dawn, *pattern.dusk]
            # Drawn without replacement: from no preference at all to the full one.
            liked = len(busy) * pattern.twilight
            return busy, len(busy) / HOURS, liked / (liked + (HOURS - len(busy)) * pattern.night)
        case Strikes():
            return possible_hours(pattern), 1.0, 1.0
        case Incidents():
            crowd = len(pattern.crowd_hours) * min(pattern.chance * pattern.crowd * frequency, 0.95)
            rest_of = (len(pattern.hours) - len(pattern.crowd_hours)) * pattern.chance * frequency
            share = crowd / (crowd + rest_of)
            return list(pattern.crowd_hours), len(pattern.crowd_hours) / len(pattern.hours), share
        case Contamination():
            return None


def _days(given: Scenario) -> list[Fraction]:
    if not isinstance(given.tempo, str):
        return [Fraction(str(weight)) for weight in given.tempo]
    row = next(tempo for tempo in TEMPOS if tempo.name == given.tempo)
    line = [Fraction(str(weight)) for weight in row.weights]
    if row.repeats:
        return [line[day % len(line)] for day in range(given.days)]
    if given.days == 1:
        return [line[0]]
    found = []
    for day in range(given.days):
        place = Fraction(day * (len(line) - 1), given.days - 1)
        before = min(int(place), len(line) - 2)
        found.append(line[before] + (place - before) * (line[before + 1] - line[before]))
    return found
