# ruff: noqa: E501 - sentences are compared whole.
"""Scenarios: read strictly, never written; every fault is a sentence that names the place."""

from __future__ import annotations

import json
from hashlib import sha256
from importlib.resources import files

import pytest

from carebus_contracts.errors import InvalidScenario
from carebus_generator.domain.reference import (
    BLOOD_GROUPS,
    ENVIRONMENTS,
    INTENSITIES,
    NATIONS,
    SPECIAL_KINDS,
    TEMPOS,
    WARFARE,
    names,
)
from carebus_generator.domain.scenario import Scenario, preset, preset_names, read_scenario

_GOOD = {
    "total": 100,
    "days": 4,
    "base_date": "2025-06-01",
    "mix": {"battle": 0.5, "non_battle": 0.3, "disease": 0.2},
    "warfare": ["conventional", "artillery"],
}
_FRONT = {"name": "A", "share": 1.0, "nations": {"POL": 1.0}}


def _read(**changed: object) -> Scenario:
    return read_scenario(json.dumps({**_GOOD, **changed}), "mine")


def _faults(**changed: object) -> tuple[str, ...]:
    with pytest.raises(InvalidScenario) as caught:
        _read(**changed)
    return caught.value.faults


def _event(**changed: object) -> dict[str, object]:
    return {"kind": "ambush", "day": 2, "start_hour": 7, "size": 5, **changed}


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"mix": {"battle": 0.5, "non_battle": 0.3, "disease": 0.15}}, "mix: battle + non_battle + disease is 0.95, must be 1"),
        ({"mix": {"battle": 1.1, "non_battle": 0, "disease": 0}}, "mix.battle: is 1.1, must be at most 1"),
        ({"mix": {"battle": 1, "non_battle": 0, "disease": -0.1}}, "mix.disease: is -0.1, must be at least 0"),
        ({"mix": {"battle": 0.499, "non_battle": 0.3, "disease": 0.2}}, "mix: battle + non_battle + disease is 0.999, must be 1"),
        ({"warfare": {"urban": 1e308, "drone": 1e308}}, "warfare: urban has weight 1e+308, must be at most 1,000,000"),
        ({"tempo": [1e308, 1e308, 1.0, 1.0]}, "tempo: weights must be at most 1,000,000"),
        ({"tempo": [1.0, "x", 1.0, 1.0]}, "tempo[1]: is 'x', must be a valid number"),
        ({"tempo": 3}, "tempo: is 3, must be a valid array"),
        ({"name": "x" * 500}, f"name: is '{'x' * 79}..., must be small letters, digits and _, a letter first"),
        (
            {"fronts": [{"name": "A\x00\n", "share": 1.0, "nations": {"USA": 1.0}}]},
            "fronts[0].name: has line ends or other characters that cannot be printed",
        ),
        (
            {"fronts": [{"name": "A" * 61, "share": 1.0, "nations": {"USA": 1.0}}]},
            "fronts[0].name: has 61 characters, must have at most 60",
        ),
        (
            {"fronts": [{"name": "A", "share": 1.0, "nations": {"USA": 1.0}, "km": [1e12, 1.0, 1.0, 1.0]}]},
            "fronts[0].km: each distance must be at most 20,000 km",
        ),
        ({"total": -5}, "total: is -5, must be at least 1"),
        ({"total": 0}, "total: is 0, must be at least 1"),
        ({"total": 2_000_000_000}, "total: is 2,000,000,000, must be at most 1,000,000,000"),
        ({"total": "100"}, "total: is '100', must be a valid integer"),
        ({"total": True}, "total: is true, must be a valid integer"),
        ({"days": 0}, "days: is 0, must be at least 1"),
        ({"base_date": "1.6.2025"}, "base_date: is '1.6.2025', must be a date such as 2025-06-01"),
        ({"intensity": "huge"}, "intensity: there is no intensity 'huge'; there are low, medium, high, extreme"),
        ({"tempo": "surg"}, "tempo: there is no tempo 'surg' (did you mean surge?); there are sustained, escalating, surge, declining, intermittent"),
        ({"tempo": [1, 1]}, "tempo: has 2 weights, must have one for each of the 4 days"),
        ({"tempo": [1, 1, -1, 1]}, "tempo: weights must not be negative, and one must be above 0"),
        ({"tempo": [0, 0, 0, 0]}, "tempo: weights must not be negative, and one must be above 0"),
        ({"posture": "open"}, "posture: is 'open', must be 'permissive', 'contested' or 'denied'"),
        ({"mode": "capacity", "total": 100_001}, "mode: capacity takes up to 100,000 patients, total is 100,001; use independent"),
        ({"environment": ["snow"]}, f"environment: there is no environment 'snow'; there are {', '.join(names(ENVIRONMENTS))}"),
        ({"environment": ["fog", "fog"]}, "environment: a condition is named twice"),
        ({"warfare": []}, "warfare: names no type; there are " + ", ".join(names(WARFARE))),
        ({"warfare": ["cavalry"]}, f"warfare: there is no warfare type 'cavalry'; there are {', '.join(names(WARFARE))}"),
        ({"warfare": {"naval": 0}}, "warfare: naval has weight 0, must be above 0 (or leave it out)"),
        ({"colour": "red"}, "colour: is no field of a scenario"),
        ({"fronts": [{**_FRONT, "share": 0.9}]}, "fronts: A is 0.9, must be 1"),
        ({"fronts": [{**_FRONT, "share": 0.5}, {**_FRONT, "share": 0.4, "name": "B"}]}, "fronts: A + B is 0.9, must be 1"),
        ({"fronts": [{**_FRONT, "share": 0.5}, {**_FRONT, "share": 0.5}]}, "fronts: two fronts have one name"),
        ({"fronts": []}, "fronts: has no entries, must have at least 1"),
        ({"fronts": [{**_FRONT, "nations": {"POL": 0.5, "LTU": 0.4}}]}, "fronts[0].nations: POL + LTU is 0.9, must be 1"),
        ({"fronts": [{**_FRONT, "nations": {"RUR": 1.0}}]}, "fronts[0].nations: there is no nation 'RUR'; there are " + ", ".join(n.code for n in NATIONS)),
        ({"fronts": [{**_FRONT, "km": [0, 1, 1, 1]}]}, "fronts[0].km: each distance must be above 0 km"),
        ({"fronts": [{**_FRONT, "r3": {"count": 0, "beds": 1}}]}, "fronts[0]: has no Role 3: say in role3_at which front's Role 3 takes its patients"),
        ({"fronts": [{**_FRONT, "role3_at": "B"}]}, "fronts: there is no front with a Role 3 'B'; there are A"),
        ({"fronts": [{**_FRONT, "position": [91.0, 0.0]}]}, "fronts[0].position: latitude must be from -85 to 85, longitude from -180 to 180"),
        ({"fronts": [{**_FRONT, "rear": 360}]}, "fronts[0].rear: is 360, must be below 360"),
        ({"special_events": [_event(day=9)]}, "special_events[0].day: is 9, the scenario has 4 days"),
        ({"special_events": [_event(day=0)]}, "special_events[0].day: is 0, must be at least 1"),
        ({"special_events": [_event(kind="flood")]}, "special_events[0].kind: there is no special event 'flood'; there are major_offensive, ambush, mass_casualty"),
        ({"special_events": [_event(start_hour=24)]}, "special_events[0].start_hour: is 24, must be at most 23"),
        ({"special_events": [_event(start_hour=22, hours=3)]}, "special_events[0]: starts at 22 and lasts 3 hours, beyond its day"),
        ({"special_events": [_event(share=0.1)]}, "special_events[0]: give a share or a size, not both"),
        ({"special_events": [_event(front="C")]}, "special_events[0].front: there is no front 'C'; there are Front"),
        ({"special_events": [_event(size=None, share=0.7), _event(size=None, share=0.6)]}, "special_events: those of day 2 take 33 patients, the day has 25"),
        ({"special_events": [_event(size=51, day=1)], "tempo": [1, 0, 0, 0]}, "special_events: they take 51 battle patients, the mix has 50"),
        ({"targets": {"killed_in_action": 0.95}}, "targets.killed_in_action: is 0.95, must be at most 0.9"),
        ({"triage": {"battle": [0.5, 0.3, 0.1]}}, "triage.battle: T1 + T2 + T3 is 0.9, must be 1"),
        ({"male": {"POL": 1.2}}, "male: POL has 1.2, must be from 0 to 1"),
        ({"name": "Not a name"}, "name: is 'Not a name', must be small letters, digits and _, a letter first"),
    ],
)  # fmt: skip
def test_each_fault_is_one_sentence(changed: dict[str, object], fault: str) -> None:
    """It says where, what is there, and what there should be."""
    assert _faults(**changed) == (fault,)


def test_several_faults_are_told_at_once() -> None:
    """So that nobody mends a scenario one fault at a time."""
    assert _faults(total=0, days=0, mix={"battle": 1.0}) == (
        "total: is 0, must be at least 1",
        "days: is 0, must be at least 1",
        "mix.non_battle: is missing",
        "mix.disease: is missing",
    )


def test_the_error_names_the_scenario() -> None:
    """Its text is what a person reads."""
    with pytest.raises(InvalidScenario, match=r"^scenario mine: total: is 0, must be at least 1$"):
        _read(total=0)


@pytest.mark.parametrize(
    "text", ["{", "total = ", b"\xff\xfe", "[" * 100_000], ids=["json", "toml", "bytes", "deep"]
)
def test_what_is_neither_toml_nor_json_is_refused(text: str | bytes) -> None:
    """In a sentence too."""
    with pytest.raises(InvalidScenario, match="is neither TOML nor JSON"):
        read_scenario(text, "broken")


@pytest.mark.parametrize("text", ['{"total": %s}', "total = %s"], ids=["json", "toml"])
def test_a_number_with_thousands_of_digits_is_refused(text: str) -> None:
    """Python itself refuses to read it, with an error of its own."""
    with pytest.raises(InvalidScenario, match="a number has thousands of digits"):
        read_scenario(text % ("9" * 5_000), "endless")


def test_numbers_that_are_none_are_refused() -> None:
    """JSON as Python writes it knows NaN; a scenario does not."""
    with pytest.raises(InvalidScenario, match=r"mix\.battle: .*must be a finite number"):
        _read(mix={"battle": float("nan"), "non_battle": 0.5, "disease": 0.5})


def test_a_time_in_place_of_a_number_is_refused() -> None:
    """TOML has times of day; no field of a scenario is one."""
    with pytest.raises(InvalidScenario, match="total: is '10:00:00', must be a valid integer"):
        read_scenario("total = 10:00:00", "timely")


def test_a_huge_file_is_not_read() -> None:
    """Scenarios come over the network, too."""
    with pytest.raises(InvalidScenario, match="larger than 1,000,000 bytes"):
        read_scenario("#" * 1_000_001, "huge")


def test_toml_and_json_of_one_content_are_one_scenario() -> None:
    """The digest is that of the content: layout, comments and order of fields do not count."""
    toml = """
    warfare = ["conventional", "artillery"]   # weights of the reference data
    days = 4
    total = 100
    base_date = 2025-06-01
    [mix]
    disease = 0.2
    non_battle = 0.3
    battle = 0.5
    """

    ours = read_scenario(toml, "toml")

    assert ours == _read()
    assert ours.digest() == _read().digest()
    assert ours.digest() != _read(total=101).digest()


def test_a_list_of_types_has_the_weights_of_the_reference_data() -> None:
    """Conventional combat 1.0, artillery 1.2."""
    assert _read().warfare == {"conventional": 1.0, "artillery": 1.2}


def test_a_scenario_reads_back_as_itself() -> None:
    """As jobs carry it over the topics."""
    for name in preset_names():
        scenario = preset(name)
        assert read_scenario(scenario.model_dump_json(), name) == scenario


def test_there_are_the_presets_of_the_facts() -> None:
    """Totals, days and mixes of the eight presets, written by hand from the facts; and a default."""
    found = {
        name: (s.total, s.days, s.mix.battle, s.mix.non_battle, s.mix.disease)
        for name in preset_names()
        if (s := preset(name))
    }

    assert found == {
        "arctic": (1200, 14, 0.30, 0.45, 0.25),
        "baltic_defence": (2500, 8, 0.55, 0.25, 0.20),
        "cbrn": (1500, 3, 0.05, 0.15, 0.80),
        "default": (1440, 8, 0.15, 0.33, 0.52),
        "maritime": (1800, 6, 0.55, 0.30, 0.15),
        "mass_casualty": (800, 1, 0.60, 0.30, 0.10),
        "peacekeeping": (500, 30, 0.10, 0.35, 0.55),
        "training": (100, 2, 0.40, 0.35, 0.25),
        "urban_assault": (3000, 5, 0.70, 0.20, 0.10),
    }  # fmt: skip


def test_an_unknown_preset_says_which_there_are() -> None:
    """And not that a file is missing."""
    with pytest.raises(InvalidScenario, match="there is no such preset; there are arctic, baltic_defence"):
        preset("atlantis")


def test_reading_leaves_the_files_as_they_are() -> None:
    """Reference data and presets have the same bytes before and after."""
    data = files("carebus_generator") / "data"
    paths = [*(data / "presets").iterdir(), *(path for path in data.iterdir() if path.is_file())]
    before = [sha256(path.read_bytes()).hexdigest() for path in paths]

    for name in preset_names():
        preset(name).digest()

    assert [sha256(path.read_bytes()).hexdigest() for path in paths] == before


def test_the_reference_data_are_complete() -> None:
    """Eight warfare types, nine environments, 32 nations and one unspecified; shares have the sum 1."""
    assert names(WARFARE) == ("conventional", "artillery", "urban", "guerrilla", "drone", "naval", "cbrn", "peacekeeping")  # fmt: skip
    assert len(ENVIRONMENTS) == 9
    assert len(NATIONS) == 33
    assert len({nation.code for nation in NATIONS}) == 33
    assert len(INTENSITIES) == 4
    assert len(TEMPOS) == 5
    assert len(SPECIAL_KINDS) == 3
    assert sum(group.share for group in BLOOD_GROUPS) == pytest.approx(1)
    for row in (*WARFARE, *SPECIAL_KINDS):
        assert [sum(shares) for shares in row.triage] == pytest.approx([1, 1, 1]), row.name


@pytest.mark.parametrize(("days", "name", "expected"), [
    (8, "escalating", [11, 17, 22, 28, 33, 39, 44, 50]),
    (4, "intermittent", [76, 23, 114, 31]),
], ids=["stretched", "repeated"])  # fmt: skip
def test_tempo_shapes_the_days(days: int, name: str, expected: list[int]) -> None:
    """244 patients by hand: 0.4 to 1.8 in steps of 0.2 over 8 days; 1.0, 0.3, 1.5, 0.4 over 4."""
    assert _read(total=244, days=days, tempo=name).by_day().tolist() == expected
