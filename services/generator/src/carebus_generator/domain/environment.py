"""What the surroundings do to casualties, by front and hour of the day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from carebus_generator.domain.cohort import Kind, Patients
from carebus_generator.domain.draws import Floats, Ints
from carebus_generator.domain.margins import conditions
from carebus_generator.domain.scenario import Scenario
from carebus_generator.domain.shapes import holds

HOUR_S = 3600
HAZARDS = ("heat", "cold", "fall", "crush")


@dataclass(frozen=True, slots=True)
class EnvironmentTables:
    """Tables of fronts × 24 hours of the day; several conditions at once multiply or add up."""

    visibility: Floats
    mobility: Floats
    delay_min: Floats
    """Longest delay of an evacuation."""
    hazard: Floats
    """Fronts × hours × ``HAZARDS``: share of non-battle injuries that it makes."""
    worse: Floats
    """Fronts × hours × kinds: factor on getting worse."""

    @staticmethod
    def hour(at_s: Ints) -> Ints:
        """Return the hour of the day of some times."""
        hours: Ints = at_s // HOUR_S % 24
        return hours


def environment_tables(scenario: Scenario) -> EnvironmentTables:
    """Return the tables of a scenario."""
    shape = (len(scenario.fronts), 24)
    tables = EnvironmentTables(
        visibility=np.ones(shape),
        mobility=np.ones(shape),
        delay_min=np.zeros(shape),
        hazard=np.zeros((*shape, len(HAZARDS))),
        worse=np.ones((*shape, len(Kind))),
    )
    for place in range(len(scenario.fronts)):
        for condition in conditions(scenario, place):
            hours = holds(condition)
            tables.visibility[place, hours] *= condition.visibility
            tables.mobility[place, hours] *= condition.mobility
            tables.delay_min[place, hours] += condition.delay_min
            tables.worse[place, hours] *= condition.worse
            if condition.hazard is not None:
                tables.hazard[place, hours, HAZARDS.index(condition.hazard.name)] += condition.hazard.share
    return tables


def where(patients: Patients) -> tuple[Ints, Ints]:
    """Return front and hour of injury of patients: where in the tables they are."""
    return patients.front, EnvironmentTables.hour(patients.injured_s)
