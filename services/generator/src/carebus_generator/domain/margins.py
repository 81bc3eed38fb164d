"""How many patients each day, front, cause and kind has: exact in all totals, drawn without bias inside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from carebus_generator.domain.apportioning import apportion, fill
from carebus_generator.domain.cohort import NONE
from carebus_generator.domain.draws import Draws, Floats, Ints
from carebus_generator.domain.fitting import fitted, rounded
from carebus_generator.domain.reference import (
    ENVIRONMENTS,
    KINDS,
    SPECIAL_KINDS,
    WARFARE,
    Cluster,
    Environment,
)
from carebus_generator.domain.scenario import Scenario
from carebus_generator.domain.shapes import holds


@dataclass(frozen=True, slots=True)
class Cause:
    """What makes casualties: a warfare type, or one special event."""

    warfare: int
    """Row of the reference data, or NONE."""
    special: int
    """Row of the scenario's special events, or NONE."""
    clusters: tuple[Cluster, ...]

    def clusters_of(self, kind: int) -> tuple[Cluster, ...]:
        """Return the clusters in which this kind of patient comes."""
        return tuple(cluster for cluster in self.clusters if cluster.kind == KINDS[kind])


@dataclass(frozen=True, slots=True)
class Shares:
    """One row a day, front, cause and kind that has patients."""

    day: Ints
    front: Ints
    cause: Ints
    kind: Ints
    patients: Ints

    def __len__(self) -> int:
        return len(self.day)

    def part(self, first: int, after: int) -> Shares:
        """Return some of the rows."""
        return Shares(
            *(column[first:after] for column in (self.day, self.front, self.cause, self.kind, self.patients))
        )


def conditions(scenario: Scenario, front: int) -> tuple[Environment, ...]:
    """Return the environment of a front."""
    own = scenario.fronts[front].environment
    given = scenario.environment if own is None else own
    return tuple(row for row in ENVIRONMENTS if row.name in given)


def causes_of(scenario: Scenario) -> tuple[Cause, ...]:
    """Return the warfare types of a scenario in the order of the reference data, then its special events."""
    fighting = [
        Cause(warfare=row, special=NONE, clusters=warfare.clusters)
        for row, warfare in enumerate(WARFARE)
        if warfare.name in scenario.warfare
    ]
    special = []
    for row, event in enumerate(scenario.special_events):
        kind = SPECIAL_KINDS[event.row]
        cluster = Cluster(
            name=kind.name, kind=event.patients, chance=kind.chance, low=kind.low, high=kind.high
        )
        special.append(Cause(warfare=NONE, special=row, clusters=(cluster,)))
    return tuple(fighting + special)


def shares_of(scenario: Scenario, causes: tuple[Cause, ...], seed: int) -> Shares:
    """Share the patients out to days, fronts, causes and kinds."""
    by_day, by_front, by_kind = scenario.by_day(), scenario.by_front(), scenario.by_kind()
    fighting = len(causes) - len(scenario.special_events)
    cause_kind = np.zeros((len(causes), len(KINDS)), dtype=np.int64)
    for row, (event, size) in enumerate(zip(scenario.special_events, scenario.special_sizes(), strict=True)):
        cause_kind[fighting + row, KINDS.index(event.patients)] = size
    rest_of_kinds = by_kind - cause_kind.sum(axis=0)
    types = [WARFARE[cause.warfare] for cause in causes[:fighting]]
    rows = apportion(int(rest_of_kinds.sum()), [scenario.warfare[one.name] for one in types])
    pattern = np.asarray([one.mix for one in types]) * rest_of_kinds * rows[:, None]
    cause_kind[:fighting] = rounded(fitted(pattern, rows, rest_of_kinds), _uniforms(seed, "timeline.kinds"))

    # Days × (cause, kind): special events lie on their days, fighting fills what is left.
    table = np.zeros((scenario.days, len(causes), len(KINDS)), dtype=np.int64)
    for row, event in enumerate(scenario.special_events):
        table[event.day - 1, fighting + row] = cause_kind[fighting + row]
    left = by_day - table.sum(axis=(1, 2))
    filled = fill(left, cause_kind[:fighting].ravel(), _offsets(seed, "timeline.days", scenario.days))
    table[:, :fighting] = filled.reshape(scenario.days, fighting, len(KINDS))

    # Fronts × kinds, then a front's share of each day and cause.
    local = np.zeros((len(scenario.fronts), *table.shape), dtype=np.int64)
    for row, event in enumerate(scenario.special_events):
        hit = scenario.front_of(event)
        if hit is not None:
            local[hit, :, fighting + row] = table[:, fighting + row]
    taken = local.sum(axis=(1, 2))
    rest = table - local.sum(axis=0)
    rows, columns = by_front - taken.sum(axis=1), rest.sum(axis=(0, 1))
    pattern = _susceptible(scenario) * columns * rows[:, None]
    front_kind = rounded(fitted(pattern, rows, columns), _uniforms(seed, "timeline.fronts"))
    for kind, name in enumerate(KINDS):
        offsets = _offsets(seed, f"timeline.places.{name}", len(rows))
        local[..., kind] += fill(front_kind[:, kind], rest[..., kind].ravel(), offsets).reshape(
            local.shape[:3]
        )

    places = np.nonzero(local)
    fronts, days, found, kinds = (place.astype(np.int64) for place in places)
    return Shares(day=days, front=fronts, cause=found, kind=kinds, patients=local[places])


def _susceptible(scenario: Scenario) -> Floats:
    """Return the fronts' factors by kind, from their environments."""
    factors = np.ones((len(scenario.fronts), len(KINDS)))
    for front in range(len(scenario.fronts)):
        for condition in conditions(scenario, front):
            # A condition of some hours counts by these hours.
            part = holds(condition).mean()
            injured = 1 + (condition.casualty - 1) * part
            factors[front] *= (injured, injured, condition.disease)
    return factors


def _offsets(seed: int, stream: str, rows: int) -> Floats:
    return Draws(seed, np.arange(rows)).uniform(stream)


def _uniforms(seed: int, stream: str) -> Iterator[float]:
    number = 0
    while True:
        yield from (float(value) for value in Draws(seed, np.arange(number, number + 64)).uniform(stream))
        number += 64
