"""When a patient could be cared for, and where: the point of injury, and each role's stay."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from carebus_generator.domain.cohort import NEVER, NONE, Courses, Role, Stays
from carebus_generator.domain.draws import Bools, Ints


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Patients × roles (``Role``); a patient has at most one stay at a role."""

    stay: Ints
    """Row of Stays, or NONE; NONE also at the point of injury."""
    triage: Ints
    """On arrival; NONE without a stay."""
    begin_s: Ints
    """Care begins: first aid, then as in Stays."""
    end_s: Ints
    """Care ends: the patient is picked up, leaves or dies."""
    cared: Bools
    """Whether there is any time for care there."""
    last_s: Ints
    """One a patient: when the last care ends, or NEVER."""


def whereabouts(stays: Stays, courses: Courses) -> Whereabouts:
    """Return where and when each patient is in somebody's care."""
    shape = (len(courses.outcome), len(Role))
    stay, triage, begin, end = (np.full(shape, NONE, dtype=np.int64) for _ in range(4))
    at = (stays.patient, stays.role)
    stay[at] = np.arange(len(stays.patient))
    triage[at] = stays.triage
    begin[at], end[at] = stays.treated_s, stays.left_s
    aided = courses.first_aid_s != NEVER
    begin[:, Role.POI] = courses.first_aid_s
    # Without a journey, the point of injury is left by dying there, or with the course.
    end[:, Role.POI] = courses.ended_s
    first = np.flatnonzero(np.diff(stays.patient, prepend=-1))
    end[stays.patient[first], Role.POI] = stays.picked_up_s[first]
    died = np.where(courses.died_s == NEVER, np.iinfo(np.int64).max, courses.died_s)
    np.minimum(end, died[:, None], out=end)
    there = stay != NONE
    there[:, Role.POI] = aided
    cared = there & (end > begin)
    last = np.where(cared, end, NEVER).max(axis=1)
    return Whereabouts(stay=stay, triage=triage, begin_s=begin, end_s=end, cared=cared, last_s=last)


def ordinals(patient: Ints) -> Ints:
    """Return the number of each row within its patient, from 0; rows are sorted by patient."""
    starts = np.flatnonzero(np.diff(patient, prepend=-1))
    counts = np.diff(starts, append=len(patient))
    number: Ints = np.arange(len(patient)) - np.repeat(starts, counts)
    return number
