"""Which conditions a mechanism does to a body region, how badly, and to whom: ``data/conditions.csv``.

Weights are relative among the conditions that fit one and the same case, and are ours: no register that
we could read gives frequencies so fine. How often a region is hit or an injury is severe is not decided
here, but by reference data with sources.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from itertools import product

import numpy as np

from carebus_generator.domain.catalogue import CATALOGUE, Catalogue, data_text
from carebus_generator.domain.cohort import NONE, Kind, Mechanism, Region
from carebus_generator.domain.draws import Bools, Floats, Ints

_SHAPE = (len(Kind), len(Mechanism), len(Region), 6, 2)
"""Cases: kind, mechanism, region, AIS 1 to 6, sex (0 male, 1 female)."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What a condition fits."""

    key: str
    row: int
    """Of the catalogue."""
    group: str
    """Conditions of one group are mistaken for each other, and treated alike."""
    kinds: tuple[Kind, ...]
    mechanisms: tuple[Mechanism, ...]
    regions: tuple[Region, ...]
    ais_low: int
    ais_high: int
    male: float
    """Weight among men; 0 where only women have it."""
    female: float

    def cases(self, *, about: int = 0) -> Bools:
        """Return mechanisms × regions × severities × sexes: what it fits, give or take some AIS."""
        fits = np.zeros(_SHAPE[1:], dtype=np.bool_)
        severities = slice(max(self.ais_low - 1 - about, 0), self.ais_high + about)
        for mechanism, region in product(self.mechanisms, self.regions):
            fits[mechanism, region, severities] = (self.male > 0, self.female > 0)
        return fits


class Conditions:
    """All conditions that patients come with, ready for drawing."""

    def __init__(self, conditions: tuple[Condition, ...], catalogue: Catalogue) -> None:
        self.all = conditions
        self.groups = tuple(dict.fromkeys(each.group for each in conditions))
        self.group: Ints = np.full(len(catalogue), NONE, dtype=np.int64)
        """Row of the catalogue → position in ``groups``."""
        for each in conditions:
            self.group[each.row] = self.groups.index(each.group)
        self.names_region: Bools = np.zeros(len(catalogue), dtype=np.bool_)
        """Row of the catalogue → whether it fits one body region only, so that the code says which."""
        self.names_region[[each.row for each in conditions if len(each.regions) == 1]] = True
        self.rows: Ints = np.array([each.row for each in conditions], dtype=np.int64)
        self._weights = _weights(conditions)
        self._shares = _shares(self._weights)

    def fits(self, kind: Kind, mechanism: Mechanism, region: Region) -> bool:
        """Whether there is a condition for such a case."""
        return bool(self._weights[kind, mechanism, region].any())

    def pick(
        self, uniform: Floats, *, kind: Ints, mechanism: Ints, region: Ints, ais: Ints, female: Bools
    ) -> Ints:
        """Return the row of the catalogue for each case.

        Where no condition is that light or severe, the nearest severity that there is stands for it.

        Args:
            uniform: Numbers of [0, 1), one a case.
            kind, mechanism, region: As in the enumerations of the cohort.
            ais: 1 to 6.
            female: Sex of the patient.

        Raises:
            ValueError: No condition fits a kind, mechanism and region.
        """
        case = np.ravel_multi_index((kind, mechanism, region, ais - 1, female.astype(np.int64)), _SHAPE)
        # The sum must not be rounded up into the next case.
        position = np.searchsorted(self._shares, case + np.minimum(uniform, 1 - 1e-9), side="right")
        found = position - case * len(self.all)
        if ((found < 0) | (found >= len(self.all))).any():
            raise ValueError(
                "conditions.csv has no condition for a kind, mechanism and region that was drawn"
            )
        rows: Ints = self.rows[found]
        return rows


def read_conditions(text: str, catalogue: Catalogue) -> Conditions:
    """Read conditions.csv; keys are those of the catalogue.

    Raises:
        KeyError: A name is not known.
    """
    rows = csv.DictReader(text.splitlines())
    return Conditions(
        tuple(
            Condition(
                key=row["key"],
                row=catalogue.row(row["key"]),
                group=row["group"],
                kinds=tuple(Kind[name.upper()] for name in row["kinds"].split()),
                mechanisms=tuple(Mechanism[name.upper()] for name in row["mechanisms"].split()),
                regions=tuple(Region[name.upper()] for name in row["regions"].split()),
                ais_low=int(row["ais_low"]),
                ais_high=int(row["ais_high"]),
                male=float(row["male"]),
                female=float(row["female"]),
            )
            for row in rows
        ),
        catalogue,
    )


def _weights(conditions: tuple[Condition, ...]) -> Floats:
    weights = np.zeros((*_SHAPE, len(conditions)))
    for position, each in enumerate(conditions):
        weights[list(each.kinds), ..., position] = each.cases() * np.array((each.male, each.female))
    # Nearest severity, the lighter one of two as near.
    filled = weights.copy()
    for ais in range(6):
        for near in sorted(range(6), key=lambda other: (abs(other - ais), other)):
            empty = ~filled[..., ais, :, :].any(axis=-1)
            filled[..., ais, :, :][empty] = weights[..., near, :, :][empty]
    return filled


def _shares(weights: Floats) -> Floats:
    """Return one rising array: case number plus the case's rising shares, so that one search draws for all."""
    flat = weights.reshape(-1, weights.shape[-1])
    rising = np.cumsum(flat, axis=1)
    total = rising[:, -1:]
    some = total[:, 0] > 0
    rising[some] /= total[some]
    # From the last weight on, the share is 1; a case without weights has shares of 0, and so finds nothing.
    rising[some] = np.where(rising[some] >= 1 - 1e-12, 1.0, rising[some])
    shares: Floats = (rising + np.arange(len(flat))[:, None]).ravel()
    return shares


CONDITIONS = read_conditions(data_text("conditions.csv"), CATALOGUE)
