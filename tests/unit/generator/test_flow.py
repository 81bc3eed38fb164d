"""The flow: no course breaks a rule, and the rates are those that were aimed at."""

from __future__ import annotations

from dataclasses import fields
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carebus_generator.domain.cohort import Kind, Outcome, Role, Transport, Triage
from carebus_generator.domain.scenario import Targets, preset_names
from unit.generator.courses import Made, assert_sound, make, scenario

MINUTE, HOUR = 60, 3_600


@lru_cache(maxsize=8)
def made(name: str, posture: str, seed: int = 1) -> Made:
    """Make 20,000 patients of a preset."""
    return make(scenario(name, 20_000, posture), seed)


@pytest.mark.parametrize("name", preset_names())
@pytest.mark.parametrize("posture", ["permissive", "contested", "denied"])
def test_no_course_breaks_a_rule(name: str, posture: str) -> None:
    """Times never run backwards, roles never fall, and there is one end, which everything agrees with."""
    assert_sound(make(scenario(name, 5_000, posture), seed=hash_of(name)))


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 2**63),
    chunk=st.sampled_from([7, 100, 333]),
    name=st.sampled_from(["default", "cbrn", "maritime"]),
)
def test_chunks_change_nothing(seed: int, chunk: int, name: str) -> None:
    """Whatever the chunks, the patients are the same."""
    small = scenario(name, 350)
    whole, parts = make(small, seed, chunk=1_000), make(small, seed, chunk=chunk)

    for table in ("injuries", "wounds", "stays", "courses"):
        one, other = getattr(whole, table), getattr(parts, table)
        for field in fields(one):
            assert np.array_equal(getattr(one, field.name), getattr(other, field.name)), (table, field.name)


@pytest.mark.parametrize(
    ("posture", "killed", "died"),
    [
        pytest.param("permissive", (0.10, 0.16), (0.035, 0.05), id="as in Afghanistan"),
        pytest.param("contested", (0.18, 0.22), (0.04, 0.05), id="large-scale combat"),
        pytest.param("denied", (0.22, 0.26), (0.04, 0.055), id="no way out"),
    ],
)
def test_battle_deaths_are_those_aimed_at(
    posture: str, killed: tuple[float, float], died: tuple[float, float]
) -> None:
    """Killed of all battle casualties, and died of wounds of those who reach a facility; most die before one."""
    one = made("urban_assault", posture)
    outcome, role = one.courses.outcome, one.courses.died_role

    assert killed[0] <= (outcome[one.battle] == Outcome.KIA).mean() <= killed[1]
    assert died[0] <= (outcome[one.wounded] == Outcome.DOW).mean() <= died[1]
    of_injury = one.dead & (one.patients.kind != Kind.DISEASE)
    assert 0.79 <= (role[of_injury] == Role.POI).mean() <= 0.90


@pytest.mark.parametrize("name", preset_names())
def test_rates_hold_whatever_the_mix(name: str) -> None:
    """Each preset hits the rates of its posture, within three deviations of chance."""
    seeds = [make(scenario(name, 20_000), seed) for seed in (1, 2)]
    posture = seeds[0].model.scenario.posture
    aims = {
        "permissive": (0.15, 0.041, 0.02, 0.002),
        "contested": (0.20, 0.045, 0.02, 0.002),
        "denied": (0.24, 0.049, 0.02, 0.002),
    }[posture]
    groups = [
        (each.battle, each.wounded, each.patients.kind == Kind.NON_BATTLE, each.patients.kind == Kind.DISEASE)
        for each in seeds
    ]

    for place, (aim, ends) in enumerate(
        zip(aims, (Outcome.KIA, Outcome.DOW, Outcome.DIED, Outcome.DIED), strict=True)
    ):
        count = sum(int(group[place].sum()) for group in groups)
        hits = sum(
            int((each.courses.outcome[group[place]] == ends).sum())
            for each, group in zip(seeds, groups, strict=True)
        )
        assert hits / count == pytest.approx(aim, abs=3 * np.sqrt(aim * (1 - aim) / count)), (name, place)


def test_targets_of_the_scenario_rule() -> None:
    """A scenario's own rates come out, also unusual ones."""
    targets = Targets(
        killed_in_action=0.5,
        died_of_wounds=0.2,
        died_of_injury=0.0,
        died_of_disease=0.1,
        returned_to_duty=0.3,
    )
    one = make(scenario("training", 20_000).model_copy(update={"targets": targets}), seed=4)
    outcome = one.courses.outcome
    by_kind = [one.patients.kind == kind for kind in Kind]

    assert (outcome[one.battle] == Outcome.KIA).mean() == pytest.approx(0.5, abs=0.02)
    assert (outcome[one.wounded] == Outcome.DOW).mean() == pytest.approx(0.2, abs=0.025)
    assert not (outcome[by_kind[Kind.NON_BATTLE]] == Outcome.DIED).any()
    assert (outcome[by_kind[Kind.DISEASE]] == Outcome.DIED).mean() == pytest.approx(0.1, abs=0.02)
    assert returned(one)[one.wounded].mean() == pytest.approx(0.3, abs=0.03)


def test_return_to_duty_within_72_hours_is_that_of_the_sources() -> None:
    """15 to 25 % of the wounded where evacuation is free, 45 to 50 % of the light ones in large-scale combat."""
    free, contested = made("training", "permissive"), made("urban_assault", "contested")

    assert 0.15 <= returned(free)[free.wounded].mean() <= 0.25
    light = contested.wounded & (contested.injuries.triage == Triage.T3)
    assert 0.44 <= returned(contested)[light].mean() <= 0.51


def test_those_killed_die_when_the_source_says() -> None:
    """57, 68, 91 and 99 % of them within 0, 10, 60 and 120 minutes."""
    one = made("urban_assault", "contested")
    killed = one.courses.outcome == Outcome.KIA
    after = (one.courses.died_s - one.patients.injured_s)[killed]

    shares = [(after <= minutes * MINUTE).mean() for minutes in (0, 10, 60, 120)]

    assert shares == pytest.approx([0.571, 0.677, 0.914, 0.990], abs=0.025)


def test_worse_triage_dies_more_often() -> None:
    """T1 before T2 before T3, and of the expectant most."""
    one = made("urban_assault", "contested")

    shares = [one.dead[one.injuries.triage == triage].mean() for triage in (3, 2, 1, 4)]

    assert shares == sorted(shares)
    assert shares[0] < 0.01 < shares[2] < 0.5 < shares[3]


def test_the_later_evacuated_die_more_often() -> None:
    """Among T1 who reach a facility, those who come in the later half die of wounds more often."""
    over = make(scenario("urban_assault", 60_000, "contested"), seed=9)
    rows = np.flatnonzero(over.wounded & (over.injuries.triage == Triage.T1))
    waited = over.stays.arrived_s[over.first_stay[rows]] - over.patients.injured_s[rows]
    died = over.courses.outcome[rows] == Outcome.DOW
    late = waited > np.median(waited)

    assert died[late].mean() > 1.1 * died[~late].mean()


@pytest.mark.parametrize(
    ("posture", "low", "high"),
    [("permissive", 0.5, 1.0), ("contested", 1.5, 4.0), ("denied", 6.0, 15.0)],
)
def test_the_posture_sets_the_time_to_the_first_facility(posture: str, low: float, high: float) -> None:
    """T1: within the hour in the median where evacuation is free, hours where it is not; T1 before T2 before T3."""
    one = made("training", posture)
    first = one.first_stay
    hours = [
        np.median((one.stays.arrived_s[first[rows]] - one.patients.injured_s[rows]) / HOUR)
        for rows in (np.flatnonzero((first >= 0) & (one.injuries.triage == triage)) for triage in (1, 2, 3))
    ]

    assert low <= hours[0] <= high
    assert hours == sorted(hours)


def test_night_and_storm_make_evacuation_later() -> None:
    """The same patients reach their first facility later, and in a storm none by helicopter."""
    calm = make(scenario("training", 5_000).model_copy(update={"environment": ()}), seed=2)
    rough = make(
        scenario("training", 5_000).model_copy(update={"environment": ("storm", "mountainous_terrain")}),
        seed=2,
    )

    def mean_hours(one: Made) -> float:
        rows = one.first_stay[one.first_stay >= 0]
        return float((one.stays.arrived_s - one.patients.injured_s[one.stays.patient])[rows].mean() / HOUR)

    assert mean_hours(rough) > mean_hours(calm) + 0.5


def test_only_the_worst_fly_past_role_1() -> None:
    """Role 1 is left out by T1 in helicopters, and by nobody else."""
    one = made("training", "permissive")
    first = one.first_stay[one.first_stay >= 0]
    past = first[one.stays.role[first] == Role.R2]

    assert len(past) > 500
    assert (one.stays.transport[past] == Transport.AIR).all()
    assert (one.injuries.triage[one.stays.patient[past]] == Triage.T1).all()


def test_one_event_comes_to_one_role_1_and_its_neighbours() -> None:
    """Units have their Role 1: a small event uses one, a mass casualty three at most."""
    one = made("urban_assault", "contested")
    at_role1 = one.stays.role == Role.R1
    event = one.patients.event[one.stays.patient[at_role1]]
    many = one.patients.mass_casualty[one.stays.patient[at_role1]]
    pairs = np.unique(
        np.stack([event, one.stays.facility[at_role1].astype(np.uint64), many.astype(np.uint64)]), axis=1
    )

    _, used = np.unique(pairs[0, pairs[2] == 0], return_counts=True)
    assert used.max() == 1
    _, used = np.unique(pairs[0, pairs[2] == 1], return_counts=True)
    assert used.max() <= 3


def returned(one: Made) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Return who is back on duty within 72 hours."""
    soon: np.ndarray[tuple[int, ...], np.dtype[np.bool_]] = (one.courses.outcome == Outcome.RTD) & (
        one.courses.ended_s - one.patients.injured_s <= 72 * HOUR
    )
    return soon


def hash_of(name: str) -> int:
    """Return a seed of a name that is the same in every process."""
    return sum(ord(letter) << (5 * place) for place, letter in enumerate(name)) % 2**32
