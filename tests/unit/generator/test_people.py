"""Who the patients are: ages, sexes, builds, blood groups, nations and service numbers."""

from __future__ import annotations

import re
from datetime import date, timedelta

import numpy as np
import pytest

from carebus_generator.domain.cohort import Kind, Patients
from carebus_generator.domain.model import Model, compile_model
from carebus_generator.domain.omop.persons import service_numbers
from carebus_generator.domain.people import people
from carebus_generator.domain.reference import BLOOD_GROUPS, NATION_CODES, names
from carebus_generator.domain.scenario import preset, preset_names
from carebus_generator.domain.surroundings import surroundings_of
from unit.generator.scenarios import a_scenario

_MANY = 40_000


@pytest.fixture(scope="module")
def many() -> tuple[Model, Patients]:
    """40,000 patients of the default scenario."""
    model = compile_model(preset("default").model_copy(update={"total": _MANY}), 5)
    return model, people(model, np.arange(_MANY))


def test_ages_are_those_of_the_registry(many: tuple[Model, Patients]) -> None:
    """Median 24, quartiles 21 and 29 (Le 2016), mean near 26.0; nobody under 18 or over 60."""
    model, made = many
    base = model.scenario.base_date
    injured = [base + timedelta(seconds=int(at)) for at in made.injured_s[:5000]]
    born = [date(1970, 1, 1) + timedelta(days=int(day)) for day in made.birth_day[:5000]]

    ages = np.asarray([
        then.year - birth.year - ((then.month, then.day) < (birth.month, birth.day))
        for then, birth in zip(injured, born, strict=True)
    ])  # fmt: skip

    exact = (np.asarray([then.toordinal() for then in injured]) - [b.toordinal() for b in born]) / 365.2425
    assert np.quantile(exact, [0.25, 0.5, 0.75]) == pytest.approx([21, 24, 29], abs=0.5)
    assert exact.mean() == pytest.approx(26.0, abs=0.6)
    assert ages.min() >= 18
    assert ages.max() <= 60


@pytest.mark.parametrize("name", preset_names())
def test_men_are_as_many_as_in_the_checks(name: str) -> None:
    """90 to 98 % in every preset."""
    scenario = preset(name).model_copy(update={"total": _MANY})
    made = people(compile_model(scenario, 5), np.arange(_MANY))

    assert 0.90 <= 1 - made.female.mean() <= 0.98


def test_women_are_rarer_among_battle_casualties(many: tuple[Model, Patients]) -> None:
    """Of registered injuries women's are non-battle in 63.2 %, men's in 33.1 %: odds differ by 3.47."""
    _, made = many
    battle, other = (made.female[made.kind == kind].mean() for kind in (Kind.BATTLE, Kind.NON_BATTLE))

    assert (other / (1 - other)) / (battle / (1 - battle)) == pytest.approx(3.47, rel=0.35)
    # Registries of battle casualties: 96.8 to 98.8 % men.
    assert 0.968 <= 1 - battle <= 0.988


def test_a_scenario_may_say_how_many_men_a_nation_has() -> None:
    """Disease has the force's own share; the odds by kind move the others."""
    scenario = a_scenario(total=20_000, male={"XXX": 0.75})
    made = people(compile_model(scenario, 1), np.arange(20_000))

    assert made.female[made.kind == Kind.DISEASE].mean() == pytest.approx(0.25, abs=0.03)


def test_builds_are_of_grown_people(many: tuple[Model, Patients]) -> None:
    """Weights from 45 to 130 kg with one decimal, heights that fit, men taller and heavier."""
    _, made = many

    assert made.weight_kg.min() >= 45
    assert made.weight_kg.max() <= 130
    assert (made.weight_kg == np.round(made.weight_kg, 1)).all()
    assert made.height_cm.min() >= 145
    assert made.height_cm.max() <= 210
    assert made.height_cm[~made.female].mean() - made.height_cm[made.female].mean() > 10
    assert made.weight_kg[~made.female].mean() - made.weight_kg[made.female].mean() > 10
    mass = made.weight_kg / (made.height_cm / 100) ** 2
    assert mass.min() > 17
    assert mass.max() < 39


def test_blood_groups_are_those_of_the_table(many: tuple[Model, Patients]) -> None:
    """O+ 38, A+ 34, B+ 9, O- 7, A- 6, AB+ 3, B- 2, AB- 1 percent, to four standard deviations."""
    _, made = many
    found = dict(zip(names(BLOOD_GROUPS), np.bincount(made.blood, minlength=8) / _MANY, strict=True))

    expected = {
        "O+": 0.38,
        "A+": 0.34,
        "B+": 0.09,
        "O-": 0.07,
        "A-": 0.06,
        "AB+": 0.03,
        "B-": 0.02,
        "AB-": 0.01,
    }
    for group, share in expected.items():
        assert abs(found[group] - share) < 4 * (share * (1 - share) / _MANY) ** 0.5, group


def test_nations_are_those_of_their_front(many: tuple[Model, Patients]) -> None:
    """Poland's front has POL 50, LTU 25, NLD 20, ESP 5 percent, and nobody else."""
    _, made = many
    nations = np.bincount(made.nation[made.front == 0], minlength=len(NATION_CODES))
    found = {code: count / nations.sum() for code, count in zip(NATION_CODES, nations, strict=True) if count}

    assert found == {
        "POL": pytest.approx(0.50, abs=0.015),
        "LTU": pytest.approx(0.25, abs=0.015),
        "NLD": pytest.approx(0.20, abs=0.015),
        "ESP": pytest.approx(0.05, abs=0.01),
    }


def test_service_numbers_are_unique_and_of_no_nations_shape(many: tuple[Model, Patients]) -> None:
    """Nation, mark of the data set, running number; no national id looks like this."""
    model, made = many
    numbers = service_numbers(surroundings_of(model, "test"), made)

    assert len(set(numbers)) == _MANY
    assert all(re.fullmatch(r"[A-Z]{3}-[0-9A-HJKMNP-TV-Z]{6}-\d{10}", number) for number in numbers)
    # Shapes of the facts, without their separators; ours has nineteen letters and digits.
    national = [r"\d{9,13}", r"[A-Z]{1,2}\d{6,8}[A-Z]?", r"\d{6,8}[A-Z]{1,2}", r"[A-Z0-9]{15,16}"]
    bare = [re.sub(r"[^A-Z0-9]", "", number) for number in numbers[:100]]
    assert not any(re.fullmatch(shape, number) for shape in national for number in bare)


def test_two_data_sets_share_no_service_number() -> None:
    """Another seed or scenario has another mark, so that both can be loaded into one system."""
    marks = set()
    for seed in range(20):
        for total in (10, 11):
            model = compile_model(a_scenario(total=total), seed)
            marks.add(service_numbers(surroundings_of(model, "test"), people(model, np.arange(1)))[0][4:10])

    assert len(marks) == 40


def test_a_patient_of_the_middle_costs_what_the_first_costs() -> None:
    """Any index can be made alone, and is what it is among others."""
    model = compile_model(preset("maritime"), 3)
    whole = people(model, np.arange(1800))

    alone = people(model, np.asarray([900]))

    for column in Patients.__slots__:
        assert getattr(alone, column)[0] == getattr(whole, column)[900], column
