"""A scenario made ready: everything that chunks of patients look up."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from carebus_generator.domain.capacity import waits
from carebus_generator.domain.draws import Floats
from carebus_generator.domain.facilities import Facilities, facilities
from carebus_generator.domain.flow_tables import FlowTables, flow_tables
from carebus_generator.domain.injuries import InjuryTables, injury_tables
from carebus_generator.domain.margins import conditions
from carebus_generator.domain.reference import PEOPLE, SPECIAL_KINDS, Environment
from carebus_generator.domain.scenario import Scenario
from carebus_generator.domain.timeline import Timeline, timeline
from carebus_generator.domain.waits import NoWaits, Waits


@dataclass(frozen=True, slots=True)
class Model:
    """What a scenario and a seed say of every patient before any is made. Small, whatever the total."""

    scenario: Scenario
    seed: int
    digest: str
    """SHA-256 of the scenario."""
    timeline: Timeline
    facilities: Facilities
    environments: tuple[tuple[Environment, ...], ...]
    """Conditions of each front."""
    severity: Floats
    """Factor of each special event; the last one, 1, is for NONE."""
    nations: Floats
    """Fronts × nations of the reference data: shares."""
    women: Floats
    """Nations × kinds: shares of women."""
    injury_tables: InjuryTables
    flow_tables: FlowTables
    waits: Waits
    """What each patient waits for; by queues in capacity mode."""


def compile_model(scenario: Scenario, seed: int) -> Model:
    """Compile a scenario for one seed.

    Takes milliseconds, whatever the total; in capacity mode seconds, as all patients pass the queues.
    """
    line, injured = timeline(scenario, seed), injury_tables(scenario)
    model = Model(
        scenario=scenario,
        seed=seed,
        digest=scenario.digest(),
        timeline=line,
        facilities=facilities(scenario),
        environments=tuple(conditions(scenario, front) for front in range(len(scenario.fronts))),
        severity=np.asarray([SPECIAL_KINDS[event.row].severity for event in scenario.special_events] + [1.0]),
        nations=np.asarray(
            [[front.nations.get(row.code, 0.0) for row in PEOPLE.nation] for front in scenario.fronts]
        ),
        women=_women(scenario),
        injury_tables=injured,
        flow_tables=flow_tables(scenario, injured.expected(line)),
        waits=NoWaits(),
    )
    return replace(model, waits=waits(model))


def _women(scenario: Scenario) -> Floats:
    """Return women's shares from the force's share of men and the odds by kind."""
    men = np.asarray([scenario.male.get(row.code, PEOPLE.male[scenario.service]) for row in PEOPLE.nation])
    odds = ((1 - men) / np.maximum(men, 1e-9))[:, None] * np.asarray(PEOPLE.odds_female)[None, :]
    shares: Floats = odds / (1 + odds)
    return shares
