"""The tables that the flow of a scenario looks up, from ``data/flow.toml``. Times are seconds."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from carebus_generator.domain.catalogue import data_text
from carebus_generator.domain.draws import Floats, Ints, Quantiles
from carebus_generator.domain.environment import EnvironmentTables, environment_tables
from carebus_generator.domain.outcomes import Outcomes, outcomes
from carebus_generator.domain.scenario import Scenario
from carebus_generator.domain.transport import Ways, ways

_DAY_S = 86_400
_QUEUES_S = 7 * _DAY_S
"""Room for all waits together; ``capacity`` bounds each of them."""


@dataclass(frozen=True, slots=True)
class QueueTables:
    """Parameters of the capacity mode; rows Role 1 to 3."""

    vehicles: Floats
    """Share of a front's places."""
    ride_limit_s: int
    bed_limit_s: Ints
    """Roles × triage."""
    moving_s: int
    surgery_s: Ints
    theatre_limit_s: int


@dataclass(frozen=True, slots=True)
class FlowTables:
    """Parameters of a scenario; columns T1 to T4, rows Role 1 to 4 where not said otherwise."""

    outcomes: Outcomes
    ways: Ways
    environment: EnvironmentTables
    end_s: int
    """End of the observed time."""
    shares: Floats
    """At which the quantiles stand in all tables of times."""
    first_aid_s: Floats
    """Alone, mass casualty × quantiles."""
    pick_up_s: Floats
    """Triage × quantiles."""
    died_s: Floats
    """Roles × quantiles."""
    discharged_s: Floats
    """Triage × quantiles."""
    late_s: Floats
    duty_share: Floats
    duty_s: int
    killed_s: Quantiles
    hold_s: Floats
    """Roles 1 to 3 × triage."""
    shortest_hold: float
    died_at: Floats
    """Triage × roles."""
    early_at: Floats
    late_at: Floats
    on_the_way: float
    luck: float
    delay: float
    least_delay: float
    wait_per_hour: float
    wait_most: float
    no_blood: float
    better: float
    worse: float
    expectant_to_immediate: float
    returning_is_minimal: float
    surgery_iss: int
    blood_units: Ints
    """By triage."""
    queues: QueueTables


def flow_tables(scenario: Scenario, expected: Floats) -> FlowTables:
    """Return the tables of a scenario.

    Args:
        scenario: What is to happen.
        expected: Expected patients by kind and triage.
    """
    around = environment_tables(scenario)
    minutes, chances, roles, again = (_DATA[name] for name in ("minutes", "chances", "roles", "retriage"))
    hold_s = np.array(_DATA["hold"]["hours"]) * 3600.0 * _DATA["hold"]["posture"][scenario.posture]
    by_role = np.array([minutes["died"][f"r{role}"] for role in range(1, 5)]) * 60.0
    trips = ways(scenario, around, _DATA["transport"])
    pick_up_s = np.array(minutes["pick_up"][scenario.posture]) * 60.0
    late_s = np.array([minutes["stay"]["late"]]) * 60.0
    duty_s = int(_DATA["duty"]["within_h"] * 3600)
    longest_s = (
        float(pick_up_s.max())
        + float(around.delay_min.max()) * 60
        + trips.longest_s()
        + float(hold_s.max(axis=1).sum())
        + max(float(by_role.max()), duty_s + float(late_s.max()))
        + _QUEUES_S
    )
    return FlowTables(
        outcomes=outcomes(scenario, expected, _DATA),
        ways=trips,
        environment=around,
        end_s=(scenario.days + -int(-longest_s // _DAY_S)) * _DAY_S,
        shares=np.array(minutes["shares"]),
        first_aid_s=np.array([minutes["first_aid"], minutes["first_aid_mass_casualty"]]) * 60.0,
        pick_up_s=pick_up_s,
        died_s=by_role,
        discharged_s=np.array(minutes["stay"]["r4"]) * 60.0,
        late_s=late_s,
        duty_share=np.array(_DATA["duty"]["share"]),
        duty_s=duty_s,
        killed_s=Quantiles(
            _DATA["killed"]["shares"], [60.0 * minute for minute in _DATA["killed"]["minutes"]]
        ),
        hold_s=hold_s,
        shortest_hold=float(_DATA["hold"]["shortest"]),
        died_at=np.array(roles["died"]),
        early_at=np.array(roles["returned_early"]),
        late_at=np.array(roles["returned_late"]),
        on_the_way=float(roles["died_on_the_way"]),
        luck=float(chances["luck"]),
        delay=float(chances["delay"]),
        least_delay=float(_DATA["transport"]["least_delay"]),
        wait_per_hour=float(chances["wait_per_hour"]),
        wait_most=float(chances["wait_most"]),
        no_blood=float(chances["no_blood"]),
        better=float(again["better"]),
        worse=float(again["worse"]),
        expectant_to_immediate=float(again["expectant_to_immediate"]),
        returning_is_minimal=float(again["returning_is_minimal"]),
        surgery_iss=int(_DATA["care"]["surgery_iss"]),
        blood_units=np.array(_DATA["care"]["blood_units"], dtype=np.int64),
        queues=_queue_tables(_DATA["queues"]),
    )


def _queue_tables(data: Mapping[str, Any]) -> QueueTables:
    return QueueTables(
        vehicles=np.array(data["vehicles"]),
        ride_limit_s=int(data["longest_ride_wait_h"] * 3600),
        bed_limit_s=np.array(data["longest_bed_wait_h"], dtype=np.int64) * 3600,
        moving_s=int(data["moving_min"] * 60),
        surgery_s=np.array(data["surgery_h"], dtype=np.int64) * 3600,
        theatre_limit_s=int(data["longest_theatre_wait_h"] * 3600),
    )


def between(uniform: Floats, group: Ints, shares: Floats, values: Floats) -> Floats:
    """Return numbers of the distribution of each group, given by quantiles (groups × shares)."""
    part = np.searchsorted(shares[1:-1], uniform, side="right")
    low, high = values[group, part], values[group, part + 1]
    width = (shares[1:] - shares[:-1])[part]
    return low + (high - low) * ((uniform - shares[part]) / width)


_DATA: Mapping[str, Any] = tomllib.loads(data_text("flow.toml"))
