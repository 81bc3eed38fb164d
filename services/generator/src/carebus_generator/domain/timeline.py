"""When and where casualties happen: cells with prefix sums, from which any patient finds its event.

A cell is an hour of a day at a front, one cause (a warfare type or a special event), one kind of patient
and one size of events. Patients are numbered in the order of the cells. All totals (days, fronts, kinds,
causes) are exact; what is inside of the tables is drawn without bias. Memory and time depend on the
number of cells, not of patients (ADR 0021).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from carebus_generator.domain.clustering import Cells, spread
from carebus_generator.domain.draws import Bools, Draws, Ints, Words
from carebus_generator.domain.margins import Cause, causes_of, shares_of
from carebus_generator.domain.reference import MASS_CASUALTY_FROM
from carebus_generator.domain.scenario import Scenario
from carebus_generator.domain.shapes import HOURS

HOUR_S = 3600
DAY_S = HOURS * HOUR_S


@dataclass(frozen=True, slots=True)
class Located:
    """Where patients stand in the timeline, one row a patient."""

    cell: Ints
    """Row of the timeline's cells."""
    group: Ints
    """Number of the event in its cell."""
    size: Ints
    """Patients of the event."""
    event: Words
    """Hash of the event: the same for all its patients."""
    mass_casualty: Bools
    at_s: Ints
    """Seconds since midnight of the first day."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """The cells, in order of patients."""

    seed: int
    causes: tuple[Cause, ...]
    cells: Cells
    start: Ints
    """Index of each cell's first patient; one entry more than cells, the last is the total."""
    warfare: Ints
    """Of each cell: row of the reference data, or NONE."""
    special: Ints
    """Of each cell: row of the scenario's special events, or NONE."""

    @property
    def total(self) -> int:
        """Return the number of patients."""
        return int(self.start[-1])

    def locate(self, indices: Ints) -> Located:
        """Find the events of patients.

        Events of a cell have sizes near to even, moved by draws within the bounds of their type; so any
        patient's event is found without making the others.
        """
        cells = self.cells
        cell = np.searchsorted(self.start, indices, side="right").astype(np.int64) - 1
        place = indices - self.start[cell]
        patients, groups = cells.patients[cell], cells.groups[cell]
        free = np.minimum(patients // groups - cells.low[cell], cells.high[cell] - -(-patients // groups))
        draws = Draws(self.seed, cell)

        def bound(group: Ints) -> Ints:
            moved = draws.integers("timeline.bound", 0, free, group)
            inside = (group > 0) & (group < groups)
            reached: Ints = group * patients // groups + np.where(inside, moved, 0)
            return reached

        group = place * groups // patients
        group = group - (place < bound(group)) + (place >= bound(group + 1))
        first = bound(group)
        size = bound(group + 1) - first
        # Patients of one event come within ten minutes, of small ones within a few.
        spread_s = 60 * np.minimum(10, size - 1)
        at_s = draws.integers("timeline.second", 0, HOUR_S - 1 - spread_s, group)
        later_s = Draws(self.seed, indices).integers("timeline.later", 0, spread_s)
        return Located(
            cell=cell,
            group=group,
            size=size,
            event=draws.words("timeline.event", group),
            mass_casualty=(cells.sort[cell] > 0) & (size >= MASS_CASUALTY_FROM),
            at_s=cells.day[cell] * DAY_S + cells.hour[cell] * HOUR_S + at_s + later_s,
        )


def timeline(scenario: Scenario, seed: int) -> Timeline:
    """Compile the timeline of a scenario."""
    causes = causes_of(scenario)
    lots = [cells.columns() for cells in spread(scenario, causes, shares_of(scenario, causes, seed), seed)]
    cells = Cells(*(np.concatenate(column) for column in zip(*lots, strict=True)))
    order = np.lexsort((cells.sort, cells.kind, cells.cause, cells.front, cells.hour, cells.day))
    cells = Cells(*(column[order] for column in cells.columns()))
    return Timeline(
        seed=seed,
        causes=causes,
        cells=cells,
        start=np.concatenate([[0], np.cumsum(cells.patients)]),
        warfare=np.asarray([cause.warfare for cause in causes], dtype=np.int64)[cells.cause],
        special=np.asarray([cause.special for cause in causes], dtype=np.int64)[cells.cause],
    )
