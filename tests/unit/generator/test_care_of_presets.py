"""The rules of care hold for what the whole model makes, whatever the scenario."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pytest

from carebus_generator.domain.bodies import penicillin_allergy
from carebus_generator.domain.care import CARE
from carebus_generator.domain.catalogue import CATALOGUE
from carebus_generator.domain.cohort import NEVER, NONE, Cohort, Region, Role, Triage
from carebus_generator.domain.draws import Draws, Ints
from carebus_generator.domain.making import make_cohort
from carebus_generator.domain.model import compile_model
from carebus_generator.domain.scenario import preset, preset_names

Made: TypeAlias = tuple[Cohort, npt.NDArray[np.str_]]
SEED = 5


@pytest.fixture(scope="module", params=preset_names())
def made(request: pytest.FixtureRequest) -> Made:
    """A cohort of a preset, and the key of each treatment."""
    scenario = preset(request.param).model_copy(update={"total": 3_000})
    cohort = make_cohort(compile_model(scenario, SEED), 0, 3_000)
    return cohort, np.array([code.key for code in CATALOGUE.codes])[cohort.treatments.code]


def test_everything_happens_in_a_stay_and_in_life(made: Made) -> None:
    """Diagnoses, treatments and measurements lie within their stay, or between first aid and pick-up, before death."""
    cohort, _ = made
    stays, courses = cohort.stays, cohort.courses
    end = np.where(courses.died_s == NEVER, courses.ended_s, courses.died_s)
    picked_up = end.copy()
    first = np.flatnonzero(np.diff(stays.patient, prepend=-1))
    picked_up[stays.patient[first]] = stays.picked_up_s[first]
    given, said, read = cohort.treatments, cohort.diagnoses, cohort.measurements
    for patient, stay, start, last in (
        (given.patient, given.stay, given.start_s, given.end_s),
        (said.patient, said.stay, said.at_s, said.at_s),
        (read.patient, read.stay, read.at_s, read.at_s),
    ):
        inside = stay != NONE
        assert (stays.patient[stay[inside]] == patient[inside]).all()
        assert (start[inside] >= stays.arrived_s[stay[inside]]).all()
        assert (last[inside] <= stays.left_s[stay[inside]]).all()
        assert (start[~inside] >= courses.first_aid_s[patient[~inside]]).all()
        assert (last[~inside] <= picked_up[patient[~inside]]).all()
        assert (last <= end[patient]).all()
        assert ((start < courses.died_s[patient]) | (courses.died_s[patient] == NEVER)).all()
        assert (np.diff(patient * 10**9 + start) >= 0).all()


def test_care_needs_a_reason_and_a_place(made: Made) -> None:
    """Surgery from Role 2 on, tourniquets on limbs that bleed badly, nothing twice within its interval."""
    cohort, keys = made
    given, stays, wounds = cohort.treatments, cohort.stays, cohort.wounds
    surgical = np.isin(keys, [rule.key for rule in CARE.rules if rule.surgical])
    assert (stays.role[given.stay[surgical]] >= Role.R2).all()
    assert not (surgical & (given.stay == NONE)).any()
    tied = given.wound[keys == "tourniquet"]
    assert np.isin(wounds.region[tied], (Region.LIMB_UPPER, Region.LIMB_LOWER)).all()
    assert (wounds.ais[tied] >= 3).all()
    for rule in CARE.rules:
        rows = np.flatnonzero(keys == rule.key)
        subject = given.wound[rows] if rule.per_wound else given.patient[rows]
        order = np.lexsort((given.start_s[rows], subject))
        again = np.diff(subject[order]) == 0
        gap = np.diff(given.start_s[rows][order])[again]
        assert (gap >= (rule.every_s if rule.times > 1 else 10**9)).all(), rule.key


def test_no_drug_that_is_forbidden(made: Made) -> None:
    """No opioid with an injured brain, no beta-lactam with a penicillin allergy."""
    cohort, keys = made
    given, wounds = cohort.treatments, cohort.wounds
    brain = [CATALOGUE.row(key) for key in ("traumatic_brain_injury", "concussion", "concussion_with_loc")]
    hurt = wounds.patient[np.isin(wounds.condition, brain)]
    allergic = penicillin_allergy(Draws(SEED, cohort.patients.index))

    assert not np.isin(given.patient[np.isin(keys, ("morphine", "fentanyl"))], hurt).any()
    assert not allergic[given.patient[np.isin(keys, ("cefazolin", "ceftriaxone", "amoxicillin"))]].any()


def test_signs_are_of_the_living_and_follow_triage(made: Made) -> None:
    """Within the catalogue's ranges; systolic above diastolic; shock index on arrival T1 > T2 > T3."""
    cohort, _ = made
    read = cohort.measurements
    assert (read.value >= CATALOGUE.low[read.code]).all()
    assert (read.value <= CATALOGUE.high[read.code]).all()

    def of(key: str) -> Ints:
        return np.flatnonzero(read.code == CATALOGUE.row(key))

    pulse, upper, lower = of("heart_rate"), of("systolic"), of("diastolic")
    assert (read.value[upper] > read.value[lower]).all()
    index = read.value[pulse] / read.value[upper]
    stay = read.stay[pulse]
    first = (np.diff(cohort.stays.patient, prepend=-1) != 0)[stay]
    mean = [
        index[first & (cohort.stays.triage[stay] == triage)].mean()
        for triage in (Triage.T1, Triage.T2, Triage.T3)
    ]
    assert mean[0] > mean[1] > mean[2]
