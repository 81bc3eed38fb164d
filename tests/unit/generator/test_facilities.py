"""Facilities: laid out by front and role, found by both."""

from __future__ import annotations

import math

import numpy as np
import pytest

from carebus_generator.domain.cohort import NONE, Role
from carebus_generator.domain.facilities import facilities
from carebus_generator.domain.model import compile_model
from carebus_generator.domain.scenario import preset, preset_names
from unit.generator.scenarios import a_scenario


def test_the_default_has_the_facilities_of_the_facts() -> None:
    """12, 6 and 3 of Role 1; 3, 2 and 1 of Role 2; Role 3 in Poland and Estonia; one Role 4 for all."""
    found = facilities(preset("default"))

    assert found.count.tolist() == [[0, 12, 3, 1, 1], [0, 6, 2, 1, 1], [0, 3, 1, 1, 1]]
    assert len(found) == 12 + 3 + 1 + 6 + 2 + 1 + 3 + 1 + 1
    # Beds with a surge of 1.2, 1.5 and 1.3; theatres 2 and 8.
    poland = {role: int(found.first[0, role]) for role in Role if role}
    assert [int(found.beds[row]) for row in poland.values()] == [12, 75, 260, NONE]
    assert [int(found.theatres[row]) for row in poland.values()] == [0, 2, 8, NONE]
    assert found.km[2].tolist() == [10, 30, 300, 400]
    assert found.vehicles.tolist() == [[40, 2, 5], [20, 1, 3], [10, 1, 2]]


def test_a_front_without_a_role_3_uses_another_front_s() -> None:
    """Finland's patients go to Estonia's."""
    found = facilities(preset("default"))

    assert found.first[2, Role.R3] == found.first[1, Role.R3]
    assert found.name[found.first[2, Role.R3]] == "Estonia R3 1"


@pytest.mark.parametrize("name", preset_names())
def test_rows_found_are_of_the_role(name: str) -> None:
    """Every front finds facilities of each role, of its own or of the front that helps out."""
    scenario = preset(name)
    found = facilities(scenario)

    for front, given in enumerate(scenario.fronts):
        for role in (Role.R1, Role.R2, Role.R3, Role.R4):
            rows = np.arange(found.first[front, role], found.first[front, role] + found.count[front, role])
            assert len(rows) >= 1
            assert set(found.role[rows].tolist()) == {role}
            if given.r3.count and role != Role.R4:
                assert set(found.front[rows].tolist()) == {front}
    assert found.first[:, Role.POI].tolist() == [NONE] * len(scenario.fronts)
    assert len(set(found.name)) == len(found)


def test_severity_of_special_events_is_found_by_their_row() -> None:
    """A mass casualty is 1.5 times as severe; NONE finds 1."""
    events = [{"kind": "mass_casualty", "day": 1, "start_hour": 7, "size": 30}]
    model = compile_model(a_scenario(special_events=events), 1)

    assert model.severity[np.asarray([0, NONE])].tolist() == [1.5, 1.0]


def _km(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Return the distance by the haversine formula, on a sphere of 6,371 km."""
    (lat1, lon1), (lat2, lon2) = (tuple(math.radians(x) for x in place) for place in (one, other))
    h = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * 6371 * math.asin(h**0.5)


@pytest.mark.parametrize("front", [0, 1, 2])
def test_facilities_lie_behind_their_front_as_far_as_it_says(front: int) -> None:
    """Distances on the map are those of the scenario; facilities of one role lie apart."""
    scenario = preset("default")
    found, given = facilities(scenario), scenario.fronts[front]
    assert given.position is not None

    assert len({place for place in found.places if place}) == len(found)
    for role, km in ((Role.R1, given.km[0]), (Role.R2, given.km[0] + given.km[1])):
        rows = range(found.first[front, role], found.first[front, role] + found.count[front, role])
        middle = np.mean([found.places[row] for row in rows], axis=0)
        assert _km(given.position, tuple(middle)) == pytest.approx(km, rel=0.02, abs=0.05)


def test_fronts_without_a_position_have_facilities_without_one() -> None:
    """Nothing is made up about where a front is."""
    found = facilities(a_scenario())

    assert set(found.places) == {None}


def test_west_is_west_and_north_is_north() -> None:
    """With the rear at 270 degrees longitude falls, at 0 degrees latitude rises by a degree each 111.2 km."""
    front = {
        "name": "A",
        "share": 1.0,
        "nations": {"XXX": 1.0},
        "position": [50.0, 20.0],
        "km": [111.2, 1, 1, 1],
    }
    front["r1"] = {"count": 1, "beds": 10}

    west = facilities(a_scenario(fronts=[{**front, "rear": 270}])).places[0]
    north = facilities(a_scenario(fronts=[{**front, "rear": 0}])).places[0]

    # A degree of longitude is shorter by the cosine of 50 degrees.
    assert west == (50.0, pytest.approx(20 - 1 / 0.6428, abs=0.001))
    assert north == (51.0, 20.0)
