"""Treatments: possible where the patient is, indicated, not forbidden, in time, and not repeated without reason."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from carebus_generator.domain.care import CARE, read_care
from carebus_generator.domain.catalogue import CATALOGUE, Domain, data_text
from carebus_generator.domain.cohort import NEVER, NONE, Kind, Region, Role, Triage
from unit.generator.wards import Ward, same_in_chunks, ward

SURGERY = {"surgery", "above_knee_amputation", "foot_amputation", "hand_amputation", "chest_tube"}
OPIOIDS = {"morphine", "fentanyl"}
BETA_LACTAMS = {"cefazolin", "ceftriaxone", "amoxicillin"}
OTHER_ANTIBIOTICS = {"vancomycin", "clindamycin", "doxycycline"}
OF_WOUNDS = {
    "tourniquet", "pressure_dressing", "dressing", "suture", "dressing_change", "bone_immobilization", "fentanyl",
    "cefazolin", "red_cells", "plasma", "chest_tube", "thoracentesis", "above_knee_amputation", "foot_amputation",
    "hand_amputation", "ct_head",
}  # fmt: skip
BRAIN = {"traumatic_brain_injury", "concussion", "concussion_no_loc", "concussion_with_loc"}
HOURS_BETWEEN = {
    "morphine": 4, "acetaminophen": 6, "ibuprofen": 6, "ondansetron": 8, "cefazolin": 6, "vancomycin": 8,
    "ceftriaxone": 12, "amoxicillin": 8, "clindamycin": 6, "doxycycline": 12, "nitrofurantoin": 6, "albuterol": 4,
    "cetirizine": 24, "hydrocortisone_cream": 6, "midazolam": 2, "dressing_change": 12, "neuro_exam": 1,
    "counseling": 12,
}  # fmt: skip
"""Least hours between two of the same; what is not here is done once, or once a wound."""


@pytest.fixture(scope="module")
def made() -> Ward:
    return ward(20_000)


@pytest.fixture(scope="module")
def keys(made: Ward) -> np.ndarray:
    """Key of each treatment."""
    return np.array([code.key for code in CATALOGUE.codes])[made.treatments.code]


def test_every_procedure_and_drug_of_the_catalogue_has_a_rule() -> None:
    """The catalogue carries no code that nothing makes."""
    carried = {code.key for code in (*CATALOGUE.of(Domain.PROCEDURE), *CATALOGUE.of(Domain.DRUG))}

    assert carried == {rule.key for rule in CARE.rules}


def test_every_rule_is_used(keys: np.ndarray) -> None:
    """No rule is written so that it never comes about."""
    assert {rule.key for rule in CARE.rules} - set(keys.tolist()) == set()


def test_treatments_are_given_where_the_patient_is(made: Ward) -> None:
    """Never before arrival or care, never after leaving; at the point of injury between first aid and pick-up."""
    given, stays, courses = made.treatments, made.stays, made.courses
    at_facility = np.flatnonzero(given.stay != NONE)
    stay = given.stay[at_facility]
    outside = np.flatnonzero(given.stay == NONE)
    patient = given.patient[outside]

    assert (given.patient[at_facility] == stays.patient[stay]).all()
    assert (given.start_s[at_facility] >= stays.treated_s[stay]).all()
    assert (given.end_s[at_facility] <= stays.left_s[stay]).all()
    assert len(outside) > 1000
    assert (courses.first_aid_s[patient] != NEVER).all()
    assert (given.start_s[outside] >= courses.first_aid_s[patient]).all()
    first = np.flatnonzero(np.diff(stays.patient, prepend=-1))
    picked_up = dict(zip(stays.patient[first].tolist(), stays.picked_up_s[first].tolist(), strict=True))
    for who, end in zip(patient.tolist(), given.end_s[outside].tolist(), strict=True):
        assert end <= picked_up.get(who, courses.ended_s[who])


def test_nothing_is_done_after_death(made: Ward) -> None:
    """The dead are not treated."""
    died = made.courses.died_s[made.treatments.patient]
    dead = died != NEVER

    assert dead.any()
    assert (made.treatments.start_s[dead] < died[dead]).all()
    assert (made.treatments.end_s[dead] <= died[dead]).all()


def test_rows_are_sorted_by_patient_and_time(made: Ward) -> None:
    """Finer tables come in order, and end no earlier than they start."""
    given = made.treatments
    key = given.patient * 10**9 + given.start_s

    assert (np.diff(key) >= 0).all()
    assert (given.end_s >= given.start_s).all()


def test_nobody_operates_before_role_2(made: Ward, keys: np.ndarray) -> None:
    """Surgery, amputation and chest tubes need a team that the point of injury and Role 1 lack."""
    operated = np.flatnonzero(np.isin(keys, list(SURGERY)))
    stay = made.treatments.stay[operated]

    assert len(operated) > 1000
    assert (stay != NONE).all()
    assert (made.stays.role[stay] >= Role.R2).all()


def test_the_expectant_are_not_operated(made: Ward, keys: np.ndarray) -> None:
    """T4 gets relief, not a theatre."""
    operated = np.flatnonzero(np.isin(keys, list(SURGERY - {"chest_tube"})))

    assert (made.stays.triage[made.treatments.stay[operated]] != Triage.T4).all()
    assert (made.stays.triage == Triage.T4).any()


def test_tourniquets_are_for_limbs_that_bleed_badly(made: Ward, keys: np.ndarray) -> None:
    """Only limbs, only severe, only wounds and lost limbs; applied before Role 2."""
    tied = np.flatnonzero(keys == "tourniquet")
    wound = made.treatments.wound[tied]
    names = {CATALOGUE[row].key for row in made.wounds.condition[wound].tolist()}

    assert len(tied) > 500
    assert set(made.wounds.region[wound].tolist()) == {Region.LIMB_UPPER, Region.LIMB_LOWER}
    assert (made.wounds.ais[wound] >= 3).all()
    assert names <= {
        "bullet_wound",
        "open_wound",
        "traumatic_amputation",
        "crushing_injury",
        "laceration_of_thigh",
    }
    stay = made.treatments.stay[tied]
    assert ((stay == NONE) | (made.stays.role[stay] == Role.R1)).all()


def test_amputations_are_of_the_limb_that_is_lost(made: Ward, keys: np.ndarray) -> None:
    """A leg is not amputated for a hand."""
    for key, region in (
        ("above_knee_amputation", Region.LIMB_LOWER),
        ("foot_amputation", Region.LIMB_LOWER),
        ("hand_amputation", Region.LIMB_UPPER),
    ):
        wound = made.treatments.wound[keys == key]
        assert set(made.wounds.region[wound].tolist()) == {region}
        assert {CATALOGUE[row].key for row in made.wounds.condition[wound].tolist()} == {
            "traumatic_amputation"
        }


def test_no_opioid_with_a_brain_injury(made: Ward, keys: np.ndarray) -> None:
    """Morphine and fentanyl are not for those with an injury of the brain, however light."""
    hurt = {CATALOGUE.row(key) for key in BRAIN}
    brain = set(made.wounds.patient[np.isin(made.wounds.condition, list(hurt))].tolist())
    drugged = made.treatments.patient[np.isin(keys, list(OPIOIDS))]

    assert len(drugged) > 1000
    assert len(brain) > 1000
    assert not brain & set(drugged.tolist())


def test_allergies_are_respected_by_another_antibiotic(made: Ward, keys: np.ndarray) -> None:
    """Who is allergic to penicillin gets no beta-lactam; nobody else gets the substitutes."""
    allergic = made.bodies.facts["penicillin_allergy"][made.treatments.patient]

    assert not np.isin(keys[allergic], list(BETA_LACTAMS)).any()
    assert not np.isin(keys[~allergic], list(OTHER_ANTIBIOTICS)).any()
    assert np.isin(keys[allergic], list(OTHER_ANTIBIOTICS)).sum() > 200


def test_no_nsaid_for_who_bleeds(made: Ward, keys: np.ndarray) -> None:
    """Ibuprofen impairs platelets: not with a severe open wound, nor with an injured brain or kidney."""
    severe = np.isin(made.wounds.condition, [CATALOGUE.row(key) for key in ("bullet_wound", "open_wound")])
    bleeding = set(made.wounds.patient[severe & (made.wounds.ais >= 4)].tolist())

    assert not bleeding & set(made.treatments.patient[keys == "ibuprofen"].tolist())


def test_disease_gets_care_for_disease(made: Ward, keys: np.ndarray) -> None:
    """No dressing for diarrhoea, no splint for a cough; infection gets antibiotics, vomiting its antiemetic."""
    ill = made.patients.kind[made.treatments.patient] == Kind.DISEASE
    caught = made.wounds.condition[made.treatments.wound[ill]]
    pairs = set(zip([CATALOGUE[row].key for row in caught.tolist()], keys[ill].tolist(), strict=True))

    assert not OF_WOUNDS & {key for _, key in pairs} - {"red_cells", "plasma"}
    assert ("strep_throat", "amoxicillin") in pairs
    assert ("vomiting", "ondansetron") in pairs
    assert ("sepsis", "ceftriaxone") in pairs
    assert ("contact_dermatitis", "hydrocortisone_cream") in pairs
    assert {key for name, key in pairs if name == "stress"} == {
        "counseling",
        "physical_exam",
        "psych_assessment",
    }


def test_nothing_is_repeated_without_reason(made: Ward, keys: np.ndarray) -> None:
    """The same is done again only after its interval; what has none is done once, or once a wound."""
    times: dict[tuple[int, str, int], list[int]] = defaultdict(list)
    per_wound = {rule.key for rule in CARE.rules if rule.per_wound}
    given = made.treatments
    for patient, key, wound, start in zip(given.patient, keys, given.wound, given.start_s, strict=True):
        times[int(patient), str(key), int(wound) if key in per_wound else 0].append(int(start))

    again = 0
    for (_, key, _), starts in times.items():
        for gap in np.diff(sorted(starts)):
            again += 1
            assert gap >= HOURS_BETWEEN.get(key, 10**9) * 3600, key
    assert again > 1000


def test_drugs_and_blood_have_a_dose_within_the_range(made: Ward) -> None:
    """Quantities are in the catalogue's unit and range; procedures other than blood have none."""
    given = made.treatments
    for row in np.unique(given.code).tolist():
        code, quantity = CATALOGUE[row], given.quantity[given.code == row]
        if code.domain is Domain.DRUG or code.unit:
            assert (quantity >= code.low).all(), code.key
            assert (quantity <= code.high).all(), code.key
            assert (np.round(quantity, code.decimals) == quantity).all(), code.key
        else:
            assert not quantity.any(), code.key


def test_what_follows_comes_after(made: Ward, keys: np.ndarray) -> None:
    """Nobody is ventilated without a tube, nor gets plasma without red cells."""
    given = made.treatments
    for before, after in (
        ("intubation", "ventilation"),
        ("intubation", "rocuronium"),
        ("red_cells", "plasma"),
    ):
        start = dict(
            zip(given.patient[keys == before].tolist(), given.start_s[keys == before].tolist(), strict=True)
        )
        for patient, at in zip(given.patient[keys == after], given.start_s[keys == after], strict=True):
            assert at >= start[int(patient)]


def test_short_stays_still_hold_what_is_urgent(made: Ward, keys: np.ndarray) -> None:
    """However short the first stay, its treatments lie within it, and keep their order."""
    given, stays = made.treatments, made.stays
    short = np.flatnonzero(stays.left_s - stays.treated_s < 600)
    inside = np.isin(given.stay, short)

    assert inside.sum() > 50


BAD = {
    "surgery at role 1": (
        'code = "surgery"\nsource = "mp"\nroles = ["R2"',
        'code = "surgery"\nsource = "mp"\nroles = ["R1"',
        "before Role 2",
    ),
    "unknown code": ('code = "saline"', 'code = "saline_flush"', "saline_flush"),
    "unknown group": ('groups = ["gut", "heat"]', 'groups = ["guts"]', "no group 'guts'"),
    "no dose": ("dose = [800, 800]\n", "", "needs a dose"),
    "no source": ('source = "jts"', 'source = "hearsay"', "hearsay"),
    "no interval": ("every_h = 6\ntimes = 2", "times = 2", "needs every_h"),
    "typo": ("surgical = true", "surgicall = true", "surgicall"),
    "no reason": ('follows = ["intubation"]\n', "", "'for' or 'follows'"),
    "no treatment": ('code = "saline"', 'code = "weight"', "not Measurement"),
}


@pytest.mark.parametrize(("old", "new", "complaint"), BAD.values(), ids=BAD.keys())
def test_bad_protocols_are_refused(old: str, new: str, complaint: str) -> None:
    """care.toml is checked when it is read."""
    text = data_text("care.toml")
    assert old in text

    with pytest.raises((ValueError, KeyError), match=complaint):
        read_care(text.replace(old, new))


def test_chunks_do_not_change_treatments() -> None:
    """However the patients are cut into chunks, the rows are the same."""
    same_in_chunks("treatments")
