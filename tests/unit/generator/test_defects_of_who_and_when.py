"""Defects of the generator that people used before, of who and when: numbered as in our notes; others: test_defects."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from importlib.resources import files

import numpy as np
import pytest

from carebus_generator.domain.cohort import Kind, Patients
from carebus_generator.domain.model import compile_model
from carebus_generator.domain.people import people
from carebus_generator.domain.reference import ENVIRONMENTS, WARFARE, names
from carebus_generator.domain.scenario import preset
from unit.generator.scenarios import a_scenario


def _made(total: int, seed: int = 1, **changed: object) -> Patients:
    scenario = a_scenario(total=total, days=8, **changed)
    return people(compile_model(scenario, seed), np.arange(total))


def test_01_the_mix_is_honoured() -> None:
    """52 : 33 : 15 of 1,440 are 749, 475 and 216 patients; there it was 99 % battle."""
    made = _made(1440, mix={"disease": 0.52, "non_battle": 0.33, "battle": 0.15})

    assert np.bincount(made.kind).tolist() == [216, 475, 749]


@pytest.mark.parametrize("modulus", [2, 3, 10, 100])
def test_01_sex_and_kind_do_not_follow_the_number_of_the_patient(modulus: int) -> None:
    """Sex was the number modulo 2, triage modulo 10, the kind modulo 100: here each remainder has its share."""
    made = _made(40_000, male={"XXX": 0.5})
    rest = made.index % modulus

    for column in (made.female, made.kind == Kind.BATTLE, made.blood == 0, made.nation == made.nation[0]):
        share = column.mean()
        shares = np.bincount(rest, weights=column) / np.bincount(rest)
        # Five standard deviations; kinds come in events of about ten.
        assert np.abs(shares - share).max() < 5 * (share * (1 - share) * modulus / 40_000 * 10) ** 0.5 + 1e-9


@pytest.mark.parametrize(
    "environment", [[], ["storm"], ["fog", "storm", "dust_storm"], ["mountainous_terrain"]]
)
@pytest.mark.parametrize("total", [1440, 10_000])
def test_03_nobody_is_left_over_for_the_last_event(environment: list[str], total: int) -> None:
    """A storm put 689 of 1,440 patients into one event late on day 8; here no event is beyond its type's 30."""
    made = _made(total, environment=environment)

    assert made.event_size.max() <= 30
    last_hour = made.injured_s // 3600 == made.injured_s.max() // 3600
    assert last_hour.mean() < 0.02


@pytest.mark.parametrize("environment", names(ENVIRONMENTS))
def test_04_no_event_is_negative_or_empty_and_nobody_too_many(environment: str) -> None:
    """Mountains made an event of -83; three special events one of -59. Here sizes are 1 and more, and add up."""
    events = [
        {"kind": "major_offensive", "day": 2, "start_hour": 6, "share": 0.3},
        {"kind": "ambush", "day": 4, "start_hour": 18, "share": 0.1},
        {"kind": "mass_casualty", "day": 6, "start_hour": 12, "share": 0.15},
    ]
    made = _made(1440, environment=[environment], special_events=events)

    first = np.flatnonzero(np.diff(made.event, prepend=made.event[0] + 1) != 0)
    assert made.event_size.min() >= 1
    assert made.event_size[first].sum() == 1440


@pytest.mark.parametrize("warfare", names(WARFARE))
@pytest.mark.parametrize("total", [1, 7, 150])
def test_05_every_type_makes_patients_also_few(warfare: str, total: int) -> None:
    """150 naval patients in 8 days gave none; and three types had no hours of their own."""
    made = _made(total, warfare=[warfare])

    assert len(made.index) == total
    days = np.bincount(made.injured_s // 86_400, minlength=8)
    assert days.max() - days.min() <= 1


def test_10_age_weight_and_blood_are_those_of_soldiers() -> None:
    """Ages were counted from today, with patients of 16; weights from 25 kg; blood groups in equal quarters."""
    then = _made(20_000, base_date="1995-01-01")
    now = _made(20_000, base_date="2035-01-01")

    for made, year in ((then, 1995), (now, 2035)):
        days_to_base = (np.datetime64(f"{year}-01-01") - np.datetime64("1970-01-01")).astype(int)
        age_days = days_to_base + made.injured_s // 86_400 - made.birth_day
        assert age_days.min() >= 18 * 365.25
        assert age_days.max() <= 60 * 365.25
        assert made.weight_kg.min() >= 45
        assert np.bincount(made.blood).max() / 20_000 > 0.35


def test_11_a_seed_gives_the_same_patients_again() -> None:
    """There was no seed, and a table changed between calls. Here five compilations are one, between others too."""
    digests = set()
    for _ in range(5):
        made = _made(1440, seed=77, tempo="surge")
        _made(500, seed=78, tempo="surge", warfare=["guerrilla"])
        digests.add(
            sha256(b"".join(getattr(made, name).tobytes() for name in Patients.__slots__)).hexdigest()
        )

    assert len(digests) == 1


def test_12_scenarios_at_once_leave_each_other_and_the_files_alone() -> None:
    """A file was overwritten for each job. Here five at once are as if alone, and no file changes."""
    data = files("carebus_generator") / "data"
    paths = [*(data / "presets").iterdir(), *(path for path in data.iterdir() if path.is_file())]
    before = [sha256(path.read_bytes()).hexdigest() for path in paths]
    wanted = ("baltic_defence", "maritime", "cbrn", "peacekeeping", "urban_assault")

    def make(name: str) -> str:
        scenario = preset(name)
        made = people(compile_model(scenario, 3), np.arange(scenario.total))
        return sha256(b"".join(getattr(made, column).tobytes() for column in Patients.__slots__)).hexdigest()

    alone = [make(name) for name in wanted]
    with ThreadPoolExecutor(5) as pool:
        together = list(pool.map(make, wanted))

    assert together == alone
    assert len(set(alone)) == 5
    assert [sha256(path.read_bytes()).hexdigest() for path in paths] == before
