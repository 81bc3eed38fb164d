"""Hours of the day: each way of fighting leaves its own mark, by the tables of the facts."""

from __future__ import annotations

import numpy as np
import pytest

from carebus_generator.domain.cohort import Kind, Patients
from carebus_generator.domain.draws import Draws
from carebus_generator.domain.model import compile_model
from carebus_generator.domain.people import people
from carebus_generator.domain.reference import WARFARE, Warfare, names
from carebus_generator.domain.shapes import shapes
from unit.generator.scenarios import a_scenario

_DAYS = 200


def _type(name: str) -> Warfare:
    return WARFARE[names(WARFARE).index(name)]


def _shapes(name: str, *, frequency: float = 1.0, by_night: bool = False) -> np.ndarray:
    draws = Draws(3, np.arange(_DAYS))
    return shapes(_type(name).pattern, draws, "test", days=_DAYS, frequency=frequency, by_night=by_night)


@pytest.mark.parametrize("name", names(WARFARE))
def test_shapes_are_shares_of_a_day(name: str) -> None:
    """The sum is 1 and nothing is negative."""
    found = _shapes(name)

    assert found.shape == (_DAYS, 24)
    assert found.min() >= 0
    assert np.allclose(found.sum(axis=1), 1)


def test_conventional_combat_peaks_in_the_morning_and_the_evening() -> None:
    """Peak hours have five times the base's; nights three tenths of it, unless fighting goes on by night."""
    day, night = _shapes("conventional")[0], _shapes("conventional", by_night=True)[0]

    assert day[[6, 7, 8, 9, 16, 17, 18, 19]] / day[12] == pytest.approx(5.0)
    assert day[[22, 23, 0, 1, 2, 3, 4, 5]] / day[12] == pytest.approx(0.3)
    assert night[[22, 23, 0, 1, 2, 3, 4, 5]] / night[12] == pytest.approx(1.0)


def test_artillery_comes_in_three_surges_with_four_fifths_of_the_day() -> None:
    """Two hours each, from preferred hours on; surges that touch make fewer hours."""
    for day in _shapes("artillery"):
        inside = day > 1 / 24
        assert day[inside].sum() == pytest.approx(0.8)
        assert 3 <= inside.sum() <= 6
        starts = np.flatnonzero(inside & ~np.roll(inside, 1) | inside & np.isin(np.arange(24), [0]))
        assert set(starts.tolist()) <= {0, 5, 6, 11, 12, 17, 18, 22, 23}


def test_town_fighting_has_two_phases() -> None:
    """6 to 9 with weight 3.0, 14 to 16 with 2.5, the rest 0.8."""
    day = _shapes("urban")[0]

    assert day[6:10] / day[0] == pytest.approx(3.75)
    assert day[14:17] / day[0] == pytest.approx(3.125)
    assert np.delete(day, [6, 7, 8, 9, 14, 15, 16]) == pytest.approx(day[0])


def test_guerrillas_strike_three_to_seven_times_most_at_twilight() -> None:
    """All numbers occur; dawn and dusk have more than their quarter of the hours."""
    found = _shapes("guerrilla") > 0

    assert set(found.sum(axis=1).tolist()) == {3, 4, 5, 6, 7}
    assert found[:, [5, 6, 7, 17, 18, 19]].sum() / found.sum() > 0.3
    assert found[:, [0, 1, 2, 3, 4, 22, 23]].sum() / found.sum() < 0.26


def test_drones_strike_by_day() -> None:
    """One to four times from 6 to 17; about three days in ten a drone loiters into the next hour."""
    found = _shapes("drone")

    assert found[:, :6].sum() == 0
    assert found[:, 18:].sum() == 0
    assert (found > 0).sum(axis=1).max() <= 8
    struck = found == found.max(axis=1, keepdims=True)
    assert set(struck.sum(axis=1).tolist()) == {1, 2, 3, 4}
    assert 0.15 < ((found > 0) & ~struck).any(axis=1).mean() < 0.35


def test_ships_are_hit_in_waves() -> None:
    """Ten to one in the hours of waves."""
    day = _shapes("naval")[0]

    assert day[[4, 5, 6, 10, 11, 16, 17]] / day[0] == pytest.approx(10.0)


def test_contamination_shows_late() -> None:
    """Three tenths fall ill within three hours of a release, the others 6, 12, 24 and 48 hours later."""
    found = shapes(
        _type("cbrn").pattern, Draws(5, np.arange(1)), "test", days=1, frequency=1.0, by_night=False
    )[0]

    # One day alone: the release, and what of 6 and 12 hours later is still on that day.
    release = int(np.flatnonzero(found)[0])
    exposure = found[release : release + 3]
    assert np.ptp(exposure) < 1e-9
    later = [release + delay for delay in (6, 12) if release + delay < 24]
    assert np.flatnonzero(found).tolist() == [h for h in range(release, release + 3) if h < 24] + later
    # 0.7 / 4 delays against 0.3 / 3 hours.
    assert found[later] / exposure[0] == pytest.approx(1.75)


def test_the_ill_of_a_release_come_on_the_next_two_days() -> None:
    """24 and 48 hours after the first release somebody falls ill."""
    draws = Draws(5, np.arange(3))
    found = shapes(_type("cbrn").pattern, draws, "test", days=3, frequency=1.0, by_night=False)

    release = int(np.flatnonzero(found[0])[0])
    assert found[1][release] > 0
    assert found[2][release] > 0


def test_peacekeepers_meet_incidents_by_day() -> None:
    """In the hours of incidents only, most where crowds are, and at least one a day."""
    found = _shapes("peacekeeping") > 0
    hours = [8, 9, 10, 11, 14, 15, 16, 17]

    assert np.delete(found, hours, axis=1).sum() == 0
    assert found.any(axis=1).all()
    assert found[:, [10, 11, 14, 15]].sum() > 1.5 * found[:, [8, 9, 16, 17]].sum()


@pytest.mark.parametrize("name", ["artillery", "guerrilla", "drone", "peacekeeping"])
def test_intensity_makes_more_incidents(name: str) -> None:
    """A frequency of 1.6 gives more hours with casualties than one of 0.6."""
    more, fewer = _shapes(name, frequency=1.6), _shapes(name, frequency=0.6)

    assert (more > 1 / 24).sum() > (fewer > 1 / 24).sum()


@pytest.mark.parametrize("name", names(WARFARE))
def test_battle_casualties_come_in_the_hours_of_their_type(name: str) -> None:
    """20,000 patients of one type: no battle casualty in an hour that the type's shape leaves empty."""
    scenario = a_scenario(total=20_000, warfare=[name])
    model = compile_model(scenario, 4)
    made = people(model, np.arange(20_000))

    hours = np.bincount(made.injured_s[made.kind == Kind.BATTLE] // 3600, minlength=4 * 24)

    draws = Draws(4, np.arange(4))
    frequency, stream = 1.0, f"timeline.shape.{name}"
    shape = shapes(_type(name).pattern, draws, stream, days=4, frequency=frequency, by_night=False).ravel()
    assert hours[shape == 0].sum() == 0
    assert np.corrcoef(hours, shape * np.repeat(scenario.by_day(), 24))[0, 1] > 0.85


def test_fog_moves_casualties_out_of_its_hours() -> None:
    """Fog from 3 to 9 has a factor of 0.7 on injuries; disease does not see it."""
    clear, fog = (
        people(compile_model(a_scenario(total=40_000, environment=around), 4), np.arange(40_000))
        for around in ([], ["fog"])
    )

    def share(made: Patients, kind: int) -> float:
        hour = made.injured_s[made.kind == kind] // 3600 % 24
        return float(((hour >= 3) & (hour <= 9)).mean())

    # Shares p become 0.7 p / (1 - 0.3 p).
    before = share(clear, 0)
    assert share(fog, 0) == pytest.approx(0.7 * before / (1 - 0.3 * before), abs=0.02)
    assert share(fog, 2) == pytest.approx(share(clear, 2), abs=0.01)


def test_five_kinds_of_war_have_five_signatures() -> None:
    """Hours, sizes of events and the mix tell apart five scenarios of the same total."""
    hours, large, mix = {}, {}, {}
    for name in ("conventional", "artillery", "naval", "cbrn", "peacekeeping"):
        scenario = a_scenario(total=20_000, warfare=[name])
        made = people(compile_model(scenario, 4), np.arange(20_000))
        battle = made.kind == Kind.BATTLE
        hours[name] = np.bincount(made.injured_s[battle] // 3600 % 24, minlength=24) / battle.sum()
        large[name] = int(made.event_size.max())
        mix[name] = made.mass_casualty.mean()

    one, *others = hours
    for other in others:
        assert np.abs(hours[one] - hours[other]).sum() > 0.3
    assert large["peacekeeping"] <= 5 < large["naval"] <= 25 < large["conventional"] <= 30
    assert 30 < large["artillery"] <= 50 < large["cbrn"] <= 200
    assert mix["peacekeeping"] == 0 < mix["conventional"] < mix["cbrn"]
