"""Injuries: mechanism, triage, wounds and severity come out as the sources say."""

from __future__ import annotations

import numpy as np
import pytest

from carebus_generator.domain.catalogue import CATALOGUE
from carebus_generator.domain.cohort import Kind, Mechanism, Region, Triage, Wounds
from carebus_generator.domain.injuries import injury_severity_scores
from carebus_generator.domain.reference import WARFARE, names
from carebus_generator.domain.scenario import preset_names
from unit.generator.courses import Made, make, scenario

HEAD, THORAX, ABDOMEN, ARM, LEG, WHOLE = Region


@pytest.fixture(scope="module")
def conventional() -> Made:
    """Ground combat alone, with the triage of its table."""
    return make(
        scenario("training", 20_000).model_copy(
            update={"warfare": {"conventional": 1.0}, "special_events": (), "environment": ()}
        ),
        seed=3,
    )


@pytest.mark.parametrize(
    ("wounds", "score"),
    [
        pytest.param([(HEAD, 3)], 9, id="one region"),
        pytest.param([(HEAD, 4), (THORAX, 3), (ABDOMEN, 2), (LEG, 2)], 29, id="the three worst of four"),
        pytest.param([(ARM, 3), (LEG, 4)], 16, id="arms and legs are one region"),
        pytest.param([(THORAX, 3), (THORAX, 3), (HEAD, 1)], 10, id="a region counts once"),
        pytest.param([(HEAD, 5), (THORAX, 5), (ABDOMEN, 5)], 75, id="the highest sum"),
        pytest.param([(HEAD, 6), (LEG, 1)], 75, id="an AIS of 6 is 75"),
        pytest.param([(WHOLE, 2), (LEG, 1)], 5, id="burns are the external region"),
    ],
)
def test_the_injury_severity_score_is_bakers(wounds: list[tuple[int, int]], score: int) -> None:
    """Worked by hand after the definition of 1974."""
    region, ais = np.array(wounds).T
    nobody = np.zeros(len(wounds), dtype=np.int64)

    scores = injury_severity_scores(Wounds(patient=nobody, condition=nobody, region=region, ais=ais), 2)

    assert scores.tolist() == [score, 0]


def test_mechanisms_of_ground_combat_are_those_of_the_registry(conventional: Made) -> None:
    """Explosions 74 to 78 % and gunshot 18 to 20 % of battle casualties."""
    shares = np.bincount(conventional.injuries.mechanism[conventional.battle], minlength=len(Mechanism))
    shares = shares / shares.sum()

    assert shares[Mechanism.BLAST] == pytest.approx(0.75, abs=0.02)
    assert shares[Mechanism.GUNSHOT] == pytest.approx(0.20, abs=0.02)


def test_a_front_of_drones_has_96_blasts_to_4_gunshots() -> None:
    """The way of fighting shows in the mechanism."""
    made = make(
        scenario("training", 20_000).model_copy(update={"warfare": {"drone": 1.0}, "special_events": ()}), 3
    )
    mechanism = made.injuries.mechanism[made.battle]
    blasts, shots = (mechanism == Mechanism.BLAST).sum(), (mechanism == Mechanism.GUNSHOT).sum()

    assert blasts / (blasts + shots) == pytest.approx(0.96, abs=0.01)


def test_wounds_of_battle_are_where_the_registry_has_them(conventional: Made) -> None:
    """Head and neck 28, thorax 10, abdomen 10, limbs 52 %, and three to four wounds a casualty."""
    wounds = conventional.wounds
    of_battle = conventional.battle[wounds.patient]
    counts = np.bincount(wounds.region[of_battle & (wounds.region != Region.WHOLE)], minlength=5)
    head, thorax, abdomen, arms, legs = counts / counts.sum()

    assert (head, thorax, abdomen) == pytest.approx((0.281, 0.099, 0.101), abs=0.02)
    assert arms + legs == pytest.approx(0.519, abs=0.02)
    assert 3 <= of_battle.sum() / conventional.battle.sum() <= 4
    assert np.bincount(wounds.patient)[~conventional.battle].tolist() == [1] * int(
        (~conventional.battle).sum()
    )


@pytest.mark.parametrize("warfare", names(WARFARE))
def test_triage_is_that_of_the_warfare_type(warfare: str) -> None:
    """Within four deviations of its table for each kind; of battle casualties some of T1 are expectant."""
    table = WARFARE[names(WARFARE).index(warfare)].triage
    made = make(
        scenario("training", 20_000).model_copy(update={"warfare": {warfare: 1.0}, "special_events": ()}),
        seed=5,
    )

    for kind in Kind:
        counts = np.bincount(made.injuries.triage[made.patients.kind == kind], minlength=5)[1:]
        t1, t2, t3, t4 = counts / counts.sum()
        within = 4 * 0.45 / np.sqrt(counts.sum())
        assert (t1 + t4, t2, t3) == pytest.approx(table[kind], abs=within)
        # Exercise Vigorous Warrior 24: 3.79 % expectant beside 35.96 % immediate.
        assert t4 == pytest.approx(3.79 / 39.75 * table[kind][0] if kind == Kind.BATTLE else 0, abs=0.01)


@pytest.mark.parametrize("name", preset_names())
def test_severity_scores_are_those_of_the_registry(name: str) -> None:
    """Survivors of battle have a median near 5 (quartiles 2 and 10), the dead of 24 to 30, in every preset."""
    made = make(scenario(name, 20_000), seed=3)
    iss, triage = made.injuries.iss, made.injuries.triage
    injured = made.patients.kind != Kind.DISEASE
    low, middle, high = np.percentile(iss[made.battle & ~made.dead], [25, 50, 75])

    assert 4 <= middle <= 6
    assert 2 <= low <= 4
    assert 8 <= high <= 12
    assert 24 <= np.median(iss[injured & made.dead]) <= 30
    by_triage = [
        iss[injured & (triage == one)].mean() for one in (Triage.T3, Triage.T2, Triage.T1, Triage.T4)
    ]
    assert by_triage == sorted(by_triage)
    for one in (Triage.T1, Triage.T2):
        same = injured & (triage == one)
        assert iss[same & made.dead].mean() > iss[same & ~made.dead].mean()
    assert (iss[~injured] == 0).all()


def test_the_worst_wound_comes_first_and_no_limb_kills_like_a_head(conventional: Made) -> None:
    """AIS falls within a patient; a limb's is 4 at most."""
    wounds = conventional.wounds
    same = wounds.patient[1:] == wounds.patient[:-1]

    assert (np.diff(wounds.ais)[same] <= 0).all()
    limb = np.isin(wounds.region, (Region.LIMB_UPPER, Region.LIMB_LOWER))
    assert wounds.ais[limb].max() <= 4
    assert wounds.ais.min() >= 1


@pytest.mark.parametrize("name", ["default", "cbrn", "maritime", "arctic"])
def test_no_man_is_pregnant_and_nobody_freezes_of_heat(name: str) -> None:
    """Conditions fit the sex, and the surroundings."""
    made = make(scenario(name, 20_000), seed=11)
    keys = np.array([code.key for code in CATALOGUE.codes])[made.wounds.condition]
    men = ~made.patients.female[made.wounds.patient]

    assert not (men & (keys == "tubal_pregnancy")).any()
    if name == "arctic":
        of_cold = np.isin(keys, ("hypothermia", "frostbite"))
        assert of_cold.any()
        assert not (keys == "heat_exhaustion").any()
