"""Vital signs and laboratory values agree with wounds, time, care and outcome."""

from __future__ import annotations

import numpy as np
import pytest

from carebus_generator.domain.catalogue import CATALOGUE
from carebus_generator.domain.cohort import NEVER, Kind, Measurements, Role, Triage
from unit.generator.wards import Ward, same_in_chunks, ward

VITALS = (
    "heart_rate", "systolic", "diastolic", "respiratory_rate", "oxygen_saturation", "temperature", "gcs", "pain",
)  # fmt: skip
LABS = ("hemoglobin", "lactate", "inr", "platelets", "ph", "pco2")
BODY = {
    "heart_rate": (20, 220),
    "systolic": (40, 250),
    "diastolic": (20, 140),
    "respiratory_rate": (4, 60),
    "oxygen_saturation": (50, 100),
    "temperature": (28, 42.5),
    "gcs": (3, 15),
    "pain": (0, 10),
    "hemoglobin": (3, 20),
    "lactate": (3, 250),
    "inr": (0.8, 10),
    "platelets": (10, 600),
    "ph": (6.7, 7.8),
    "pco2": (15, 110),
    "weight": (45, 130),
    "height": (140, 215),
}
"""What living adults have at the utmost; units of the catalogue."""


@pytest.fixture(scope="module")
def made() -> Ward:
    return ward(20_000)


def of(measured: Measurements, key: str) -> np.ndarray:
    """Rows of a code."""
    return np.flatnonzero(measured.code == CATALOGUE.row(key))


def by_stay(made: Ward, key: str, *, first: bool = True) -> np.ndarray:
    """First, or last, value of each stay; NaN where there is none."""
    rows = of(made.measurements, key)
    values = np.full(len(made.stays.patient), np.nan)
    rows = rows[::-1] if first else rows
    values[made.measurements.stay[rows]] = made.measurements.value[rows]
    return values


def with_wound(made: Ward, keys: set[str], least: int = 1) -> np.ndarray:
    """Whether each patient has one of these conditions, at least so severe."""
    rows = np.isin(made.wounds.condition, [CATALOGUE.row(key) for key in keys]) & (made.wounds.ais >= least)
    return np.isin(np.arange(len(made.patients.index)), made.wounds.patient[rows])


def test_all_values_are_those_of_the_living(made: Ward) -> None:
    """Within physiologic range, and as precise as the catalogue says."""
    measured = made.measurements
    assert {CATALOGUE[row].key for row in np.unique(measured.code).tolist()} == {
        *VITALS,
        *LABS,
        "weight",
        "height",
    }

    for key, (low, high) in BODY.items():
        value = measured.value[of(measured, key)]
        assert low <= value.min(), key
        assert value.max() <= high, key
        assert (np.round(value, CATALOGUE[CATALOGUE.row(key)].decimals) == value).all(), key


def test_systolic_is_above_diastolic(made: Ward) -> None:
    """Always, and by a pulse pressure that one can feel."""
    measured = made.measurements
    upper, lower = of(measured, "systolic"), of(measured, "diastolic")

    assert (measured.at_s[upper] == measured.at_s[lower]).all()
    assert (measured.value[upper] - measured.value[lower] >= 8).all()


def test_measured_in_the_stay_and_before_death(made: Ward) -> None:
    """Nobody is measured on the way, or dead."""
    measured, stays = made.measurements, made.stays
    died = made.courses.died_s[measured.patient]

    assert (measured.patient == stays.patient[measured.stay]).all()
    assert (measured.at_s >= stays.arrived_s[measured.stay]).all()
    assert (measured.at_s < stays.left_s[measured.stay]).all()
    assert ((died == NEVER) | (measured.at_s < died)).all()


def test_the_urgent_are_measured_at_each_arrival(made: Ward) -> None:
    """Within eight minutes: pulse and pressure of all at first, and not of T3 again; all signs of T1 and T4."""
    stays, measured = made.stays, made.measurements
    died = made.courses.died_s[stays.patient]
    alive = np.where(died == NEVER, stays.left_s, np.minimum(died, stays.left_s)) > stays.arrived_s
    soon = measured.at_s - stays.arrived_s[measured.stay] <= 480
    first = np.diff(stays.patient, prepend=-1) != 0
    light = stays.triage == Triage.T3
    whole = first & ((stays.triage == Triage.T1) | (stays.triage == Triage.T4))

    for key in VITALS:
        rows = of(measured, key)
        taken = np.isin(np.arange(len(alive)), measured.stay[rows[soon[rows]]])
        assert not taken[~alive].any()
        if key in {"heart_rate", "systolic", "diastolic"}:
            assert (taken[alive] == (first | ~light)[alive]).all(), key
        elif key != "pain":
            assert taken[alive & whole].all(), key


def test_the_light_are_asked_for_what_is_wrong(made: Ward) -> None:
    """T3: fever of the feverish, coma of the hit on the head, and not the other way round."""
    light = (made.stays.triage == Triage.T3) & (made.stays.role == 1)
    light &= np.bincount(made.wounds.patient)[made.stays.patient] == 1
    light &= made.courses.died_s[made.stays.patient] == NEVER
    light &= ~np.isnan(by_stay(made, "systolic"))
    hot = with_wound(made, {"covid_19", "fever", "urinary_tract_infection"})[made.stays.patient] & light
    struck = with_wound(made, {"concussion_no_loc", "concussion_with_loc"})[made.stays.patient] & light
    sprained = with_wound(made, {"ankle_sprain", "wrist_sprain"})[made.stays.patient] & light

    def taken(key: str, who: np.ndarray) -> float:
        return float((~np.isnan(by_stay(made, key)[who])).mean())

    assert min(hot.sum(), struck.sum(), sprained.sum()) >= 5
    assert (taken("temperature", hot), taken("temperature", struck), taken("temperature", sprained)) == (
        1,
        0,
        0,
    )
    assert (taken("gcs", hot), taken("gcs", struck), taken("gcs", sprained)) == (0, 1, 0)
    assert taken("pain", sprained) == 1
    assert taken("respiratory_rate", light) == 0


def test_the_more_urgent_the_more_is_measured(made: Ward) -> None:
    """Of those who live and leave: T1 more than T2, T2 more than T3, and of T3 no more than a handful at once."""
    measured, stays = made.measurements, made.stays
    many = np.bincount(measured.stay, minlength=len(stays.patient))
    living = made.courses.died_s[stays.patient] == NEVER
    mean = [many[living & (stays.triage == triage)].mean() for triage in (Triage.T1, Triage.T2, Triage.T3)]

    assert mean[0] > 1.5 * mean[1]
    assert mean[1] > 1.5 * mean[2]
    assert many[living & (stays.triage == Triage.T3)].max() <= 7


def test_nobody_unconscious_says_how_much_it_hurts(made: Ward) -> None:
    """Pain is missing where the coma score is low, and at the first facility there where it is not."""
    pain, score = by_stay(made, "pain"), by_stay(made, "gcs")
    first = np.diff(made.stays.patient, prepend=-1) != 0

    assert np.isnan(pain[score <= 8]).all()
    assert not np.isnan(pain[first & (score >= 9) & (made.stays.triage == Triage.T1)]).any()


def test_rows_are_sorted_and_bounded(made: Ward) -> None:
    """By patient and time; at most twice in one stay: T1 after four hours, T4 after eight."""
    measured, stays = made.measurements, made.stays
    rows = of(measured, "heart_rate")
    key = measured.patient * 10**9 + measured.at_s
    same = np.diff(measured.stay[rows]) == 0
    gap = np.diff(measured.at_s[rows])[same]
    triage = stays.triage[measured.stay[rows][1:][same]]

    assert (np.diff(key) >= 0).all()
    assert np.bincount(measured.stay[rows]).max() == 2
    assert {(t, g / 3600) for t, g in zip(triage.tolist(), gap.tolist(), strict=True)} == {
        (1, 4),
        (4, 8),
    }


def test_laboratory_is_from_role_2_on_for_the_serious(made: Ward) -> None:
    """No laboratory at Role 1; from Role 2 on those with low pressure are tested, the well are not."""
    measured = made.measurements
    tested = measured.stay[of(measured, "hemoglobin")]
    low = by_stay(made, "systolic") < 85
    well = made.patients.kind[made.stays.patient] == Kind.DISEASE
    well &= ~np.isin(made.stays.patient, made.wounds.patient[made.wounds.ais > 1])

    assert (made.stays.role[tested] >= Role.R2).all()
    assert np.isin(np.flatnonzero(low & (made.stays.role >= Role.R2)), tested).all()
    # Near death everybody is in shock.
    living = made.courses.died_s[made.stays.patient] == NEVER
    assert not np.isin(np.flatnonzero(well & living), tested).any()


def test_build_is_taken_once_on_admission_to_a_hospital(made: Ward) -> None:
    """Weight of T1 and T2, height of T1 at the first of Role 3 and 4, and the same as in the patient's row."""
    measured, stays = made.measurements, made.stays
    for key, expected in (("weight", made.patients.weight_kg), ("height", made.patients.height_cm)):
        rows = of(measured, key)
        patient = measured.patient[rows]
        assert len(np.unique(patient)) == len(patient) > 1000
        assert (measured.value[rows] == expected[patient]).all()
        assert (stays.role[measured.stay[rows]] >= Role.R3).all()
        assert set(stays.triage[measured.stay[rows]].tolist()) == {Triage.T1} | (
            {Triage.T2} if key == "weight" else set()
        )


def test_the_urgent_are_in_more_shock(made: Ward) -> None:
    """Shock index on arrival: T1 above T2 above T3; T3 near the 0.6 to 0.8 of people at rest."""
    index = by_stay(made, "heart_rate") / by_stay(made, "systolic")
    battle = made.patients.kind[made.stays.patient] == Kind.BATTLE
    mean = [
        np.nanmean(index[battle & (made.stays.triage == triage) & (made.stays.role == 1)])
        for triage in (1, 2, 3)
    ]

    assert mean[0] > mean[1] + 0.1
    assert mean[1] > mean[2]
    assert 0.5 < mean[2] < 0.85
    assert mean[0] > 0.95


def test_shock_index_is_higher_before_an_early_death(made: Ward) -> None:
    """The registry has 0.80 at baseline and 1.21 before early deaths."""
    index = by_stay(made, "heart_rate") / by_stay(made, "systolic")
    died = made.courses.died_s[made.stays.patient]
    soon = (died != NEVER) & (died - made.stays.arrived_s < 6 * 3600)

    assert np.nanmean(index[soon]) > 1.1
    assert np.nanmean(index[died == NEVER]) < 0.9


def test_infection_brings_fever_and_sprains_do_not(made: Ward) -> None:
    """Pneumonia and sepsis are hot on arrival, sprained ankles not."""
    temperature = by_stay(made, "temperature")
    infected = with_wound(made, {"pneumonia", "sepsis"}, 3)[made.stays.patient] & (made.stays.role == 1)
    sprained = with_wound(made, {"ankle_sprain", "wrist_sprain"})[made.stays.patient]
    living = made.courses.died_s[made.stays.patient] == NEVER
    only = np.bincount(made.wounds.patient)[made.stays.patient] == 1

    assert np.nanmean(temperature[infected & living]) > 37.7
    assert np.nanmax(temperature[sprained & living & only]) < 37.8


def test_heat_is_hot_and_cold_is_cold(made: Ward) -> None:
    """Heat exhaustion above 37.5, hypothermia below 36."""
    temperature = by_stay(made, "temperature")
    hot = with_wound(made, {"heat_exhaustion"}, 2)[made.stays.patient] & (made.stays.role == 1)
    cold = with_wound(made, {"hypothermia"}, 3)[made.stays.patient] & (made.stays.role == 1)

    assert np.nanmedian(temperature[hot]) > 37.5
    assert np.nanmax(temperature[cold]) < 36


def test_severe_brain_injury_lowers_the_coma_score(made: Ward) -> None:
    """8 or less with AIS 5 and above, near 15 with a light concussion alone."""
    score = by_stay(made, "gcs")
    severe = with_wound(made, {"traumatic_brain_injury"}, 5)[made.stays.patient]
    light = with_wound(made, {"concussion_no_loc"})[made.stays.patient]
    light &= np.isin(made.stays.patient, np.flatnonzero(np.bincount(made.wounds.patient) == 1))
    light &= made.courses.died_s[made.stays.patient] == NEVER

    assert np.nanmedian(score[severe & (made.stays.role == 1)]) <= 6
    assert np.nanmin(score[light]) >= 13


def test_lost_blood_shows_in_the_laboratory(made: Ward) -> None:
    """Lost legs: haemoglobin down, lactate and INR up, pH down, against the same with infections only."""
    bled = with_wound(made, {"traumatic_amputation", "crushing_injury"}, 4)[made.stays.patient]
    choked = with_wound(made, {"respiratory_failure", "poisoning"}, 4)[made.stays.patient]
    living = made.courses.died_s[made.stays.patient] == NEVER

    def mean(key: str, who: np.ndarray) -> float:
        return float(np.nanmean(by_stay(made, key)[who & living & (made.stays.role == 2)]))

    assert mean("hemoglobin", bled) < mean("hemoglobin", choked) - 2
    assert mean("lactate", bled) > 30
    assert mean("inr", bled) > 1.2
    assert mean("ph", bled) < 7.36
    assert mean("pco2", choked) > mean("pco2", bled) + 5
    assert mean("oxygen_saturation", choked) < mean("oxygen_saturation", bled)


def test_survivors_get_better_under_care(made: Ward) -> None:
    """From the first to the last role, shock of the severely wounded who live goes down."""
    hurt = with_wound(made, {"bullet_wound", "open_wound", "traumatic_amputation"}, 4)
    alive = hurt & (made.courses.died_s == NEVER)
    for key, sign in (("heart_rate", -1), ("systolic", 1)):
        value = by_stay(made, key)
        early = value[alive[made.stays.patient] & (made.stays.role == 1)]
        late = value[alive[made.stays.patient] & (made.stays.role >= 3)]
        assert sign * (np.nanmean(late) - np.nanmean(early)) > 1.5, key


def test_the_dying_get_worse(made: Ward) -> None:
    """Who dies in a stay of hours has a lower pressure at the end than on arrival."""
    stays = made.stays
    here = (made.courses.died_s[stays.patient] == stays.left_s) & (stays.left_s - stays.arrived_s > 4 * 3600)
    first, last = by_stay(made, "systolic"), by_stay(made, "systolic", first=False)
    rows = of(made.measurements, "systolic")
    until = np.full(len(stays.patient), 10**9)
    until[made.measurements.stay[rows]] = (
        stays.left_s[made.measurements.stay[rows]] - made.measurements.at_s[rows]
    )
    close = here & (until < 2 * 3600) & ~np.isnan(first)

    assert close.sum() > 100
    assert np.mean(last[close] - first[close]) < -15


def test_chunks_do_not_change_measurements() -> None:
    """However the patients are cut into chunks, the rows are the same."""
    same_in_chunks("measurements")
