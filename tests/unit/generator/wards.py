"""Many patients with wounds, stays and ends, for tests of what is done for them; no model of anything."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from carebus_generator.domain.bodies import Bodies, bodies
from carebus_generator.domain.cohort import (
    NEVER,
    NONE,
    Courses,
    Diagnoses,
    Injuries,
    Kind,
    Measurements,
    Mechanism,
    Outcome,
    Patients,
    Region,
    Role,
    Stays,
    Treatments,
    Wounds,
)
from carebus_generator.domain.conditions import CONDITIONS
from carebus_generator.domain.diagnosing import diagnoses
from carebus_generator.domain.draws import Draws, Ints
from carebus_generator.domain.signs import measurements
from carebus_generator.domain.treating import treatments

_CASES = (
    (Kind.BATTLE, Mechanism.BLAST),
    (Kind.BATTLE, Mechanism.GUNSHOT),
    (Kind.BATTLE, Mechanism.TOXIC),
    (Kind.NON_BATTLE, Mechanism.VEHICLE),
    (Kind.NON_BATTLE, Mechanism.SPORT_OR_WORK),
    (Kind.NON_BATTLE, Mechanism.ENVIRONMENT),
    (Kind.NON_BATTLE, Mechanism.BURN),
    (Kind.DISEASE, Mechanism.ILLNESS),
    (Kind.DISEASE, Mechanism.ILLNESS),
)


@dataclass(frozen=True)
class Ward:
    """Patients, what they have and where they go, and all that the three modules under test make of it."""

    draws: Draws
    patients: Patients
    injuries: Injuries
    wounds: Wounds
    stays: Stays
    courses: Courses
    bodies: Bodies
    diagnoses: Diagnoses
    treatments: Treatments
    measurements: Measurements


def ward(count: int, first: int = 0, seed: int = 7) -> Ward:
    """Return patients of all kinds; a third dies, at any role or on the way, the others leave."""
    draws = Draws(seed, np.arange(first, first + count, dtype=np.int64))
    case = draws.integers("case", 0, len(_CASES) - 1)
    kind, mechanism = (np.array([each[n] for each in _CASES], dtype=np.int64)[case] for n in (0, 1))
    patients = _patients(draws, kind)
    wounds = _wounds(draws, kind, mechanism, patients)
    none = np.zeros(count, dtype=np.int64)
    injuries = Injuries(mechanism=mechanism, triage=none + 1, iss=none)
    stays, courses = _course(draws, patients, wounds)
    state = bodies(draws, patients, wounds)
    return Ward(
        draws=draws,
        patients=patients,
        injuries=injuries,
        wounds=wounds,
        stays=stays,
        courses=courses,
        bodies=state,
        diagnoses=diagnoses(draws, patients, injuries, wounds, stays=stays, courses=courses),
        treatments=treatments(draws, wounds, state, stays, courses),
        measurements=measurements(draws, patients, state, stays, courses),
    )


def _patients(draws: Draws, kind: Ints) -> Patients:
    none = np.zeros(len(draws), dtype=np.int64)
    return Patients(
        index=draws.indices,
        event=draws.words("event"),
        event_size=none + 1,
        injured_s=draws.integers("injured", 0, 5 * 86_400),
        kind=kind,
        front=none,
        nation=none,
        warfare=none,
        special=none + NONE,
        mass_casualty=draws.chance("mass", 0.3),
        female=draws.chance("female", 0.3),
        birth_day=none,
        blood=none,
        weight_kg=none + 80.0,
        height_cm=none + 180,
    )


def _wounds(draws: Draws, kind: Ints, mechanism: Ints, patients: Patients) -> Wounds:
    whole = np.isin(mechanism, (Mechanism.ILLNESS, Mechanism.TOXIC, Mechanism.BURN, Mechanism.ENVIRONMENT))
    number = np.where(whole, 1, draws.integers("wounds", 1, 4))
    patient = np.repeat(np.arange(len(draws)), number)
    turn = np.concatenate([np.arange(each) for each in number]).astype(np.int64)
    mine = draws.take(patient)
    region = np.where(whole[patient], int(Region.WHOLE), mine.integers("region", 0, 4, turn))
    worst = draws.integers("ais", 1, 6)[patient]
    ais = np.maximum(worst - turn, 1)
    condition = CONDITIONS.pick(
        mine.uniform("condition", turn),
        kind=kind[patient],
        mechanism=mechanism[patient],
        region=region,
        ais=ais,
        female=patients.female[patient],
    )
    return Wounds(patient=patient, condition=condition, region=region, ais=ais)


def _course(draws: Draws, patients: Patients, wounds: Wounds) -> tuple[Stays, Courses]:
    count, hour = len(draws), 3600
    worst = np.zeros(count, dtype=np.int64)
    np.maximum.at(worst, wounds.patient, wounds.ais)
    triage = np.clip(5 - worst, 1, 3)
    triage[draws.chance("expectant", 0.05)] = 4
    first, last = draws.integers("first", 1, 2), draws.integers("last", 0, 4)
    dies = draws.chance("dies", 0.33) | (last == 0)
    first_aid = patients.injured_s + draws.integers("aid", 60, 600)
    aided = draws.chance("aided", 0.8)
    ready = patients.injured_s + draws.integers("pick", 900, 4 * hour)
    died, died_role = np.full(count, NEVER), np.full(count, NONE)
    ended = np.full(count, NEVER)
    here = last == 0
    died[here] = ended[here] = (patients.injured_s + draws.integers("killed", 1, 2 * hour))[here]
    died_role[here] = 0
    columns = []
    for role in (1, 2, 3, 4):
        here = (first <= role) & (role <= np.maximum(last, first)) & (last > 0)
        arrived = ready + draws.integers("ride", 600, 3 * hour, role)
        treated = arrived + np.where(
            draws.chance("waits", 0.3, role), draws.integers("wait", 0, hour, role), 0
        )
        left = treated + draws.integers("stay", 0, (4, 12, 30, 72)[role - 1] * hour, role)
        columns.append((here, np.full(count, role), ready, arrived, treated, left))
        final = here & (role == np.maximum(last, first))
        way = final & dies & draws.chance("way", 0.2)
        died = np.where(final & dies, left + np.where(way, 1200, 0), died)
        died_role = np.where(final & dies, role, died_role)
        ended = np.where(final, np.where(dies, died, left), ended)
        ready = np.where(here, left + 60, ready)
    here, role, ready, arrived, treated, left = (
        np.stack(each, axis=1).ravel() for each in zip(*columns, strict=True)
    )
    rows = np.flatnonzero(here)
    patient = rows // 4
    outcome = np.where(died == NEVER, int(Outcome.RTD), int(Outcome.DOW))
    outcome[died_role == Role.POI] = Outcome.KIA
    stays = Stays(
        patient=patient,
        role=role[rows],
        facility=role[rows] - 1,
        transport=np.ones(len(rows), dtype=np.int64),
        picked_up_s=ready[rows],
        arrived_s=arrived[rows],
        treated_s=treated[rows],
        left_s=left[rows],
        triage=triage[patient],
    )
    courses = Courses(
        outcome=outcome,
        ended_s=ended,
        died_s=died,
        died_role=died_role,
        first_aid_s=np.where(aided, first_aid, NEVER),
        fatal=np.full(count, NONE),
    )
    return stays, courses


def same_in_chunks(table: str) -> None:
    """Assert that a table does not depend on how patients are cut into chunks."""
    whole = getattr(ward(150), table)
    for size in (7, 100):
        chunks = [ward(min(size, 150 - first), first) for first in range(0, 150, size)]
        for column in fields(whole):
            parts = []
            for number, chunk in enumerate(chunks):
                values = getattr(getattr(chunk, table), column.name).copy()
                offset = {"patient": number * size, **_rows_before(chunks[:number])}.get(column.name, 0)
                if offset:
                    values[values != NONE] += offset
                parts.append(values)
            np.testing.assert_array_equal(np.concatenate(parts), getattr(whole, column.name), column.name)


def _rows_before(chunks: list[Ward]) -> dict[str, int]:
    return {
        "stay": sum(len(chunk.stays.patient) for chunk in chunks),
        "wound": sum(len(chunk.wounds.patient) for chunk in chunks),
    }
