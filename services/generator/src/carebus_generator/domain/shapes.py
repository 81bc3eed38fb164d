"""Hours of the day in which casualties come, for each way of fighting.

A shape is 24 weights a day and front, with the sum 1. Rows are front × day: all days of the first front,
then those of the second.
"""

from __future__ import annotations

from typing import assert_never

import numpy as np

from carebus_generator.domain.draws import Bools, Draws, Floats, Ints
from carebus_generator.domain.reference import (
    DAY_HOURS,
    Contamination,
    Environment,
    Incidents,
    Pattern,
    Phased,
    Sporadic,
    Strikes,
    Surges,
    Sustained,
    Waves,
)

HOURS = 24
_HOUR = np.arange(HOURS)
_NIGHT = (_HOUR >= 22) | (_HOUR <= 5)


def shapes(
    pattern: Pattern, draws: Draws, stream: str, *, days: int, frequency: float, by_night: bool
) -> Floats:
    """Return the shape of each row.

    Args:
        pattern: How this type fights.
        draws: Indices are the rows.
        stream: Name of the draws; another one for each type.
        days: Days of each front.
        frequency: Factor on surges, strikes and incidents a day.
        by_night: Operations go on by night, so that nights are not quieter.
    """
    rows = len(draws)
    night = _NIGHT & (not by_night)
    match pattern:
        case Sustained():
            line = np.where(_among(pattern.peak_hours), pattern.peak, pattern.base)
            weights = np.tile(np.where(night, line * pattern.night, line), (rows, 1))
        case Surges():
            weights = _surges(pattern, draws, stream, frequency)
        case Phased():
            line = np.full(HOURS, pattern.base)
            for first, length, weight in pattern.phases:
                line[first : first + length] = weight
            weights = np.tile(line, (rows, 1))
        case Sporadic():
            liking = np.where(_among(pattern.dawn + pattern.dusk), pattern.twilight, 1.0)
            liking = np.where(night, liking * pattern.night, liking)
            weights = _some_hours(draws, stream, liking, _number(pattern.a_day, draws, stream, frequency))
        case Strikes():
            weights = _strikes(pattern, draws, stream, frequency)
        case Waves():
            weights = np.tile(np.where(_among(pattern.hours), pattern.inside, pattern.outside), (rows, 1))
        case Contamination():
            weights = _contamination(pattern, draws, stream, days)
        case Incidents():
            weights = _incidents(pattern, draws, stream, frequency)
        case _:
            assert_never(pattern)
    return normal(weights)


def day_shape() -> Floats:
    """Return when people report, where no pattern rules."""
    hours: Floats = np.asarray(DAY_HOURS) / sum(DAY_HOURS)
    return hours


def holds(condition: Environment) -> Bools:
    """Return in which hours of the day a condition holds."""
    if condition.hours is None:
        return np.ones(HOURS, dtype=np.bool_)
    first, last = condition.hours
    after, before = first <= _HOUR, last >= _HOUR
    inside: Bools = after & before if first <= last else after | before
    return inside


def normal(weights: Floats) -> Floats:
    """Return the rows with the sum 1."""
    scaled: Floats = weights / weights.sum(axis=1, keepdims=True)
    return scaled


def _among(hours: tuple[int, ...]) -> Bools:
    among: Bools = np.isin(_HOUR, hours)
    return among


def _number(a_day: tuple[int, int], draws: Draws, stream: str, frequency: float) -> Ints:
    drawn = draws.integers(f"{stream}.a_day", a_day[0], a_day[1])
    number: Ints = np.clip(np.rint(drawn * frequency), 1, HOURS).astype(np.int64)
    return number


def _some_hours(draws: Draws, stream: str, liking: Floats, number: Ints) -> Floats:
    """Return 1 in so many hours of each row, drawn without replacement by liking (Efraimidis, 2006)."""
    keys = np.stack([draws.uniform(f"{stream}.hour", hour) for hour in range(HOURS)], axis=1)
    with np.errstate(divide="ignore"):
        keys = np.where(liking > 0, np.log(keys) / np.where(liking > 0, liking, 1.0), -np.inf)
    # Rounded, as the last digits of a logarithm differ between machines.
    order = np.argsort(-np.round(keys, 9), axis=1, kind="stable")
    place = np.argsort(order, axis=1, kind="stable")
    wanted = np.minimum(number, int((liking > 0).sum()))
    return (place < wanted[:, None]).astype(np.float64)


def _surges(pattern: Surges, draws: Draws, stream: str, frequency: float) -> Floats:
    number = _number(pattern.a_day, draws, stream, frequency)
    starts = _some_hours(draws, stream, _among(pattern.preferred).astype(np.float64), number)
    inside = _spread(starts, pattern.hours) > 0
    count = inside.sum(axis=1, keepdims=True)
    weights: Floats = np.where(inside, pattern.share / count, (1 - pattern.share) / (HOURS - count))
    return weights


def _strikes(pattern: Strikes, draws: Draws, stream: str, frequency: float) -> Floats:
    liking = ((pattern.window[0] <= _HOUR) & (pattern.window[1] >= _HOUR)).astype(np.float64)
    struck = _some_hours(draws, stream, liking, _number(pattern.a_day, draws, stream, frequency))
    loiters = draws.chance(f"{stream}.loiter", pattern.loiter)
    after = np.roll(struck, 1, axis=1) * liking
    return np.maximum(struck, 0.5 * after * loiters[:, None])


def _contamination(pattern: Contamination, draws: Draws, stream: str, days: int) -> Floats:
    """Return the shapes of releases, one a day; the ill of yesterday's release come today."""
    rows = len(draws)
    release = draws.integers(f"{stream}.release", 0, HOURS - 1)
    fronts = rows // days
    line = np.zeros((fronts, (days + 1) * HOURS + max(pattern.delays)))
    front, day = np.divmod(np.arange(rows), days)
    at = day * HOURS + release
    for hour in range(pattern.exposure):
        np.add.at(line, (front, at + hour), (1 - pattern.delayed) / pattern.exposure)
    for delay in pattern.delays:
        np.add.at(line, (front, at + delay), pattern.delayed / len(pattern.delays))
    by_hour: Floats = line[:, : days * HOURS].reshape(rows, HOURS)
    return by_hour


def _incidents(pattern: Incidents, draws: Draws, stream: str, frequency: float) -> Floats:
    chance = np.where(_among(pattern.crowd_hours), pattern.crowd, 1.0) * pattern.chance * frequency
    chance = np.where(_among(pattern.hours), np.minimum(chance, 0.95), 0.0)
    happens = np.stack([draws.chance(f"{stream}.happens", chance[h], h) for h in range(HOURS)], axis=1)
    one = _some_hours(draws, stream, chance, np.ones(len(draws), dtype=np.int64))
    some = happens.sum(axis=1, keepdims=True) > 0
    return np.where(some, happens, one).astype(np.float64)


def _spread(starts: Floats, hours: int) -> Floats:
    """Return the hours from each start on; what goes beyond the day is left out."""
    spread = starts.copy()
    for later in range(1, hours):
        spread[:, later:] = np.maximum(spread[:, later:], starts[:, :-later])
    return spread
