"""The timeline: totals are exact, events have sizes of their type, and memory does not grow with patients."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carebus_generator.domain.cohort import NONE, Patients
from carebus_generator.domain.model import Model, compile_model
from carebus_generator.domain.people import people
from carebus_generator.domain.reference import WARFARE, names
from carebus_generator.domain.scenario import Scenario, preset, preset_names
from carebus_generator.domain.timeline import timeline
from unit.generator.scenarios import a_scenario

_BOUNDS = {
    # Largest event of each type, from the facts; battle, non-battle and disease alike.
    "conventional": 30,
    "artillery": 50,
    "urban": 60,
    "guerrilla": 15,
    "drone": 5,
    "naval": 25,
    "cbrn": 200,
    "peacekeeping": 5,
}


def _made(scenario: Scenario, seed: int = 1) -> tuple[Model, Patients]:
    model = compile_model(scenario, seed)
    return model, people(model, np.arange(scenario.total))


def _assert_holds(scenario: Scenario, made: Patients) -> None:
    """Assert everything that is true of any timeline."""
    assert np.bincount(made.kind, minlength=3).tolist() == scenario.by_kind().tolist()
    assert np.bincount(made.front, minlength=len(scenario.fronts)).tolist() == scenario.by_front().tolist()
    days = np.bincount(made.injured_s // 86_400, minlength=scenario.days)
    assert days.tolist() == scenario.by_day().tolist()
    special = np.bincount(made.special[made.special != NONE], minlength=len(scenario.special_events))
    assert special.tolist() == scenario.special_sizes()
    # Events: as large as they say, of one kind, front and cause, in ten minutes, next to each other.
    first = np.flatnonzero(np.diff(made.event, prepend=made.event[0] + 1) != 0)
    assert len(np.unique(made.event)) == len(first)
    assert np.diff(np.append(first, scenario.total)).tolist() == made.event_size[first].tolist()
    assert made.event_size.min() >= 1
    for column in (made.kind, made.front, made.warfare, made.special, made.event_size, made.mass_casualty):
        assert (column == np.repeat(column[first], made.event_size[first])).all()
    late = np.maximum.reduceat(made.injured_s, first) - np.minimum.reduceat(made.injured_s, first)
    assert late.max() <= 600
    # Nobody after the hour of its cell: hours never run backwards in the order of patients.
    assert (np.diff(made.injured_s // 3600) >= 0).all()
    for row, name in enumerate(names(WARFARE)):
        sizes = made.event_size[made.warfare == row]
        assert sizes.max(initial=1) <= _BOUNDS[name], name
    assert made.event_size[made.mass_casualty].min(initial=10) >= 10


@pytest.mark.parametrize("name", preset_names())
@pytest.mark.parametrize(("seed", "total"), [(1, None), (2, None), (3, 20_000)])
def test_every_preset_holds(name: str, seed: int, total: int | None) -> None:
    """Totals of days, fronts, kinds and special events are exact; events are whole and within bounds."""
    scenario = preset(name)
    if total:
        scenario = scenario.model_copy(update={"total": total})

    _, made = _made(scenario, seed)

    _assert_holds(scenario, made)


@st.composite
def _scenarios(draw: st.DrawFn) -> Scenario:
    shares = draw(st.sampled_from([[1.0], [0.6, 0.3, 0.1], [0.5, 0.5], [0.999, 0.001]]))
    mix = draw(
        st.sampled_from([(0.5, 0.3, 0.2), (0, 0, 1), (1, 0, 0), (0.05, 0.15, 0.8), (0.001, 0.998, 0.001)])
    )
    conditions = st.lists(st.sampled_from(["fog", "storm", "night_operations", "extreme_heat"]), unique=True)
    return a_scenario(
        total=draw(st.integers(1, 3000)),
        days=draw(st.integers(1, 40)),
        mix=dict(zip(("battle", "non_battle", "disease"), mix, strict=True)),
        warfare=draw(st.lists(st.sampled_from(names(WARFARE)), min_size=1, max_size=8, unique=True)),
        intensity=draw(st.sampled_from(["low", "medium", "high", "extreme"])),
        tempo=draw(st.sampled_from(["sustained", "escalating", "surge", "declining", "intermittent"])),
        environment=draw(conditions),
        fronts=[
            {"name": f"Front {number}", "share": share, "nations": {"XXX": 1.0}}
            for number, share in enumerate(shares)
        ],
    )


@settings(max_examples=150, deadline=None)
@given(_scenarios(), st.integers(0, 5))
def test_any_scenario_holds(scenario: Scenario, seed: int) -> None:
    """Also with fewer patients than days, with fronts of nobody, and with one kind only."""
    _, made = _made(scenario, seed)

    _assert_holds(scenario, made)


@pytest.mark.parametrize("warfare", names(WARFARE))
def test_totals_of_warfare_types_are_exact(warfare: str) -> None:
    """With weights of 3 and 1, and a special event of 40, three quarters of the other 960 are the first's."""
    other = "drone" if warfare != "drone" else "naval"
    scenario = a_scenario(
        warfare={warfare: 3.0, other: 1.0},
        special_events=[{"kind": "ambush", "day": 2, "start_hour": 7, "size": 40}],
    )

    _, made = _made(scenario)

    found = {name: int((made.warfare == row).sum()) for row, name in enumerate(names(WARFARE))}
    assert (found[warfare], found[other]) == (720, 240)


def test_the_mix_moves_between_types_and_keeps_its_sums() -> None:
    """Artillery (factors 2.5 and 0.3) has more battle and less disease than peacekeeping (0.3 and 2.0)."""
    scenario = a_scenario(total=10_000, warfare={"artillery": 1.0, "peacekeeping": 1.0})

    _, made = _made(scenario)

    table = np.bincount(made.warfare * 3 + made.kind, minlength=3 * len(WARFARE)).reshape(-1, 3)
    artillery, peace = table[names(WARFARE).index("artillery")], table[names(WARFARE).index("peacekeeping")]
    assert (artillery + peace).tolist() == [5000, 3000, 2000]
    # The odds of battle against disease differ by (2.5 / 0.3) / (0.3 / 2.0) = 55.6, to rounding.
    assert (artillery[0] / artillery[2]) / (peace[0] / peace[2]) == pytest.approx(55.6, rel=0.03)


@pytest.mark.parametrize("total", [20_000, 1_000_000_000])
def test_memory_does_not_grow_with_patients(total: int) -> None:
    """A thousand million patients compile to some thousand cells, and one in the middle is found."""
    scenario = preset("baltic_defence").model_copy(update={"total": total})

    tracemalloc.start()
    model = compile_model(scenario, 7)
    middle = people(model, np.arange(total // 2, total // 2 + 10))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 20_000_000
    assert model.timeline.total == total
    assert middle.index[0] == total // 2


@pytest.mark.parametrize("name", preset_names())
@pytest.mark.parametrize("total", [999_999_937, 1_000_000_000])
def test_totals_are_exact_also_of_a_thousand_million(name: str, total: int) -> None:
    """Cells add up to the totals to the last patient, and every cell's events can have sizes of their type."""
    scenario = preset(name).model_copy(update={"total": total})

    cells = timeline(scenario, 5).cells

    for column, wanted in (
        (cells.kind, scenario.by_kind()),
        (cells.front, scenario.by_front()),
        (cells.day, scenario.by_day()),
    ):
        found = np.zeros_like(wanted)
        np.add.at(found, column, cells.patients)
        assert found.tolist() == wanted.tolist()
    assert cells.patients.min() >= 1
    assert (cells.patients >= cells.groups * cells.low).all()
    assert (cells.patients <= cells.groups * cells.high).all()


@pytest.mark.parametrize("chunk", [7, 100, 1440])
def test_chunks_do_not_change_patients(chunk: int) -> None:
    """Made in chunks of any size, in any order, patients have the same columns."""
    model = compile_model(preset("default"), 11)
    whole = people(model, np.arange(1440))

    firsts = list(range(0, 1440, chunk))[::-1]
    parts = [people(model, np.arange(first, min(first + chunk, 1440))) for first in firsts][::-1]

    for column in Patients.__slots__:
        assert (
            np.concatenate([getattr(part, column) for part in parts]).tolist()
            == getattr(whole, column).tolist()
        )


def test_seeds_give_different_patients() -> None:
    """The same scenario with another seed has the same totals, and other events."""
    _, one = _made(preset("default"), 1)
    _, other = _made(preset("default"), 2)

    assert (one.injured_s != other.injured_s).mean() > 0.99
    assert not set(one.event.tolist()) & set(other.event.tolist())


def test_no_day_front_or_kind_is_favoured() -> None:
    """Over 300 seeds, each entry of days × kinds and of fronts × kinds is row × column / total."""
    fronts = [
        {"name": "A", "share": 0.7, "nations": {"POL": 1.0}},
        {"name": "B", "share": 0.3, "nations": {"EST": 1.0}},
    ]
    scenario = a_scenario(total=37, tempo="surge", fronts=fronts)
    kinds, by_day, by_front = scenario.by_kind(), scenario.by_day(), scenario.by_front()

    days, places = np.zeros((4, 3)), np.zeros((2, 3))
    for seed in range(300):
        _, made = _made(scenario, seed)
        np.add.at(days, (made.injured_s // 86_400, made.kind), 1 / 300)
        np.add.at(places, (made.front, made.kind), 1 / 300)

    # An entry varies by less than 1.5 a seed; five standard deviations of the mean of 300.
    assert np.abs(days - np.outer(by_day, kinds) / 37).max() < 0.43
    assert np.abs(places - np.outer(by_front, kinds) / 37).max() < 0.43


def test_index_order_is_that_of_cells() -> None:
    """Day, hour, front, cause, kind: patients are numbered in this order."""
    _, made = _made(preset("baltic_defence"))

    cause = np.where(made.special == NONE, made.warfare, 100 + made.special)
    keys = list(zip(made.injured_s // 3600, made.front, cause, made.kind, strict=True))
    assert all(one <= other for one, other in pairwise(keys))


def test_special_events_happen_where_and_when_they_are_said_to() -> None:
    """On their day, in their hours, on their front, of their kind, and nowhere else."""
    fronts = [
        {"name": "A", "share": 0.7, "nations": {"POL": 1.0}},
        {"name": "B", "share": 0.3, "nations": {"EST": 1.0}},
    ]
    scenario = a_scenario(
        total=2000,
        fronts=fronts,
        special_events=[
            {
                "kind": "mass_casualty",
                "day": 3,
                "start_hour": 14,
                "size": 40,
                "front": "B",
                "patients": "non_battle",
            },
            {"kind": "major_offensive", "day": 2, "start_hour": 5, "share": 0.3},
            {"kind": "ambush", "day": 4, "start_hour": 23, "size": 12},
        ],
    )

    _, made = _made(scenario)

    crash, offensive, ambush = ((made.special == row) for row in range(3))
    hours = made.injured_s // 3600
    assert set(hours[crash].tolist()) == {2 * 24 + 14}
    assert set(made.front[crash].tolist()) == {1}
    assert set(made.kind[crash].tolist()) == {1}
    assert set(made.event_size[crash].tolist()) == {40}
    assert set(hours[offensive].tolist()) == {24 + 5, 24 + 6, 24 + 7, 24 + 8}
    assert set(made.front[offensive].tolist()) == {0, 1}
    assert offensive.sum() == 150
    assert set(hours[ambush].tolist()) == {3 * 24 + 23}
    # The front of an ambush is the largest, unless the scenario names one.
    assert set(made.front[ambush].tolist()) == {0}
    assert made.mass_casualty[crash | ambush].all()


def test_clusters_grow_with_intensity() -> None:
    """Size and share of clusters rise from low to extreme, within the bounds of the type."""
    sizes, shares = [], []
    for intensity in ("low", "medium", "high", "extreme"):
        scenario = a_scenario(total=20_000, warfare=["conventional"], intensity=intensity)
        _, made = _made(scenario)
        clustered = made.event_size[made.event_size > 3]
        sizes.append(clustered.mean())
        shares.append(len(clustered))

    assert sizes == sorted(sizes)
    assert shares == sorted(shares)


def test_fronts_with_more_disease_get_more_of_it() -> None:
    """Where one front of two has extreme heat (1.4), disease is shared 58 : 42, and in sum as configured."""
    fronts = [
        {"name": "Hot", "share": 0.5, "nations": {"ESP": 1.0}, "environment": ["extreme_heat"]},
        {"name": "Mild", "share": 0.5, "nations": {"EST": 1.0}},
    ]
    _, made = _made(a_scenario(total=10_000, fronts=fronts))

    ill = np.bincount(made.front[made.kind == 2])

    assert ill.sum() == 2000
    # Odds against battle casualties: 1.4 over 1 + 0.1 × 9 hours of 24.
    battle = np.bincount(made.front[made.kind == 0])
    assert (ill[0] / battle[0]) / (ill[1] / battle[1]) == pytest.approx(1.4 / (1 + 0.1 * 9 / 24), rel=0.01)
