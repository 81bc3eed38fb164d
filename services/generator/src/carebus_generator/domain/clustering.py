"""Over which hours patients spread, and in events of how many: clusters by type, small groups for the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from carebus_generator.domain.apportioning import systematic
from carebus_generator.domain.cohort import NONE
from carebus_generator.domain.draws import Draws, Floats, Ints
from carebus_generator.domain.margins import Cause, Shares, conditions
from carebus_generator.domain.reference import INTENSITIES, KINDS, SMALL_GROUP, WARFARE, Intensity, names
from carebus_generator.domain.scenario import Scenario
from carebus_generator.domain.shapes import HOURS, day_shape, holds, normal, shapes

_AT_ONCE = 4096
"""Rows are spread in lots, to bound memory."""


@dataclass(frozen=True, slots=True)
class Cells:
    """One row an hour, with one size of events."""

    day: Ints
    hour: Ints
    front: Ints
    cause: Ints
    kind: Ints
    sort: Ints
    """0 for small groups, from 1 on the clusters of cause and kind."""
    patients: Ints
    groups: Ints
    """Events."""
    low: Ints
    """Smallest size of an event."""
    high: Ints
    """Largest size of an event."""

    def columns(self) -> tuple[Ints, ...]:
        """Return all columns, in order."""
        return tuple(getattr(self, name) for name in self.__slots__)


@dataclass(frozen=True, slots=True)
class _Bounds:
    """Of one sort of clusters, one entry a row; all is 0 where the row has no such clusters."""

    low: Ints
    high: Ints
    share: Floats
    """Of the row's patients."""
    middle: Floats
    """Mean size."""


def spread(scenario: Scenario, causes: tuple[Cause, ...], shares: Shares, seed: int) -> Iterator[Cells]:
    """Spread shares over hours and sizes of events, in no order."""
    intensity = INTENSITIES[names(INTENSITIES).index(scenario.intensity)]
    hours = [hours_of(scenario, cause, intensity, seed) for cause in causes]
    sorts = max(len(cause.clusters_of(kind)) for cause in causes for kind in range(len(KINDS)))
    for first in range(0, len(shares), _AT_ONCE):
        lot = shares.part(first, first + _AT_ONCE)
        draws = Draws(seed, np.arange(first, first + len(lot)))
        weights = np.empty((len(lot), HOURS))
        for number, by_kind in enumerate(hours):
            mine = lot.cause == number
            weights[mine] = by_kind[lot.kind[mine], lot.front[mine], lot.day[mine]]
        left = lot.patients
        for number in range(sorts):
            bounds, stream = _bounds(causes, lot, number, intensity), f"timeline.cluster{number}"
            groups, taken = _clusters(bounds, lot.patients, left, draws, stream)
            left = left - taken
            hourly = systematic(groups, weights, draws.uniform(f"{stream}.hour"))
            patients = systematic(taken, hourly, draws.uniform(f"{stream}.split"))
            yield _cells(lot, number + 1, patients, hourly, (bounds.low, bounds.high))
        patients = systematic(left, weights, draws.uniform("timeline.hour"))
        low, high = (np.full(len(lot), bound) for bound in SMALL_GROUP)
        yield _cells(lot, 0, patients, _small_groups(patients, draws), (low, high))


def hours_of(scenario: Scenario, cause: Cause, intensity: Intensity, seed: int) -> Floats:
    """Return the hours in which a cause makes casualties: weights of kind × front × day × hour."""
    days, fronts = scenario.days, len(scenario.fronts)
    if cause.special != NONE:
        event = scenario.special_events[cause.special]
        line = np.zeros(HOURS)
        line[event.start_hour : event.start_hour + event.duration_h] = 1.0
        return np.broadcast_to(line, (len(KINDS), fronts, days, HOURS))
    warfare = WARFARE[cause.warfare]
    draws, stream = Draws(seed, np.arange(fronts * days)), f"timeline.shape.{warfare.name}"
    shape = np.empty((len(KINDS), fronts, days, HOURS))
    for front in range(fronts):
        around = conditions(scenario, front)
        by_night = any(condition.name == "night_operations" for condition in around)
        lines = shapes(
            warfare.pattern, draws, stream, days=days, frequency=intensity.frequency, by_night=by_night
        )
        own = lines.reshape(fronts, days, HOURS)[front]
        factor = np.ones(HOURS)
        for condition in around:
            factor = np.where(holds(condition), factor * condition.casualty, factor)
        for kind, follows in enumerate(warfare.follows):
            mixed = follows * own + (1 - follows) * day_shape()
            shape[kind, front] = mixed if KINDS[kind] == "disease" else normal(mixed * factor)
    return shape


def _bounds(causes: Sequence[Cause], shares: Shares, number: int, intensity: Intensity) -> _Bounds:
    table = np.zeros((len(causes), len(KINDS), 4))
    small = sum(SMALL_GROUP) / 2
    # Intensity moves the middle from near the least size to near the most.
    place = min(max(0.5 * intensity.size, 0.1), 0.9)
    for row, cause in enumerate(causes):
        for kind in range(len(KINDS)):
            sorts = cause.clusters_of(kind)
            if number >= len(sorts):
                continue
            # Chances below 1 stay so at any intensity: somebody is always hurt alone.
            chances = [min(sort.chance * intensity.mass, 0.95) if sort.chance < 1 else 1.0 for sort in sorts]
            chances = [chance / max(1.0, sum(chances)) for chance in chances]
            middles = [sort.low + (sort.high - sort.low) * place for sort in sorts]
            held = [chance * middle for chance, middle in zip(chances, middles, strict=True)]
            share = held[number] / (sum(held) + (1 - sum(chances)) * small)
            table[row, kind] = (sorts[number].low, sorts[number].high, share, middles[number])
    low, high, share_, middle = np.moveaxis(table[shares.cause, shares.kind], -1, 0)
    special = np.asarray([cause.special != NONE for cause in causes])[shares.cause]
    # A special event of few patients is still one event.
    low = np.where(special, np.minimum(low, shares.patients), low)
    return _Bounds(low=low.astype(np.int64), high=high.astype(np.int64), share=share_, middle=middle)


def _clusters(bounds: _Bounds, patients: Ints, left: Ints, draws: Draws, stream: str) -> tuple[Ints, Ints]:
    """Return how many clusters a row has, and how many patients they hold."""
    there = bounds.high > 0
    wanted = patients * bounds.share / np.where(there, bounds.middle, 1.0)
    groups = np.floor(wanted + draws.uniform(f"{stream}.number")).astype(np.int64)
    groups = np.where(there, groups, 0)
    # Where all come in clusters there are as many as hold them.
    all_in = there & (bounds.share > 1 - 1e-9)
    groups = np.where(all_in, np.maximum(groups, -(-left // np.maximum(bounds.high, 1))), groups)
    groups = np.minimum(groups, left // np.maximum(bounds.low, 1))
    # The mean size of many clusters is nearer to the middle than that of one.
    off = (draws.uniform(f"{stream}.size") - 0.5) / np.sqrt(np.maximum(groups, 1))
    room = np.minimum(bounds.middle - bounds.low, bounds.high - bounds.middle)
    taken = np.where(all_in, left, np.rint(groups * (bounds.middle + 2 * off * room)).astype(np.int64))
    return groups, np.clip(taken, groups * bounds.low, np.minimum(left, groups * bounds.high))


def _small_groups(patients: Ints, draws: Draws) -> Ints:
    """Return into how many groups of one to three the patients of each hour come."""
    least, most = SMALL_GROUP
    uniform = np.stack([draws.uniform("timeline.small", hour) for hour in range(HOURS)], axis=1)
    few = 1 + np.floor(uniform * patients)
    many = np.floor(patients * 2 / (least + most) + uniform)
    groups = np.where(patients <= most, few, many).astype(np.int64)
    return np.where(patients > 0, np.clip(groups, -(-patients // most), patients), 0)


def _cells(shares: Shares, sort: int, patients: Ints, groups: Ints, bounds: tuple[Ints, Ints]) -> Cells:
    row, hour = (place.astype(np.int64) for place in np.nonzero(patients))
    return Cells(
        day=shares.day[row],
        hour=hour,
        front=shares.front[row],
        cause=shares.cause[row],
        kind=shares.kind[row],
        sort=np.full(len(row), sort),
        patients=patients[row, hour],
        groups=groups[row, hour],
        low=bounds[0][row],
        high=bounds[1][row],
    )
