"""Statistics of generated patients against what is published: ``data/bands.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from importlib.resources import files
from typing import Any

import numpy as np

from carebus_generator.domain.checks.results import Band, Comparison, Reported
from carebus_generator.domain.checks.tally import Histogram, Tally
from carebus_generator.domain.cohort import Kind, Mechanism, Outcome, Region, Triage
from carebus_generator.domain.reference import WARFARE
from carebus_generator.domain.scenario import Scenario

LEAST = 300
"""Fewer patients, or rows, tell nothing about a share."""
BANDS: Mapping[str, Mapping[str, Any]] = tomllib.loads(
    files("carebus_generator").joinpath("data", "bands.toml").read_text(encoding="utf-8")
)

HIGHEST = 1e9
"""A bound that nothing reaches."""
QUEUED = "capacity mode: waits for vehicles, beds and theatres move it this way, and by how much is not known"

Statistic = Callable[[Tally], tuple[float, int]]
"""Returns the value, and of how many patients or rows it is."""


def published(tally: Tally, scenario: Scenario) -> Iterator[Band]:
    """Yield every band that has something to say of such a scenario, with what was found."""
    for name, statistic in STATISTICS.items():
        told = BANDS[name]
        if scenario.posture not in told.get("postures", (scenario.posture,)) or _unjudged(told, scenario):
            continue
        low, high, why = _bounds(told, tally, scenario)
        if queues := _queues(told, scenario):
            low, high, why = (low, HIGHEST, QUEUED) if queues == "more" else (0.0, high, QUEUED)
        value, seen = statistic(tally)
        # Bounds are for the true share; where few patients tell, chance alone moves what is seen.
        slack = float(told.get("sampling", 0.0) / np.sqrt(max(seen, 1)))
        yield Band(
            name=name,
            says=told["says"],
            low=low - slack,
            high=high + slack,
            source=told["source"],
            value=float(value) if seen >= LEAST else None,
            seen=seen,
            unit=told.get("unit", ""),
            why=why,
        )


def _queues(told: Mapping[str, Any], scenario: Scenario) -> str:
    return str(told.get("queues", "")) if scenario.mode == "capacity" else ""


def _unjudged(told: Mapping[str, Any], scenario: Scenario) -> bool:
    return _queues(told, scenario) == "either"


def _bounds(told: Mapping[str, Any], tally: Tally, scenario: Scenario) -> tuple[float, float, str]:
    """Return bounds and why they are others than usual: a posture's own, or the mean over what fights how."""
    if own := told.get("by_posture", {}).get(scenario.posture):
        return float(own["low"]), float(own["high"]), own["why"]
    usual = (float(told["low"]), float(told["high"]))
    others = told.get("by_warfare", {})
    weights = tally.triage[:, Kind.BATTLE].sum(axis=1).astype(np.float64)
    if not others or not weights.sum():
        return *usual, ""
    bounds = np.tile(np.asarray(usual), (len(weights), 1))
    why = []
    for row, warfare in enumerate(WARFARE):
        if weights[row] and (own := others.get(warfare.name)):
            bounds[row] = own["low"], own["high"]
            why.append(own["why"])
    low, high = (weights @ bounds / weights.sum()).tolist()
    return low, high, "; ".join(dict.fromkeys(why))


def _share(part: float, whole: float) -> tuple[float, int]:
    return (part / whole if whole else 0.0), int(whole)


def _battle(tally: Tally, *outcomes: Outcome) -> int:
    return int(tally.outcomes[Kind.BATTLE][:, list(outcomes)].sum())


def _killed_within(minutes: int) -> Statistic:
    return lambda tally: _up_to(tally.killed_after_min, minutes)


def _up_to(histogram: Histogram, value: int) -> tuple[float, int]:
    return (histogram.share_up_to(value) if histogram.seen else 0.0), histogram.seen


def _quantile(histogram: Callable[[Tally], Histogram], share: float) -> Statistic:
    return lambda tally: (histogram(tally).quantile(share), histogram(tally).seen)


def _mechanism(mechanism: Mechanism) -> Statistic:
    return lambda tally: _share(tally.mechanisms[:, mechanism].sum(), tally.mechanisms.sum())


def _regions(*regions: Region) -> Statistic:
    return lambda tally: _share(
        tally.regions[list(regions)].sum(), tally.regions.sum() - tally.regions[Region.WHOLE]
    )


def _deaths_of(kind: Kind) -> Statistic:
    def statistic(tally: Tally) -> tuple[float, int]:
        table = tally.outcomes[kind]
        return _share(table[:, [o for o in Outcome if o.dead]].sum(), table.sum())

    return statistic


STATISTICS: Mapping[str, Statistic] = {
    "killed": lambda t: _share(_battle(t, Outcome.KIA), t.outcomes[Kind.BATTLE].sum()),
    "died_of_wounds": lambda t: _share(_battle(t, Outcome.DOW), t.wounded),
    "dead_before_facility": lambda t: _share(t.before_facility, t.deaths),
    "killed_at_once": _killed_within(0),
    "killed_in_10_min": _killed_within(10),
    "killed_in_60_min": _killed_within(60),
    "killed_in_120_min": _killed_within(120),
    "injury_deaths": _deaths_of(Kind.NON_BATTLE),
    "disease_deaths": _deaths_of(Kind.DISEASE),
    "returned_in_72_h": lambda t: _share(t.back_in_72h, t.wounded),
    "light_returned_in_72_h": lambda t: _share(t.light_back, t.light),
    "blast": _mechanism(Mechanism.BLAST),
    "gunshot": _mechanism(Mechanism.GUNSHOT),
    "head_neck": _regions(Region.HEAD_NECK),
    "thorax": _regions(Region.THORAX),
    "abdomen": _regions(Region.ABDOMEN),
    "limbs": _regions(Region.LIMB_UPPER, Region.LIMB_LOWER),
    "wounds_each": lambda t: _share(t.regions.sum(), t.outcomes[Kind.BATTLE].sum()),
    "iss_alive": _quantile(lambda t: t.iss[False], 0.5),
    "iss_alive_first_quarter": _quantile(lambda t: t.iss[False], 0.25),
    "iss_alive_third_quarter": _quantile(lambda t: t.iss[False], 0.75),
    "iss_dead": _quantile(lambda t: t.iss[True], 0.5),
    "t1_to_facility": _quantile(lambda t: t.first_facility_min[Triage.T1], 0.5),
    "age_first_quarter": _quantile(lambda t: t.ages, 0.25),
    "age": _quantile(lambda t: t.ages, 0.5),
    "age_third_quarter": _quantile(lambda t: t.ages, 0.75),
    "male": lambda t: _share(t.sexes[0], t.sexes.sum()),
}


def compared(tally: Tally) -> Iterator[Comparison]:
    """Yield what must be less and more, whatever the scenario."""
    table = tally.outcomes[Kind.BATTLE]
    dead = table[:, [o for o in Outcome if o.dead]].sum(axis=1)
    everybody = table.sum(axis=1)
    iss = tally.iss_by_triage

    def died(triage: Triage) -> float | None:
        return float(dead[triage] / everybody[triage]) if everybody[triage] >= LEAST else None

    def severity(histogram: Histogram) -> float | None:
        return histogram.mean if histogram.seen >= LEAST else None

    face, le = "face validity", "Le 2016, n = 30,364: severity rises with triage and death"
    for better, worse in ((Triage.T3, Triage.T2), (Triage.T2, Triage.T1)):
        names = f"{better.name} than in {worse.name}"
        yield Comparison(
            f"dead_{better.name}_{worse.name}",
            f"fewer die in {names}, of battle casualties",
            died(better),
            died(worse),
            face,
        )
        yield Comparison(
            f"iss_{better.name}_{worse.name}",
            f"injury severity is less in {names}, on average",
            severity(iss[better]),
            severity(iss[worse]),
            le,
        )
    yield Comparison(
        "iss_of_the_dead",
        "injury severity is less in those who live than in those who die, on average",
        severity(tally.iss[False]),
        severity(tally.iss[True]),
        le,
    )


def reported(tally: Tally, scenario: Scenario) -> Iterator[Reported]:
    """Yield statistics that depend on the scenario and are told without judgement."""
    for name, statistic in STATISTICS.items():
        if _unjudged(BANDS[name], scenario):
            value, seen = statistic(tally)
            says = f"{BANDS[name]['says']}: queues move it either way"
            yield Reported(name, says, float(value) if seen >= LEAST else None, BANDS[name]["source"])
    nato = "AJP-4.10, 10-1-2: first aid in 10 minutes, a facility in 1 hour, surgery in 2 hours"
    aid, facility, surgery = tally.first_aid_min, tally.first_facility_min[Triage.T1], tally.surgery_min
    for name, says, histogram, minutes, all_ in (
        (
            "first_aid",
            "first aid within 10 minutes, of battle casualties",
            aid,
            10,
            aid.seen + tally.no_first_aid,
        ),
        (
            "facility",
            "at a facility within 1 hour, of battle casualties in T1 who reach one",
            facility,
            60,
            facility.seen,
        ),
        (
            "surgery",
            "at Role 2 or above within 2 hours, of battle casualties in T1 who reach it",
            surgery,
            120,
            surgery.seen,
        ),
    ):
        part = histogram.counts[: minutes + 1].sum()
        yield Reported(name, says, float(part / all_) if all_ >= LEAST else None, nato)
    injured = tally.outcomes[[Kind.BATTLE, Kind.NON_BATTLE]].sum()
    yield Reported(
        "non_battle",
        "injuries without the enemy's doing, of all injuries: the scenario's mix decides",
        float(tally.outcomes[Kind.NON_BATTLE].sum() / injured) if injured >= LEAST else None,
        "registry: 34.1 % of 29,958",
    )
    yield Reported(
        "mass_casualty",
        "in mass casualties (events of 10 and more), of all patients",
        tally.mass_casualty / tally.patients if tally.patients >= LEAST else None,
        "none was found",
    )
    battle = tally.triage[:, Kind.BATTLE].sum()
    yield Reported(
        "event_size",
        "patients of the event that a battle casualty belongs to, on average",
        float(tally.together.sum() / battle) if battle >= LEAST else None,
        "none was found",
        "patients",
    )
