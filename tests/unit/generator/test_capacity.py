"""The capacity mode: queues as worked by hand, and no bed with two patients."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carebus_generator.domain.cohort import Outcome, Role
from carebus_generator.domain.queues import Asked, Ward, admit, seats
from carebus_generator.domain.scenario import Front, Hospitals, Scenario, Vehicles, preset_names
from unit.generator.courses import Made, assert_sound, make, scenario

HOUR = 3_600


def asked(
    *rows: tuple[int, int, int], ward: int = 0, limit_s: int = 1_000, surgery_s: int = 0, units: int = 0
) -> Asked:
    """Return arrivals at one ward, each with arrival, priority and time of care."""
    arrived_s, priority, care_s = (list(column) for column in zip(*rows, strict=True))
    same = len(rows)
    return Asked(
        ward=[0] * same,
        arrived_s=arrived_s,
        priority=priority,
        limit_s=[limit_s] * same,
        care_s=care_s,
        surgery_s=[surgery_s] * same,
        units=[units] * same,
    )


def a_ward(beds: int, theatres: int = 0, units: int = 0) -> Ward:
    """Return a ward in which nobody waits more than 100 seconds for a theatre."""
    return Ward(beds=beds, theatres=theatres, units=units, theatre_limit_s=100)


def test_seats_go_to_the_urgent_first_then_to_the_first_come() -> None:
    """One ambulance, 10 seconds a trip: worked by hand."""
    ready = np.array([0, 1, 2, 3, 50])
    priority = np.array([3, 3, 2, 1, 3])
    busy = np.array([10, 10, 10, 10, 10])

    waits = seats(ready, priority, busy, places=1, limit_s=1_000)

    # The first leaves at once; at 10 the T1 who came at 3, at 20 the T2 of 2, at 30 the T3 of 1; then it is idle.
    assert waits == [0, 29, 18, 7, 0]


def test_who_waits_too_long_takes_no_seat() -> None:
    """After the limit another vehicle comes, and the seat is free for the next."""
    ready, priority, busy = np.array([0, 1, 90]), np.array([1, 3, 3]), np.array([100, 100, 100])

    assert seats(ready, priority, busy, places=1, limit_s=50) == [0, 50, 10]
    assert seats(ready, priority, busy, places=0, limit_s=50) == [50, 50, 50]


def test_beds_go_to_the_urgent_first() -> None:
    """Two beds and five arrivals: worked by hand."""
    found = admit(
        [a_ward(beds=2)], asked((0, 3, 100), (1, 3, 40), (2, 3, 10), (3, 1, 10), (4, 2, 10)), moving_s=5
    )

    # Beds are free at 41 and 51 and 61 (one of them), and at 100: T1, T2, then the T3.
    assert found.wait_s == [0, 0, 59, 38, 47]
    assert found.turned_away == [False] * 5


def test_who_finds_no_bed_goes_where_there_is_one() -> None:
    """The neighbour with room takes the second; the third waits at its own."""
    found = admit([a_ward(beds=1), a_ward(beds=1)], asked((0, 1, 100), (1, 1, 100), (2, 1, 100)), moving_s=5)

    assert (found.ward, found.moved_s, found.wait_s) == ([0, 1, 0], [0, 5, 0], [0, 0, 98])


def test_who_waits_too_long_is_turned_away() -> None:
    """The limit ends the wait; the bed goes to the next who still waits."""
    found = admit([a_ward(beds=1)], asked((0, 1, 100), (1, 1, 10), (60, 3, 10), limit_s=50), moving_s=5)

    assert found.wait_s == [0, 50, 40]
    assert found.turned_away == [False, True, False]


def test_a_theatre_is_waited_for_in_bed() -> None:
    """One theatre, 60 seconds an operation: the second waits for it, the fourth too long, and goes without."""
    found = admit([a_ward(beds=9, theatres=1)], asked(*[(0, 1, 500)] * 4, surgery_s=60), moving_s=5)

    assert found.wait_s == [0, 60, 100, 100]


def test_blood_runs_out_and_comes_again_the_next_day() -> None:
    """Five units a day: the second gets the last one of two, the third none, one on the next day has his."""
    found = admit(
        [a_ward(beds=9, units=5)],
        asked((0, 1, 10), (1, 1, 10), (2, 1, 10), (90_000, 1, 10), units=3),
        moving_s=5,
    )

    assert found.no_blood == [False, True, True, False]


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 300), st.integers(1, 4), st.integers(1, 80)), min_size=1, max_size=60
    ),
    beds=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    limit_s=st.integers(1, 200),
)
def test_no_two_are_in_one_bed(rows: list[tuple[int, int, int]], beds: list[int], limit_s: int) -> None:
    """At no time has a ward more patients than beds, and nobody waits below zero or beyond the limit."""
    wanted = asked(*rows, limit_s=limit_s)

    found = admit([a_ward(beds=each) for each in beds], wanted, moving_s=5)

    assert all(0 <= wait <= limit_s for wait in found.wait_s)
    for place, number in enumerate(beds):
        stays = [
            (arrived + moved + wait, arrived + moved + wait + care)
            for ward, arrived, moved, wait, care, away in zip(
                found.ward,
                wanted.arrived_s,
                found.moved_s,
                found.wait_s,
                wanted.care_s,
                found.turned_away,
                strict=True,
            )
            if ward == place and not away
        ]
        assert most_at_once(stays) <= number


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 300), st.integers(1, 4), st.integers(1, 80)), min_size=1, max_size=60
    ),
    places=st.integers(1, 5),
)
def test_no_seat_is_taken_twice(rows: list[tuple[int, int, int]], places: int) -> None:
    """At no time are more on the way than there are seats; with a seat for each nobody waits."""
    ready, priority, busy = (np.array(column) for column in zip(*rows, strict=True))

    waits = seats(ready, priority, busy, places=places, limit_s=10**9)

    assert min(waits) >= 0
    assert (
        most_at_once([(start, start + ride) for start, ride in zip(ready + waits, busy, strict=True)])
        <= places
    )
    assert seats(ready, priority, busy, places=len(rows), limit_s=10**9) == [0] * len(rows)


def a_scenario(
    *, beds: int, vehicles: int, blood: int = 20, theatres: int = 2, total: int = 4_000
) -> Scenario:
    """Return a front of some days in capacity mode, with as much of everything as said."""
    front = Front(
        name="North",
        share=1.0,
        nations={"EST": 1.0},
        r1=Hospitals(count=6, beds=beds),
        r2=Hospitals(count=2, beds=2 * beds, theatres=theatres),
        r3=Hospitals(count=1, beds=6 * beds, theatres=2 * theatres),
        vehicles=Vehicles(ground=vehicles, air=vehicles, bus=vehicles),
        blood_units=blood,
    )
    return scenario("urban_assault", total).model_copy(
        update={"fronts": (front,), "special_events": (), "mode": "capacity"}
    )


@pytest.fixture(scope="module")
def short() -> Made:
    """Return patients for whom there is too little of everything."""
    return make(a_scenario(beds=8, vehicles=6, blood=5), seed=3)


def test_with_enough_of_everything_it_is_the_independent_mode() -> None:
    """All tables are equal to the last value."""
    plenty = a_scenario(beds=10_000, vehicles=10_000, blood=100_000, theatres=500)

    queued, free = make(plenty, seed=3), make(plenty.model_copy(update={"mode": "independent"}), seed=3)

    for table in ("injuries", "wounds", "stays", "courses"):
        one, other = getattr(queued, table), getattr(free, table)
        for field in fields(one):
            assert np.array_equal(getattr(one, field.name), getattr(other, field.name)), (table, field.name)


def test_no_course_breaks_a_rule_where_all_is_short(short: Made) -> None:
    """Waits, overflow and turning away keep times, roles and ends right."""
    assert_sound(short)
    waited = short.stays.treated_s - short.stays.arrived_s
    assert (waited > 0).mean() > 0.1
    limits = short.model.flow_tables.queues
    assert waited.max() <= limits.bed_limit_s.max() + limits.theatre_limit_s


def test_no_facility_cares_for_more_than_its_surge_beds(short: Made) -> None:
    """Counted from the stays alone: from the beginning of care until leaving."""
    places, stays = short.model.facilities, short.stays
    fullest = 0.0
    for row in np.flatnonzero(places.beds > 0).tolist():
        here = stays.facility == row
        most = most_at_once(
            list(zip(stays.treated_s[here].tolist(), stays.left_s[here].tolist(), strict=True))
        )
        assert most <= places.beds[row]
        fullest = max(fullest, most / places.beds[row])
    assert fullest == 1.0


def test_chunks_change_nothing_in_capacity_mode() -> None:
    """Waits are looked up by index, so chunks are as free as in the independent mode."""
    given = a_scenario(beds=2, vehicles=1, total=300)
    whole, parts = make(given, seed=8, chunk=300), make(given, seed=8, chunk=7)

    for field in fields(whole.stays):
        assert np.array_equal(getattr(whole.stays, field.name), getattr(parts.stays, field.name)), field.name


def test_want_of_capacity_costs_lives() -> None:
    """The fewer beds, vehicles and blood units, the more die; and T1 wait less for an ambulance than T2."""
    deaths, waits = [], []
    for share in (40, 6, 1):
        made = make(a_scenario(beds=8 * share, vehicles=4 * share, blood=20 * share), seed=5)
        deaths.append(int(made.dead.sum()))
        waits.append([ride_wait(made, triage) for triage in (1, 2)])

    assert deaths == sorted(deaths)
    assert deaths[-1] > 1.05 * deaths[0]
    assert waits[-1][0] < waits[-1][1]


def test_killed_in_action_includes_those_for_whom_no_vehicle_came() -> None:
    """Without vehicles more die before any facility, as waiting counts there, too."""
    some, none = (make(a_scenario(beds=1_000, vehicles=vehicles), seed=6) for vehicles in (10_000, 1))

    killed = [(made.courses.outcome == Outcome.KIA).sum() for made in (some, none)]
    assert killed[1] > killed[0]
    assert_sound(none)


@pytest.mark.parametrize("name", preset_names())
def test_presets_run_in_capacity_mode(name: str) -> None:
    """With their own facilities and vehicles, and three thousand patients."""
    assert_sound(make(scenario(name, 3_000).model_copy(update={"mode": "capacity"}), seed=1))


def ride_wait(made: Made, triage: int) -> float:
    """Return the mean time from the end of a stay to the journey from it, in hours."""
    stays = made.stays
    onwards = (stays.patient[1:] == stays.patient[:-1]) & (stays.triage[:-1] == triage)
    onwards &= stays.role[1:] < Role.R4
    return float((stays.picked_up_s[1:] - stays.left_s[:-1])[onwards].mean() / HOUR)


def most_at_once(stays: list[tuple[int, int]]) -> int:
    """Return how many half-open spans overlap at most: at one time, ends count before beginnings."""
    spans = [(start, end) for start, end in stays if end > start]
    now = most = 0
    for _, step in sorted([(start, 1) for start, _ in spans] + [(end, -1) for _, end in spans]):
        now += step
        most = max(most, now)
    return most
