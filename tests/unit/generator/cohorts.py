"""Cohorts made by hand, and their surroundings."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np

from carebus_generator.domain.catalogue import CATALOGUE
from carebus_generator.domain.cohort import (
    NEVER,
    NONE,
    Cohort,
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
    Transport,
    Treatments,
    Triage,
    Wounds,
)
from carebus_generator.domain.omop import Site, Surroundings

HOUR, DAY = 3_600, 86_400

SURROUNDINGS = Surroundings(
    source="exercise",
    base_date=date(2025, 6, 1),
    first_person_id=1_000,
    nations=("EST", "POL"),
    fronts=("North", "South"),
    sites=(
        Site("R1-North-1", 1, 0),
        Site("R2-North-1", 2, 0, 54.25, 23.5),
        Site("R1-South-1", 1, 1),
        Site("R4", 4, NONE),
    ),
    warfare=("conventional", "artillery"),
    specials=("ambush",),
    blood_groups=("O+", "A-"),
    environments=(("rain", "fog"), ()),
    posture="contested",
)


def row(key: str) -> int:
    """Return a code's row of the catalogue."""
    return CATALOGUE.row(key)


def columns(*rows: tuple[Any, ...], floats: int = 0) -> list[np.ndarray[Any, Any]]:
    """Return rows as columns of whole numbers or truth values, the last ``floats`` of them as they are."""
    width = len(rows[0])
    return [
        np.array(column if n >= width - floats or isinstance(column[0], bool) else [int(c) for c in column])
        for n, column in enumerate(zip(*rows, strict=True))
    ]


def three_patients(first: int = 10) -> Cohort:
    """Return one who died of wounds at Role 2, one killed at the point of injury, one with a cold.

    The first: shot at 06:00 of day 0, tourniquet at once, Role 1 at 07:00, Role 2 at 10:00, dead at
    13:00:01. The second: dead at 23:59:59 of day 1. The third: ill at 08:00 of day 2, walks to Role 1,
    back to duty at noon.
    """
    injured = (6 * HOUR, DAY + 86_399, 2 * DAY + 8 * HOUR)
    ended = (13 * HOUR + 1, DAY + 86_399, 2 * DAY + 12 * HOUR)
    return Cohort(
        patients=Patients(
            index=np.arange(first, first + 3),
            event=np.array([0xABC, 0xABC, 1], dtype=np.uint64),
            event_size=np.array([2, 2, 1]),
            injured_s=np.array(injured),
            kind=np.array([Kind.BATTLE, Kind.BATTLE, Kind.DISEASE]),
            front=np.array([0, 0, 1]),
            nation=np.array([1, 0, 0]),
            warfare=np.array([1, NONE, 0]),
            special=np.array([NONE, 0, NONE]),
            mass_casualty=np.array([True, False, False]),
            female=np.array([False, True, False]),
            birth_day=np.array([0, 59, -1]),  # 1970-01-01, 1970-03-01, 1969-12-31
            blood=np.array([1, 0, 0]),
            weight_kg=np.array([80.5, 60.0, 70.0]),
            height_cm=np.array([180, 165, 175]),
        ),
        injuries=Injuries(
            np.array([Mechanism.GUNSHOT, Mechanism.BLAST, Mechanism.ILLNESS]),
            np.array([Triage.T1, Triage.T4, Triage.T3]),
            np.array([25, 75, 0]),
        ),
        wounds=Wounds(
            *columns(
                (0, row("bullet_wound"), Region.LIMB_LOWER, 4),
                (0, row("concussion"), Region.HEAD_NECK, 2),
                (1, row("hemothorax"), Region.THORAX, 6),
                (2, row("acute_bronchitis"), Region.WHOLE, 1),
            )
        ),
        stays=Stays(
            *columns(
                (0, Role.R1, 0, Transport.GROUND, 6.5 * HOUR, 7 * HOUR, 7 * HOUR, 9 * HOUR, Triage.T1),
                (0, Role.R2, 1, Transport.AIR, 9 * HOUR, 10 * HOUR, 10.5 * HOUR, ended[0], Triage.T2),
                (
                    2,
                    Role.R1,
                    2,
                    Transport.WALKED,
                    injured[2] + HOUR,
                    injured[2] + 2 * HOUR,
                    injured[2] + 2 * HOUR,
                    ended[2],
                    Triage.T3,
                ),
            )
        ),
        courses=Courses(
            outcome=np.array([Outcome.DOW, Outcome.KIA, Outcome.RTD]),
            ended_s=np.array(ended),
            died_s=np.array([ended[0], ended[1], NEVER]),
            died_role=np.array([Role.R2, Role.POI, NONE]),
            first_aid_s=np.array([injured[0] + 60, NEVER, NEVER]),
            fatal=np.array([0, 2, NONE]),
        ),
        diagnoses=Diagnoses(
            *columns(
                (0, 0, 0, row("concussion"), 7 * HOUR, False),
                (0, 1, 0, row("bullet_wound"), 10 * HOUR, True),
                (0, 1, 1, row("concussion"), 10 * HOUR, True),
                (1, NONE, 2, row("hemothorax"), ended[1], False),
                (2, 2, 3, row("acute_bronchitis"), injured[2] + 2 * HOUR, False),
                (2, 2, 3, row("allergy_penicillin"), injured[2] + 2 * HOUR, False),
            )
        ),
        treatments=Treatments(
            *columns(
                (0, NONE, 0, row("tourniquet"), 6 * HOUR + 60, 6 * HOUR + 120, 0.0),
                (0, 0, NONE, row("morphine"), 7 * HOUR, 7 * HOUR, 7.5),
                (0, 1, NONE, row("red_cells"), 10.5 * HOUR, 11 * HOUR, 2.0),
                floats=1,
            )
        ),
        measurements=Measurements(
            *columns(
                (0, 0, row("heart_rate"), 7 * HOUR, 118.0),
                (0, 1, row("temperature"), 10 * HOUR, 36.6),
                (2, 2, row("gcs"), injured[2] + 2 * HOUR, 15.0),
                floats=1,
            )
        ),
    )
