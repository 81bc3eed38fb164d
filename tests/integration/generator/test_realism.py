"""Generated patients keep all rules and lie in their bands: every preset, both modes, some seeds (all when asked)."""

from __future__ import annotations

import json
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from carebus_generator.domain.checks.findings import findings
from carebus_generator.domain.cohort import Cohort, Kind, Outcome
from carebus_generator.domain.making import make_cohort
from carebus_generator.domain.model import compile_model
from carebus_generator.domain.scenario import Scenario, preset, preset_names, read_scenario
from support.signatures import FIVE, assert_their_own, hashes_of_data, signature_of
from unit.generator.scenarios import a_scenario

PATIENTS = 20_000
SEEDS = range(20) if os.environ.get("CAREBUS_TEST_FULL") else range(2)
"""Two seeds take a quarter of a minute; CAREBUS_TEST_FULL=1 tries all twenty."""
WANTED = 0.95


def _scenario(name: str, **changed: Any) -> Scenario:
    given = preset(name).model_copy(update={"total": PATIENTS, **changed})
    return read_scenario(given.model_dump_json(), name)


@pytest.mark.parametrize("mode", ["independent", "capacity"])
@pytest.mark.parametrize("name", preset_names())
def test_all_rules_hold_and_statistics_lie_in_their_bands(name: str, mode: str) -> None:
    """No rule is broken by any patient, and 95 % of the statistics lie in their bands, for each seed."""
    outside: Counter[str] = Counter()
    for seed in SEEDS:
        found = findings(compile_model(_scenario(name, mode=mode), seed), PATIENTS)
        outside.update(one.name for one in found.told if not one.holds)

        assert [(rule.name, rule.broken, rule.first) for rule in found.rules if not rule.holds] == []
        assert found.checked == PATIENTS
        assert found.band_share >= WANTED, outside
    print(f"{name}, {mode}, {len(SEEDS)} seeds: outside of their bands {dict(outside)}")


def _cohort(scenario: Scenario, seed: int = 1) -> Cohort:
    return make_cohort(compile_model(scenario, seed), 0, scenario.total)


def _dead(cohort: Cohort) -> float:
    injured = cohort.patients.kind != Kind.DISEASE
    return float((cohort.courses.outcome[injured] <= Outcome.DIED).mean())


def _delays(cohort: Cohort) -> float:
    """Return the median hours to the first facility, of the injured."""
    first = np.diff(cohort.stays.patient, prepend=-1) != 0
    patient = cohort.stays.patient[first]
    injured = cohort.patients.kind[patient] != Kind.DISEASE
    delay = cohort.stays.arrived_s[first] - cohort.patients.injured_s[patient]
    return float(np.median(delay[injured]) / 3600)


@pytest.mark.parametrize("seed", SEEDS)
def test_slower_evacuation_costs_lives(seed: int) -> None:
    """Permissive, contested, denied: patients come later, and more of them die."""
    made = [
        _cohort(_scenario("arctic", posture=posture), seed)
        for posture in ("permissive", "contested", "denied")
    ]

    dead, delay = [_dead(each) for each in made], [_delays(each) for each in made]
    assert dead == sorted(dead)
    assert dead[2] > 1.2 * dead[0]
    assert delay == sorted(delay)
    assert delay[2] > 3 * delay[0]


@pytest.mark.parametrize("seed", SEEDS)
def test_less_capacity_costs_lives(seed: int) -> None:
    """Half of the vehicles, beds and theatres, and then a tenth of them: more die each time."""
    dead = []
    for share in (1.0, 0.5, 0.1):
        content = preset("baltic_defence").model_dump(mode="json") | {"mode": "capacity"}
        for front in content["fronts"]:
            for role in ("r1", "r2", "r3"):
                front[role]["beds"] = max(1, int(front[role]["beds"] * share))
                front[role]["theatres"] = int(front[role]["theatres"] * share)
            front["vehicles"] = {kind: int(n * share) for kind, n in front["vehicles"].items()}
            front["blood_units"] = int(front["blood_units"] * share)
        dead.append(_dead(_cohort(read_scenario(json.dumps(content), "less"), seed)))

    assert dead == sorted(dead)
    assert dead[2] > dead[0]


@pytest.mark.parametrize("environment", [("night_operations",), ("storm",), ("storm", "night_operations")])
def test_night_and_storm_delay_arrival(environment: tuple[str, ...]) -> None:
    """The same patients come later than on a fine day."""
    fine, foul = (_cohort(_scenario("arctic", environment=given)) for given in ((), environment))

    assert _delays(foul) > _delays(fine)


def test_five_types_at_once_show_their_own_signature() -> None:
    """Triage, mechanism, hours and size of events are each type's own, and no file is changed by making them."""
    before = hashes_of_data()
    with ThreadPoolExecutor(5) as pool:
        made = list(
            pool.map(
                lambda name: _cohort(a_scenario(total=10_000, days=8, warfare=[name], intensity="medium")),
                FIVE,
            )
        )

    assert_their_own(dict(zip(FIVE, map(signature_of, made), strict=True)))
    assert hashes_of_data() == before
