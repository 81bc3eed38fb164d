"""Diagnoses: preliminary at Role 1, confirmed from Role 2 on, sometimes mistaken."""

from __future__ import annotations

import numpy as np
import pytest

from carebus_generator.domain.catalogue import CATALOGUE
from carebus_generator.domain.cohort import NONE, Kind, Role, Triage
from carebus_generator.domain.conditions import CONDITIONS
from unit.generator.wards import Ward, same_in_chunks, ward


@pytest.fixture(scope="module")
def made() -> Ward:
    return ward(20_000)


@pytest.fixture(scope="module")
def of_wounds(made: Ward) -> np.ndarray:
    """Rows of diagnoses that speak of a wound."""
    return np.flatnonzero(made.diagnoses.wound != NONE)


def test_role_1_is_preliminary_and_role_2_confirms(made: Ward) -> None:
    """Who names a diagnosis says how sure it is."""
    role = made.stays.role[made.diagnoses.stay]

    assert (made.diagnoses.confirmed == (role >= Role.R2)).all()
    assert set(role.tolist()) == {1, 2, 3, 4}


def test_diagnoses_are_made_in_the_stay_after_care_began(made: Ward) -> None:
    """Nothing is diagnosed before somebody looks, after the patient left, or after death."""
    given, stays = made.diagnoses, made.stays
    died = made.courses.died_s[given.patient]

    assert (given.patient == stays.patient[given.stay]).all()
    assert (given.at_s >= stays.treated_s[given.stay]).all()
    assert (given.at_s < stays.left_s[given.stay]).all()
    assert ((given.at_s < died) | (died < 0)).all()


def test_rows_are_sorted_by_patient_and_time(made: Ward) -> None:
    """Finer tables come in order."""
    order = np.lexsort((made.diagnoses.at_s, made.diagnoses.patient))

    assert (np.diff(made.diagnoses.patient) >= 0).all()
    assert (made.diagnoses.at_s[order] == made.diagnoses.at_s).all()


def test_a_mistake_is_a_condition_that_it_could_have_been(made: Ward, of_wounds: np.ndarray) -> None:
    """Same group, and it fits mechanism, body region, sex and, give or take one, the severity."""
    fitting = {each.row: each for each in CONDITIONS.all}
    given, wounds = made.diagnoses, made.wounds
    mistaken = of_wounds[given.condition[of_wounds] != wounds.condition[given.wound[of_wounds]]]

    assert len(mistaken) > 500
    for row in mistaken:
        patient, wound = given.patient[row], given.wound[row]
        said, truth = fitting[int(given.condition[row])], fitting[int(wounds.condition[wound])]
        assert said.group == truth.group
        assert made.injuries.mechanism[patient] in said.mechanisms
        assert wounds.region[wound] in said.regions
        assert said.ais_low - 1 <= wounds.ais[wound] <= said.ais_high + 1
        assert (said.female if made.patients.female[patient] else said.male) > 0


@pytest.fixture(scope="module")
def first_looks() -> tuple[Ward, np.ndarray]:
    """Many patients, and the first diagnosis of each that could be mistaken."""
    made = ward(40_000, seed=11)
    given = made.diagnoses
    first = np.flatnonzero((given.wound != NONE) & (np.diff(given.patient, prepend=-1) != 0))
    return made, first[_mistakable(made, given.wound[first])]


@pytest.mark.parametrize(
    ("kind", "mass", "triage", "role", "expected"),
    [
        (Kind.DISEASE, False, Triage.T3, Role.R1, 0.75),
        (Kind.DISEASE, False, Triage.T2, Role.R2, 0.80),
        (Kind.DISEASE, True, Triage.T1, Role.R2, 0.55),
        (Kind.NON_BATTLE, False, Triage.T3, Role.R1, 0.75),
        (Kind.NON_BATTLE, True, Triage.T1, Role.R1, 0.45),
        (Kind.BATTLE, False, Triage.T1, Role.R2, 0.60),
        (Kind.BATTLE, True, Triage.T1, Role.R1, 0.30),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_first_looks_are_right_as_often_as_published(
    first_looks: tuple[Ward, np.ndarray],
    *,
    kind: Kind,
    mass: bool,
    triage: Triage,
    role: Role,
    expected: float,
) -> None:
    """Role, triage, battle and mass casualties decide how often a first diagnosis is right.

    Expected by hand from the published starting parameters: 0.75 at Role 1 and 0.85 at Role 2, less 0.10
    for T1, 0.05 for T2, 0.15 in battle, 0.20 with mass casualties.
    """
    made, rows = first_looks
    patient, stay = made.diagnoses.patient[rows], made.diagnoses.stay[rows]
    asked = (made.patients.kind[patient] == kind) & (made.patients.mass_casualty[patient] == mass)
    asked &= (made.stays.role[stay] == role) & (made.stays.triage[stay] == triage)
    rows = rows[asked]

    right = made.diagnoses.condition[rows] == made.wounds.condition[made.diagnoses.wound[rows]]

    assert len(right) > 150
    assert abs(right.mean() - expected) < 4 * np.sqrt(expected * (1 - expected) / len(right))


def test_each_wound_is_confirmed_once_and_again_only_to_put_it_right(
    made: Ward, of_wounds: np.ndarray
) -> None:
    """A later confirmation changes what an earlier one said, and none follows a right one."""
    given = made.diagnoses
    seen: dict[int, int] = {}
    for row in of_wounds[given.confirmed[of_wounds]]:
        wound, said = int(given.wound[row]), int(given.condition[row])
        if wound in seen:
            assert seen[wound] != said
            assert seen[wound] != made.wounds.condition[wound]
        seen[wound] = said


def test_all_wounds_of_who_is_cared_for_at_role_2_are_confirmed(made: Ward, of_wounds: np.ndarray) -> None:
    """Nobody leaves Role 2 with a wound that nobody named."""
    stays, given = made.stays, made.diagnoses
    alive = np.where(made.courses.died_s < 0, stays.left_s.max() + 1, made.courses.died_s)[stays.patient]
    long = (stays.role >= Role.R2) & (np.minimum(stays.left_s, alive) > stays.treated_s)
    expected = np.flatnonzero(np.isin(made.wounds.patient, stays.patient[long]))

    assert set(given.wound[of_wounds[given.confirmed[of_wounds]]].tolist()) == set(expected.tolist())


def test_allergies_on_record_are_said_once(made: Ward) -> None:
    """Each allergic patient who reaches care has the allergy once, about as many as declared."""
    given = made.diagnoses
    said = given.patient[given.condition == CATALOGUE.row("allergy_penicillin")]
    seen = np.unique(given.patient)

    assert len(set(said.tolist())) == len(said)
    assert set(said.tolist()) == set(seen[made.bodies.facts["penicillin_allergy"][seen]].tolist())
    assert 0.07 < len(said) / len(seen) < 0.09


def test_chunks_do_not_change_diagnoses() -> None:
    """However the patients are cut into chunks, the rows are the same."""
    same_in_chunks("diagnoses")


def _mistakable(made: Ward, wound: np.ndarray) -> np.ndarray:
    """Whether another condition of the group fits the wound, too."""
    fitting = {each.row: each for each in CONDITIONS.all}
    wounds = made.wounds
    possible = []
    for row in wound.tolist():
        truth, patient = fitting[int(wounds.condition[row])], wounds.patient[row]
        sisters = [each for each in CONDITIONS.all if each.group == truth.group and each is not truth]
        possible.append(
            any(
                made.injuries.mechanism[patient] in each.mechanisms
                and wounds.region[row] in each.regions
                and each.ais_low - 1 <= wounds.ais[row] <= each.ais_high + 1
                and (each.female if made.patients.female[patient] else each.male) > 0
                for each in sisters
            )
        )
    return np.array(possible)
