"""Chances of death and of return to duty by kind and triage, set so that the scenario's rates come out.

There is one table, no chain of models: odds by triage are scaled by one number for each rate, found by
bisection on expected values for the scenario's own mix of patients. So the rates hold whatever the mix.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from carebus_generator.domain.cohort import Kind, Triage
from carebus_generator.domain.draws import Floats
from carebus_generator.domain.scenario import Scenario

_STEPS = 200
_DIGITS = 9
_MOST = 1e15
"""Odds of a certain event."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Chances by kind and triage (T1 to T4); each of those whom the one before left."""

    before: Floats
    """To die before any facility."""
    after: Floats
    """To die at or after the first facility."""
    early: Floats
    """To return to duty within 72 hours."""
    late: Floats
    """To return to duty later."""

    @property
    def dead(self) -> Floats:
        """To die at all."""
        return self.before + (1 - self.before) * self.after


def outcomes(scenario: Scenario, expected: Floats, data: Mapping[str, Any]) -> Outcomes:
    """Return the chances that give the scenario's target rates.

    Args:
        scenario: Its targets, and its posture for those that it does not give.
        expected: Expected patients by kind and triage.
        data: The reference data of ``flow.toml``.
    """
    goals = {name: _goal(scenario, name, data) for name in data["odds"] if name != "returned_to_duty"}
    odds = {name: np.array(row) for name, row in data["odds"].items()}
    chances = data["chances"]
    before, after, early, late = np.zeros((4, len(Kind), len(Triage)))

    battle = expected[Kind.BATTLE]
    before[Kind.BATTLE] = scaled(odds["killed_in_action"], battle, goals["killed_in_action"])
    wounded = battle * (1 - before[Kind.BATTLE])
    after[Kind.BATTLE] = scaled(odds["died_of_wounds"], wounded, goals["died_of_wounds"])
    for kind, name in ((Kind.NON_BATTLE, "died_of_injury"), (Kind.DISEASE, "died_of_disease")):
        dead = scaled(odds[name], expected[kind], goals[name])
        before[kind] = dead * chances["before_facility"][kind.name.lower()]
        after[kind] = (dead - before[kind]) / (1 - before[kind])
        early[kind] = chances["returned_early"][kind.name.lower()]
    early[Kind.BATTLE] = _returned(scenario, odds["returned_to_duty"], wounded, after[Kind.BATTLE], data)
    for kind in Kind:
        late[kind] = chances["returned_late"][kind.name.lower()]
    # Rounded, so that the last bits of sums, which processors may do in another order, decide nothing.
    return Outcomes(*(np.round(table, _DIGITS) for table in (before, after, early, late)))


def scaled(odds: Floats, weights: Floats, rate: float, share: Floats | float = 1.0) -> Floats:
    """Return chances with these odds, all scaled by one number so that their weighted mean is a rate.

    Args:
        odds: Of each category, not negative.
        weights: Size of each category; without any, the odds are taken as they are.
        rate: 0 to below 1.
        share: Of each category that can have the event at all.
    """
    total = float(weights.sum())
    if total <= 0:
        return odds / (1 + odds)
    chances = _chances(odds)
    low, high = 1 / _MOST, _MOST
    if rate <= 0:
        return np.zeros_like(odds)
    for _ in range(_STEPS):
        middle = float(np.sqrt(low * high))
        if float((weights * share * chances(middle)).sum()) < rate * total:
            low = middle
        else:
            high = middle
    return chances(float(np.sqrt(low * high)))


def _chances(odds: Floats) -> Callable[[float], Floats]:
    return lambda factor: factor * odds / (1 + factor * odds)


def _returned(
    scenario: Scenario, odds: Floats, wounded: Floats, after: Floats, data: Mapping[str, Any]
) -> Floats:
    """Return the chances of early return of the wounded: by a rate of all, or of those who are T3."""
    targets, wanted = data["targets"], scenario.targets.returned_to_duty
    of_light = targets["returned_to_duty_of_light"].get(scenario.posture)
    if wanted is None and of_light is not None:
        light = np.where(np.arange(len(Triage)) == Triage.T3 - 1, wounded, 0.0)
        return scaled(odds, light, of_light, 1 - after)
    return scaled(odds, wounded, _goal(scenario, "returned_to_duty", data), 1 - after)


def _goal(scenario: Scenario, name: str, data: Mapping[str, Any]) -> float:
    wanted = getattr(scenario.targets, name)
    return float(data["targets"][name][scenario.posture] if wanted is None else wanted)
