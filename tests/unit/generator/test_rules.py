"""Rules without exception: sound patients break none, and each rule is broken by what it forbids."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pytest

from carebus_generator.domain.catalogue import CATALOGUE
from carebus_generator.domain.checks.findings import examined, findings
from carebus_generator.domain.checks.persons import of_numbers
from carebus_generator.domain.cohort import (
    NEVER,
    NONE,
    Cohort,
    Kind,
    Outcome,
    Patients,
    Region,
    Role,
    Transport,
    Triage,
)
from carebus_generator.domain.making import make_cohort
from carebus_generator.domain.model import Model, compile_model
from carebus_generator.domain.reference import WARFARE
from unit.generator.scenarios import a_scenario

TOTAL = 4_000


@lru_cache(maxsize=1)
def _model() -> Model:
    return compile_model(
        a_scenario(
            total=TOTAL,
            warfare=["conventional", "drone"],
            fronts=[
                {"name": "North", "share": 0.6, "nations": {"POL": 1.0}},
                {"name": "South", "share": 0.4, "nations": {"EST": 1.0}},
            ],
            special_events=[{"kind": "mass_casualty", "day": 2, "start_hour": 14, "size": 60}],
        ),
        seed=3,
    )


@lru_cache(maxsize=1)
def _sound() -> Cohort:
    return make_cohort(_model(), 0, TOTAL)


def _broken(cohort: Cohort) -> set[str]:
    return {rule.name for rule in examined(_model(), [cohort], whole=True).rules if not rule.holds}


def _set(cohort: Cohort, table: str, rows: Any, **values: Any) -> Cohort:
    """Return the cohort with other values in some rows of a table, or in the first row where a condition holds."""
    rows = np.asarray(rows)
    if rows.dtype == np.bool_:
        assert rows.any(), "nothing to break"
        rows = np.flatnonzero(rows)[:1]
    columns = getattr(cohort, table)
    changed = {}
    for name, value in values.items():
        column = getattr(columns, name).copy()
        column[rows] = value
        changed[name] = column
    return replace(cohort, **{table: replace(columns, **changed)})


def _last(cohort: Cohort) -> Any:
    """Return which stays are their patient's last."""
    return np.diff(cohort.stays.patient, append=-1) != 0


def _first(cohort: Cohort) -> Any:
    return np.diff(cohort.stays.patient, prepend=-1) != 0


def _coded(key: str) -> int:
    return CATALOGUE.row(key)


def _stay_of(cohort: Cohort, table: str, role: Role) -> Any:
    """Return which rows of a table belong to a stay of that role."""
    stay = getattr(cohort, table).stay
    return (stay != NONE) & (cohort.stays.role[np.maximum(stay, 0)] == role)


def _limb(cohort: Cohort) -> Any:
    t = cohort.treatments
    return (t.wound != NONE) & (cohort.wounds.region[np.maximum(t.wound, 0)] == Region.LIMB_LOWER)


def _is(cohort: Cohort, key: str, table: str = "treatments") -> Any:
    return getattr(cohort, table).code == _coded(key)


def _given(key: str) -> Callable[[Cohort], Cohort]:
    """Return what gives a treatment, with a right dose, in a stay at Role 1."""
    code = CATALOGUE[_coded(key)]
    dose = 0.0 if np.isnan(code.low) else code.low
    return lambda c: _set(
        c, "treatments", _stay_of(c, "treatments", Role.R1), code=_coded(key), quantity=dose
    )


def _given_to(key: str, condition: str) -> Callable[[Cohort], Cohort]:
    """Return what gives a treatment to somebody who truly has a condition."""

    def breaks(c: Cohort) -> Cohort:
        having = np.isin(c.treatments.patient, c.wounds.patient[c.wounds.condition == _coded(condition)])
        at = having & _stay_of(c, "treatments", Role.R2)
        return _set(c, "treatments", at, code=_coded(key), quantity=CATALOGUE[_coded(key)].low)

    return breaks


def _allergic(c: Cohort) -> Cohort:
    allergic = c.diagnoses.patient[c.diagnoses.condition == _coded("allergy_penicillin")]
    mine = np.isin(c.treatments.patient, allergic) & _stay_of(c, "treatments", Role.R1)
    return _set(c, "treatments", mine, code=_coded("amoxicillin"), quantity=500.0)


def _twice(key: str, after_s: int) -> Callable[[Cohort], Cohort]:
    """Return what turns the treatment after one into the same again, some time later."""

    def breaks(c: Cohort) -> Cohort:
        t = c.treatments
        followed = np.flatnonzero(_is(c, key)[:-1] & (t.patient[1:] == t.patient[:-1]))[:1]
        assert len(followed)
        return _set(
            c,
            "treatments",
            followed + 1,
            code=t.code[followed],
            wound=t.wound[followed],
            start_s=t.start_s[followed] + after_s,
        )

    return breaks


def _measured(key: str, value: float) -> Callable[[Cohort], Cohort]:
    return lambda c: _set(c, "measurements", _is(c, key, "measurements"), value=value)


def _moved(table: str, **by: int) -> Callable[[Cohort], Cohort]:
    """Return what moves times of one row by some seconds."""

    def breaks(c: Cohort) -> Cohort:
        columns = getattr(c, table)
        row = np.flatnonzero(columns.stay != NONE)[:1]
        return _set(c, table, row, **{name: getattr(columns, name)[row] + s for name, s in by.items()})

    return breaks


def _of_dead(table: str) -> Callable[[Cohort], Cohort]:
    name = "end_s" if table == "treatments" else "at_s"

    def breaks(c: Cohort) -> Cohort:
        died = c.courses.died_s[getattr(c, table).patient]
        row = np.flatnonzero(died != NEVER)[:1]
        return _set(c, table, row, **{name: died[row] + 60})

    return breaks


def _other_stay(table: str) -> Callable[[Cohort], Cohort]:
    return lambda c: _set(c, table, getattr(c, table).stay != NONE, stay=len(c.stays.patient) - 1)


def _before_injury(table: str) -> Callable[[Cohort], Cohort]:
    names = ("start_s", "end_s") if table == "treatments" else ("at_s",)
    return lambda c: _set(c, table, [0], **dict.fromkeys(names, -60))


def _swapped(table: str) -> Callable[[Cohort], Cohort]:
    """Return what swaps the first and the last row."""

    def breaks(c: Cohort) -> Cohort:
        columns = getattr(c, table)
        return _set(c, table, [0, -1], patient=columns.patient[[-1, 0]])

    return breaks


def _shock(c: Cohort) -> Cohort:
    """T1 on arrival get the pulse of the well, T3 that of the bled."""
    triage = np.zeros(len(c), dtype=np.int64)
    triage[c.stays.patient[_first(c)]] = c.stays.triage[_first(c)]
    pulse = _is(c, "heart_rate", "measurements")
    value = c.measurements.value.copy()
    value[pulse & (triage[c.measurements.patient] == Triage.T1)] = 50
    value[pulse & (triage[c.measurements.patient] == Triage.T3)] = 150
    return replace(c, measurements=replace(c.measurements, value=value))


def _drone_by_night(c: Cohort) -> Cohort:
    drone = next(row for row, warfare in enumerate(WARFARE) if warfare.name == "drone")
    p = c.patients
    mine = (p.warfare == drone) & (p.kind == Kind.BATTLE)
    return _set(c, "patients", mine, injured_s=p.injured_s[mine][:1] // 86_400 * 86_400 + 7_200)


def _kind(c: Cohort, outcome: Outcome, kind: Kind) -> Cohort:
    return _set(c, "patients", c.courses.outcome == outcome, kind=kind)


def _first_stay_skips(c: Cohort) -> Cohort:
    """T3 go to Role 2 at once."""
    once = np.bincount(c.stays.patient, minlength=len(c)) == 1
    mine = once[c.stays.patient] & (c.injuries.triage[c.stays.patient] == Triage.T3)
    facility = int(np.flatnonzero(_model().facilities.role == Role.R2)[0])
    return _set(c, "stays", mine, role=Role.R2, facility=facility, transport=Transport.AIR)


BREAKS: dict[str, Callable[[Cohort], Cohort]] = {
    "index": lambda c: _set(c, "patients", [7], index=9),
    "weight": lambda c: _set(c, "patients", [0], weight_kg=25.0),
    "age": lambda c: _set(c, "patients", [0], birth_day=c.patients.birth_day[0] + 20 * 365),
    "empty events": lambda c: _set(c, "patients", [0], event_size=0),
    "large events": lambda c: _set(c, "patients", c.patients.special == NONE, event_size=61),
    "event sizes": lambda c: _set(
        c, "patients", (c.patients.index > 0) & (c.patients.event_size == 1), event_size=2
    ),
    "one cause": lambda c: _set(
        c,
        "patients",
        c.patients.mass_casualty,
        front=1 - c.patients.front[c.patients.mass_casualty][:1],
    ),
    "at once": lambda c: _set(c, "patients", c.patients.special == 0, injured_s=5 * 3600),
    "cause": lambda c: _set(c, "patients", c.patients.special == NONE, warfare=7),
    "special events": lambda c: _set(c, "patients", c.patients.special == 0, injured_s=86_400 + 9 * 3600),
    "outcome": lambda c: _set(c, "courses", [0], outcome=6),
    "dead or not": lambda c: _set(c, "courses", c.courses.outcome == Outcome.DOW, died_role=NONE),
    "time of death": lambda c: _set(c, "courses", c.courses.outcome == Outcome.DOW, died_s=10**8),
    "killed in action": lambda c: _set(c, "courses", c.courses.outcome == Outcome.DOW, outcome=Outcome.KIA),
    "died of wounds": lambda c: _set(c, "courses", c.courses.outcome == Outcome.KIA, outcome=Outcome.DOW),
    "died otherwise": lambda c: _set(c, "courses", c.courses.outcome == Outcome.DOW, outcome=Outcome.DIED),
    "place of death": lambda c: _set(c, "courses", c.courses.outcome == Outcome.DOW, died_role=Role.POI),
    "returned": lambda c: _set(c, "courses", c.courses.outcome == Outcome.KIA, outcome=Outcome.RTD),
    "evacuated": lambda c: _set(c, "courses", c.courses.outcome == Outcome.RTD, outcome=Outcome.DISCHARGED),
    "last stay": lambda c: _set(c, "courses", c.courses.outcome == Outcome.RTD, ended_s=10**8),
    "dead in a stay": lambda c: _set(
        c, "stays", _last(c) & (c.courses.outcome[c.stays.patient] == Outcome.DOW), left_s=10**8
    ),
    "first aid": lambda c: _set(c, "courses", c.courses.first_aid_s != NEVER, first_aid_s=0),
    "fatal wound": lambda c: _set(c, "courses", c.courses.fatal != NONE, fatal=NONE),
    "order of stays": _swapped("stays"),
    "picked up": lambda c: _set(
        c, "stays", ~_first(c), picked_up_s=c.stays.left_s[np.flatnonzero(~_first(c))[0] - 1] - 1
    ),
    "journeys": lambda c: _set(c, "stays", [3], arrived_s=c.stays.picked_up_s[3]),
    "treated": lambda c: _set(c, "stays", [3], treated_s=c.stays.arrived_s[3] - 1),
    "roles": lambda c: _set(c, "stays", ~_first(c), role=Role.R1),
    "role": lambda c: _set(c, "stays", [0], role=5),
    "bypass": _first_stay_skips,
    "triage on arrival": lambda c: _set(c, "stays", [0], triage=0),
    "facility": lambda c: _set(c, "stays", c.stays.role == Role.R1, facility=len(_model().facilities) - 1),
    "facility's front": lambda c: _set(
        c, "patients", [c.stays.patient[0]], front=1 - c.patients.front[c.stays.patient[0]]
    ),
    "wounds: codes": lambda c: _set(c, "wounds", [0], condition=_coded("morphine")),
    "wounds: sex": lambda c: _set(
        c, "wounds", ~c.patients.female[c.wounds.patient], condition=_coded("tubal_pregnancy")
    ),
    "diagnoses: codes": lambda c: _set(c, "diagnoses", [0], condition=len(CATALOGUE.codes)),
    "diagnoses: sex": lambda c: _set(
        c, "diagnoses", ~c.patients.female[c.diagnoses.patient], condition=_coded("tubal_pregnancy")
    ),
    "treatments: codes": lambda c: _set(c, "treatments", [0], code=_coded("pneumonia")),
    "measurements: codes": lambda c: _set(c, "measurements", [0], code=_coded("suture")),
    "measurements: units": lambda c: _set(c, "measurements", [0], code=_coded("fever")),
    "doses": lambda c: _set(c, "treatments", _is(c, "morphine"), quantity=200.0),
    "surgery": _given("surgery"),
    "advanced care": _given("ct_head"),
    "first aid only": lambda c: _set(
        c, "treatments", c.treatments.stay == NONE, code=_coded("suture"), quantity=0.0
    ),
    "repetition": _twice("acetaminophen", 600),
    "once": _twice("bone_immobilization", 8 * 3600),
    "whose wound": lambda c: _set(
        c, "treatments", c.treatments.wound != NONE, wound=len(c.wounds.patient) - 1
    ),
    "tourniquet": lambda c: _set(
        c,
        "wounds",
        [c.treatments.wound[np.flatnonzero(_is(c, "tourniquet"))[0]]],
        region=Region.HEAD_NECK,
    ),
    "amputation": lambda c: _set(
        c,
        "treatments",
        _limb(c) & _stay_of(c, "treatments", Role.R2),
        code=_coded("hand_amputation"),
        quantity=0.0,
    ),
    "opioids": _given_to("morphine", "traumatic_brain_injury"),
    "anti-inflammatories": _given_to("ibuprofen", "injury_of_kidney"),
    "allergy": _allergic,
    "physiologic range": _measured("heart_rate", 400.0),
    "blood pressure": _measured("diastolic", 155.0),
    "pain": lambda c: _set(c, "measurements", np.flatnonzero(_is(c, "gcs", "measurements")), value=3.0),
    "decimals": _measured("systolic", 120.25),
    "laboratory": lambda c: _set(
        c, "measurements", _stay_of(c, "measurements", Role.R1), code=_coded("hemoglobin"), value=14.0
    ),
    "total": lambda _: make_cohort(_model(), 0, TOTAL - 1),
    "observed days": lambda c: _set(c, "patients", [TOTAL - 1], injured_s=4 * 86_400 + 5),
    "patients by days": lambda c: _set(
        c, "patients", np.arange(40), injured_s=c.patients.injured_s[:40] + 3 * 86_400
    ),
    "patients by fronts": lambda c: _set(c, "patients", np.arange(40), front=0),
    "patients by kinds": lambda c: _set(c, "patients", np.arange(40), kind=Kind.DISEASE),
    "special sizes": lambda c: _set(c, "patients", c.patients.special == 0, special=NONE, warfare=0),
    "hours of types": _drone_by_night,
    "expectant": lambda c: _set(
        c, "injuries", np.flatnonzero(c.injuries.triage == Triage.T4), triage=Triage.T1
    ),
    "shock index": _shock,
}
for _table in ("diagnoses", "treatments", "measurements"):
    _name = "start_s" if _table == "treatments" else "at_s"
    BREAKS |= {
        f"{_table}: whose stay": _other_stay(_table),
        f"{_table}: when": _moved(_table, **{_name: -(10**6)}),
        f"{_table}: injury": _before_injury(_table),
        f"{_table}: dead": _of_dead(_table),
        f"{_table}: order": _swapped(_table),
    }


def test_sound_patients_break_no_rule() -> None:
    """What the model makes breaks none, and every rule looked at somebody."""
    found = findings(_model(), patients=TOTAL)

    assert [rule.name for rule in found.rules if not rule.holds] == []
    assert [rule.name for rule in found.rules if not rule.seen] == []
    assert found.checked == TOTAL


def test_each_rule_has_something_that_breaks_it() -> None:
    """A rule that nothing can break would be worth nothing."""
    assert {rule.name for rule in examined(_model(), [_sound()], whole=True).rules} - {
        "service number"
    } == set(BREAKS)


@pytest.mark.parametrize("name", BREAKS)
def test_a_rule_is_broken_by_what_it_forbids(name: str) -> None:
    """One wrong row, and the rule says so."""
    assert name in _broken(BREAKS[name](_sound()))


def test_who_breaks_a_rule_is_named_and_counted() -> None:
    """The first patient's index and the number of rows are told."""
    broken = _set(_sound(), "patients", np.asarray([700, 900]), weight_kg=131.0)

    rule = next(r for r in examined(_model(), [broken], whole=True).rules if r.name == "weight")

    assert (rule.first, rule.broken, rule.seen) == (700, 2, TOTAL)


@pytest.mark.parametrize(
    "number", ["12345678901", "POL-ABCDEF-0000000002", "EST-ABCDEF-0000000001", "POL-abcdef-0000000001"]
)
def test_numbers_of_another_shape_nation_or_patient_are_seen(number: str) -> None:
    """The first patient is of the first nation; a national id, another's number or nation are wrong."""
    first = replace(_sound(), patients=_one(_sound().patients))

    ((name, _, _, wrong),) = of_numbers(lambda _: [number], ("POL", "EST"))(first)
    ((_, _, _, right),) = of_numbers(lambda _: ["POL-ABCDEF-0000000001"], ("POL", "EST"))(first)

    assert (name, wrong.tolist(), right.tolist()) == ("service number", [True], [False])


def _one(patients: Patients) -> Patients:
    only = Patients(*(getattr(patients, name)[:1] for name in Patients.__slots__))
    return replace(only, nation=np.zeros(1, dtype=np.int64))
