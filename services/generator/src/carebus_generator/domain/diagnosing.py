"""Diagnoses: preliminary at Role 1, confirmed from Role 2 on, sometimes mistaken and put right later."""

from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np
import numpy.typing as npt

from carebus_generator.domain.bodies import penicillin_allergy
from carebus_generator.domain.care import CARE, positions
from carebus_generator.domain.catalogue import CATALOGUE
from carebus_generator.domain.cohort import (
    NONE,
    Courses,
    Diagnoses,
    Injuries,
    Kind,
    Mechanism,
    Patients,
    Region,
    Role,
    Stays,
    Triage,
    Wounds,
)
from carebus_generator.domain.conditions import CONDITIONS
from carebus_generator.domain.draws import Draws, Floats, Ints
from carebus_generator.domain.whereabouts import Whereabouts, ordinals, whereabouts

_FACILITIES = (Role.R1, Role.R2, Role.R3, Role.R4)


def diagnoses(
    draws: Draws, patients: Patients, injuries: Injuries, wounds: Wounds, *, stays: Stays, courses: Courses
) -> Diagnoses:
    """Return what is diagnosed at each stay.

    Role 1 names every wound, preliminarily; the first stay at Role 2 or above confirms each. Who was
    mistaken there is put right, or not, at the next role. A mistake is another condition of the same
    group that fits mechanism, body region, sex and about the severity; where there is none, nobody is
    mistaken. An allergy on record is said where care begins, and speaks of no wound.
    """
    where = whereabouts(stays, courses)
    mine = draws.take(wounds.patient)
    number = ordinals(wounds.patient)
    case = np.ravel_multi_index(
        (
            positions(wounds.condition),
            injuries.mechanism[wounds.patient],
            wounds.region,
            wounds.ais - 1,
            patients.female[wounds.patient].astype(np.int64),
        ),
        _OTHERS_COUNT.shape,
    )
    others = _OTHERS_COUNT.ravel()[case]
    stated = np.full(len(wounds.patient), NONE, dtype=np.int64)
    confirmed = np.zeros(len(wounds.patient), dtype=np.bool_)
    found = [_allergies(draws, where)]
    for role in _FACILITIES:
        here = where.cared[wounds.patient, role]
        wrong = wounds.condition != stated
        asked = np.flatnonzero(here & (wrong | ((role >= Role.R2) & ~confirmed)))
        if not len(asked):
            continue
        some, draw = mine.take(asked), number[asked] * len(Role) + role
        right = some.uniform("diagnosing.right", draw) < _chance(role, patients, where, wounds.patient[asked])
        other = (some.uniform("diagnosing.other", draw) * others[asked]).astype(np.int64)
        mistaken = _OTHERS.reshape(-1, _OTHERS.shape[-1])[case[asked], other].astype(np.int64)
        said = np.where(right | (others[asked] == 0), wounds.condition[asked], mistaken)
        news = (said != stated[asked]) | ((role >= Role.R2) & ~confirmed[asked])
        asked, said = asked[news], said[news]
        at_s = _time(mine.take(asked), draw[news], role, where, wounds.patient[asked])
        found.append((wounds.patient[asked], asked, said, at_s, np.full(len(asked), role, dtype=np.int64)))
        stated[asked] = said
        confirmed[asked] |= role >= Role.R2
    patient, wound, said, at_s, roles = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.lexsort((wound, at_s, patient))
    patient, wound, said, at_s, roles = (column[order] for column in (patient, wound, said, at_s, roles))
    return Diagnoses(
        patient=patient,
        stay=where.stay[patient, roles],
        wound=wound,
        condition=said,
        at_s=at_s,
        confirmed=roles >= Role.R2,
    )


def _chance(role: Role, patients: Patients, where: Whereabouts, patient: Ints) -> Floats:
    """Return the chance that a diagnosis is right."""
    given = CARE.diagnosis
    by_triage = np.array([0.0, *(given.triage[triage.name] for triage in Triage)])
    chance = given.right[role.name] + by_triage[where.triage[patient, role]]
    if role <= Role.R2:
        chance = chance + given.battle * (patients.kind[patient] == Kind.BATTLE)
        chance = chance + given.mass_casualty * patients.mass_casualty[patient]
    return np.asarray(chance, dtype=np.float64)


def _allergies(draws: Draws, where: Whereabouts) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """Return patient, wound, condition, time and role of allergies on record, where care first begins."""
    cared = where.cared[:, Role.R1 :]
    patient = np.flatnonzero(penicillin_allergy(draws) & cared.any(axis=1))
    role = np.argmax(cared[patient], axis=1) + Role.R1
    same = np.ones_like(patient)
    return (
        patient,
        same * NONE,
        same * CATALOGUE.row("allergy_penicillin"),
        where.begin_s[patient, role],
        role,
    )


def _time(draws: Draws, draw: Ints, role: Role, where: Whereabouts, patient: Ints) -> Ints:
    """Return when: some minutes after care began, the sooner the shorter the stay."""
    low, high = CARE.diagnosis.minutes
    begin, room = where.begin_s[patient, role], where.end_s[patient, role] - where.begin_s[patient, role]
    after = draws.integers("diagnosing.after", low * 60, high * 60, draw)
    at_s: Ints = begin + after * room // (after + room)
    return at_s


def _others() -> tuple[npt.NDArray[np.int16], Ints]:
    """Return what each condition can be mistaken for, and the number of these.

    By condition, mechanism, region, severity and sex; rows of the catalogue. Severity is about the same,
    as nobody sees it by a step.
    """
    shape = (len(CONDITIONS.all), len(Mechanism), len(Region), 6, 2)
    count = np.zeros(shape, dtype=np.int64)
    largest = max(Counter(each.group for each in CONDITIONS.all).values())
    # Two bytes each, as the table has some hundred thousand places, mostly empty.
    table = np.full((*shape, largest - 1), NONE, dtype=np.int16)
    for (place, each), other in product(enumerate(CONDITIONS.all), CONDITIONS.all):
        if other is not each and other.group == each.group:
            fits = other.cases(about=1)
            table[place][fits, count[place][fits]] = other.row
            count[place] += fits
    return table, count


_OTHERS, _OTHERS_COUNT = _others()
