"""Vital signs at each arrival and some hours later, laboratory values of the seriously ill from Role 2 on, build.

Values follow from how badly off the body is at that time: it gets worse until somebody cares, better
under care, and worse again towards death. By design, then, shock index, fever and coma score agree with
wounds, triage and outcome.

Source:
    Heart rate, blood pressure and respiratory rate by blood loss: ATLS classes, see care.toml. Shock index of
    0.8 at rest and 1.2 before an early death: Department of Defense Trauma Registry 2007-20. The rest of the
    coefficients is ours, chosen for values in the usual range of healthy adults when nothing is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from carebus_generator.domain.bodies import Bodies
from carebus_generator.domain.care import CARE
from carebus_generator.domain.catalogue import CATALOGUE
from carebus_generator.domain.cohort import NEVER, Courses, Kind, Measurements, Patients, Role, Stays, Triage
from carebus_generator.domain.draws import Bools, Draws, Floats, Ints
from carebus_generator.domain.whereabouts import ordinals

VITALS = (
    "heart_rate", "systolic", "diastolic", "respiratory_rate", "oxygen_saturation", "temperature", "gcs", "pain",
)  # fmt: skip
LABS = ("hemoglobin", "lactate", "inr", "platelets", "ph", "pco2")
BUILD = ("weight", "height")
"""Taken once, on admission to the first hospital: Role 3 or 4."""
_ALL = (*VITALS, *LABS, *BUILD)
_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class _Occasions:
    """One row a time at which somebody measures; sorted by patient, then time."""

    stay: Ints
    turn: Ints
    """0 on arrival, then counted."""
    at_s: Ints


def measurements(
    draws: Draws, patients: Patients, bodies: Bodies, stays: Stays, courses: Courses
) -> Measurements:
    """Return vital signs, laboratory values and build; nothing is measured after death."""
    occasions = _occasions(draws, stays, courses)
    patient = stays.patient[occasions.stay]
    now = _now(patients, bodies, stays, courses, occasions)
    values = _values(draws.take(patient), patients, now, occasions, stays)
    taken = _taken(now, values, stays, occasions)
    row, column = np.nonzero(taken)
    return Measurements(
        patient=patient[row],
        stay=occasions.stay[row],
        code=_CODES[column],
        at_s=occasions.at_s[row],
        value=values[row, column],
    )


def _occasions(draws: Draws, stays: Stays, courses: Courses) -> _Occasions:
    given, again = CARE.measured, CARE.measured.repeated
    mine = draws.take(stays.patient)
    died = courses.died_s[stays.patient]
    end = np.where(died == NEVER, stays.left_s, np.minimum(stays.left_s, died))
    room = end - stays.arrived_s
    alive = np.flatnonzero(room > 0)
    room = room[alive]
    after = mine.take(alive).integers(
        "signs.after", given.minutes[0] * 60, given.minutes[1] * 60, stays.role[alive]
    )
    first = stays.arrived_s[alive] + after * room // (after + room)
    triage = stays.triage[alive]
    every = np.array((1, *again.every_h), dtype=np.int64)[triage] * 3600
    more = np.clip((end[alive] - 1 - first) // every, 0, np.array((0, *again.most))[triage])
    row = np.repeat(np.arange(len(alive)), more + 1)
    turn = ordinals(row)
    return _Occasions(stay=alive[row], turn=turn, at_s=first[row] + turn * every[row])


@dataclass(frozen=True, slots=True)
class _Now:
    """How badly off the body is on each occasion; parts as in ``Bodies``."""

    shock: Floats
    blood: Floats
    brain: Floats
    breathing: Floats
    fever: Floats
    heat: Floats
    cold: Floats
    pain: Floats
    hours: Floats
    """Since the injury."""


def _now(patients: Patients, bodies: Bodies, stays: Stays, courses: Courses, occasions: _Occasions) -> _Now:
    patient = stays.patient[occasions.stay]
    at_s = occasions.at_s
    begun, theatre = _care_begins(stays, len(patients.index))
    aided = np.where(courses.first_aid_s == NEVER, begun, courses.first_aid_s)
    hours = (at_s - patients.injured_s[patient]) / _HOUR
    # Bleeding goes on for as long as nobody stops it: the last quarter of the loss takes two hours.
    bled = (np.minimum(at_s, aided[patient]) - patients.injured_s[patient]) / _HOUR
    worse = 0.75 + 0.25 * np.minimum(np.maximum(bled, 0.0) / 2, 1.0)
    here = np.maximum(at_s - begun[patient], 0) / _HOUR
    operated = np.maximum(at_s - theatre[patient], 0) / _HOUR
    quick = worse / (1 + here / 12) / (1 + operated / 3)
    # Nearing death undoes what care had mended.
    died = courses.died_s[patient]
    left = np.where(died == NEVER, 1e9, (died - at_s) / _HOUR)
    dying = 0.95 / (1 + left * left / 4)
    urgent = _URGENT[stays.triage[occasions.stay]]
    injured = patients.kind[patient] != Kind.DISEASE
    return _Now(
        shock=np.minimum(np.maximum(bodies.shock[patient] * quick, dying) + urgent * quick, 1.0),
        blood=np.minimum(bodies.blood[patient] * worse / (1 + operated / 24), 1.0),
        brain=np.minimum(np.maximum(bodies.brain[patient] / (1 + here / 48), dying * dying), 1.0),
        breathing=np.minimum(np.maximum(bodies.breathing[patient] * quick, 0.6 * dying), 1.0),
        fever=bodies.fever[patient] / (1 + here / 24),
        heat=bodies.heat[patient] / (1 + here / 1.5),
        cold=bodies.cold[patient] / (1 + here / 3),
        pain=np.minimum(bodies.pain[patient] * (1.0 + 0.25 * injured) / (1 + here / 6), 1.0),
        hours=hours,
    )


def _care_begins(stays: Stays, count: int) -> tuple[Ints, Ints]:
    """Return when each patient's care begins, and when at Role 2 or above; far ahead where it never does."""
    begun, theatre = (np.full(count, np.iinfo(np.int64).max // 2) for _ in range(2))
    np.minimum.at(begun, stays.patient, stays.treated_s)
    high = stays.role >= Role.R2
    np.minimum.at(theatre, stays.patient[high], stays.treated_s[high])
    return begun, theatre


def _values(draws: Draws, patients: Patients, now: _Now, occasions: _Occasions, stays: Stays) -> Floats:
    """Return occasions × codes: what would be read, rounded, within the catalogue's ranges."""
    patient = stays.patient[occasions.stay]
    moment = stays.role[occasions.stay] * _TURNS + occasions.turn
    own = [
        _noise(draws, f"signs.own.{key}") for key in ("heart_rate", "systolic", "temperature", "hemoglobin")
    ]
    noise = {key: _noise(draws, f"signs.{key}", moment) for key in (*VITALS, *LABS)}
    shock, brain, breathing, fever = now.shock, now.brain, now.breathing, now.fever
    low = np.maximum(shock - 0.3, 0.0) / 0.7
    septic = np.maximum(shock - now.blood, 0.0)
    systolic = 122 + 24 * own[1] + 5 * noise["systolic"] - 66 * low + 6 * now.pain * (1 - low)
    # Pulse pressure narrows before the pressure falls.
    pulse = (44 + 5 * noise["diastolic"]) * (systolic / 122) * (1 - 0.4 * shock)
    temperature = 36.7 + 0.3 * own[2] + 0.2 * noise["temperature"]
    temperature = temperature + 2.4 * fever + 3.6 * now.heat - 1.6 * low - 7.0 * now.cold
    coma = 15.3 - 12 * brain + 1.2 * noise["gcs"] * (brain > 0.1) - 4 * np.maximum(low - 0.4, 0)
    pale = now.blood * np.minimum(0.35 + 0.65 * now.hours / 6, 1.0)
    healthy = np.where(patients.female[patient], 13.4, 15.0)
    columns = {
        "heart_rate": 74 + 20 * own[0] + 5 * noise["heart_rate"] + 62 * shock + 9 * now.pain + 16 * fever
        + 14 * breathing + 24 * now.heat - 30 * now.cold,
        "systolic": systolic,
        "diastolic": systolic - np.maximum(pulse, 12),
        "respiratory_rate": 15 + 2 * noise["respiratory_rate"] + 20 * low + 7 * shock + 16 * breathing + 4 * fever
        + 2 * now.pain - 5 * brain,
        "oxygen_saturation": 98 + noise["oxygen_saturation"] - 22 * breathing - 6 * low,
        "temperature": temperature,
        "gcs": coma,
        "pain": 10 * np.minimum(now.pain, 1.0) + 1.5 * noise["pain"] * (now.pain > 0.05),
        "hemoglobin": healthy + 2.0 * own[3] + 0.3 * noise["hemoglobin"] - 8.0 * pale,
        "lactate": (1.2 + 0.4 * noise["lactate"] + 9.5 * low + 3.0 * shock + 2.0 * septic) * _LACTATE_MG,
        "inr": 1.02 + 0.08 * noise["inr"] + 0.9 * low + 0.3 * brain + 0.4 * septic,
        "platelets": 245 + 70 * noise["platelets"] - 120 * pale - 60 * septic,
        "ph": 7.40 + 0.03 * noise["ph"] - 0.30 * low - 0.05 * shock - 0.08 * breathing,
        "pco2": 40 + 4 * noise["pco2"] + 20 * breathing - 9 * low + 6 * brain,
        "weight": patients.weight_kg[patient],
        "height": patients.height_cm[patient],
    }  # fmt: skip
    values = np.empty((len(moment), len(_CODES)))
    for place, key in enumerate(_ALL):
        code = CATALOGUE[int(_CODES[place])]
        values[:, place] = np.round(np.clip(columns[key], code.low, code.high), code.decimals)
    return values


def _taken(now: _Now, values: Floats, stays: Stays, occasions: _Occasions) -> Bools:
    """Return occasions × codes: what is measured when."""
    stay, arriving = occasions.stay, occasions.turn == 0
    triage = stays.triage[stay]
    first = arriving & (np.diff(stays.patient, prepend=-1) != 0)[stay]
    taken = np.where(first[:, None], _FIRST[triage], np.where(arriving[:, None], _LATER[triage], _REPEATED))
    worst = np.maximum.reduce([now.shock, now.brain, now.breathing])
    tested = arriving & (stays.role[stay] >= Role.R2) & (worst >= CARE.measured.laboratory.serious)
    taken |= tested[:, None] & _LABORATORY
    # The most urgent are looked at from head to foot, once.
    whole = first & ((triage == Triage.T1) | (triage == Triage.T4))
    for key, parts in CARE.measured.reasons.items():
        reason = whole.copy()
        for part, least in parts.items():
            reason |= getattr(now, part) >= least
        taken[:, _ALL.index(key)] &= reason
    # Pain is what the patient says.
    taken[:, VITALS.index("pain")] &= values[:, VITALS.index("gcs")] >= _SPEAKS
    hospital = stays.role >= Role.R3
    admitted = hospital & (np.diff(stays.patient * 2 + hospital, prepend=-1) != 0)
    taken |= (admitted[stay] & arriving)[:, None] & _ADMISSION[triage]
    return taken


def _among(keys: tuple[str, ...]) -> Bools:
    return np.array([key in keys for key in _ALL])


def _noise(draws: Draws, stream: str, draw: int | Ints = 0) -> Floats:
    """Return a triangular number from -1 to 1, of standard deviation 0.41."""
    words = draws.words(stream, draw)
    upper, lower = (words >> _32).astype(np.float64), (words & _LOW).astype(np.float64)
    return (upper - lower) * _UNIT


_FIRST, _LATER, _ADMISSION = (
    # Row 0 belongs to no triage category.
    np.array([_among(()), *(_among(getattr(by_triage, triage.name)) for triage in Triage)])
    for by_triage in (CARE.measured.first, CARE.measured.later, CARE.measured.admission)
)
_REPEATED, _LABORATORY = _among(CARE.measured.repeated.signs), _among(CARE.measured.laboratory.values)
_CODES: Ints = np.array([CATALOGUE.row(key) for key in _ALL], dtype=np.int64)
_URGENT: Floats = np.zeros(len(Triage) + 1)
_URGENT[[Triage.T1, Triage.T2, Triage.T4]] = (0.12, 0.04, 0.15)
"""By triage on arrival: whoever is more urgent is in more shock than the wounds alone say."""
_TURNS = 1 + max(CARE.measured.repeated.most)
_LACTATE_MG = 9.008
"""mg/dL of a mmol/L: LOINC 59032-3 is a mass concentration."""
_SPEAKS = 9
"""Least coma score at which a patient can say how much it hurts."""
_32, _LOW, _UNIT = np.uint64(32), np.uint64(2**32 - 1), 2.0**-32
