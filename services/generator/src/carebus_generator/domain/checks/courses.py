"""Rules about the way of patients: outcome, stays, and what is noted in them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from carebus_generator.domain.checks.rules import Check, at
from carebus_generator.domain.cohort import NEVER, NONE, Cohort, Kind, Outcome, Role, Transport, Triage
from carebus_generator.domain.draws import Bools, Ints


def of_courses(cohort: Cohort) -> Iterator[tuple[str, str, Ints, Bools]]:
    """How patients end: one outcome, which agrees with everything else."""
    p, s, c = cohort.patients, cohort.stays, cohort.courses
    everybody = np.arange(len(cohort))
    stays = np.bincount(s.patient, minlength=len(cohort))
    dead = c.outcome <= Outcome.DIED
    last = np.cumsum(stays) - 1
    battle = p.kind == Kind.BATTLE

    def last_of(column: Ints, otherwise: int) -> Ints:
        return np.where(stays > 0, column[np.maximum(last, 0)] if len(column) else otherwise, otherwise)

    role, left, arrived = last_of(s.role, Role.POI), last_of(s.left_s, NEVER), last_of(s.arrived_s, NEVER)
    yield (
        "outcome",
        "each patient has one of the six outcomes",
        everybody,
        (c.outcome < Outcome.KIA) | (c.outcome > Outcome.REMAINS),
    )
    yield (
        "dead or not",
        "exactly the dead have a time and a place of death",
        everybody,
        (dead != (c.died_s != NEVER)) | (dead != (c.died_role != NONE)),
    )
    yield (
        "time of death",
        "death ends the course, and is not before the injury",
        everybody,
        dead & ((c.died_s != c.ended_s) | (c.died_s < p.injured_s)),
    )
    yield (
        "killed in action",
        "KIA are battle casualties without a stay",
        everybody,
        (c.outcome == Outcome.KIA) & (~battle | (stays > 0) | (c.died_role != Role.POI)),
    )
    yield (
        "died of wounds",
        "DOW are battle casualties who reached a facility",
        everybody,
        (c.outcome == Outcome.DOW) & (~battle | (stays == 0)),
    )
    yield (
        "died otherwise",
        "nobody hit by the enemy dies of disease or accident",
        everybody,
        (c.outcome == Outcome.DIED) & battle,
    )
    yield (
        "place of death",
        "the place of death is that of the last stay",
        everybody,
        dead & (c.died_role != role),
    )
    yield (
        "returned",
        "nobody returns to duty without having been at a facility",
        everybody,
        (c.outcome == Outcome.RTD) & (stays == 0),
    )
    yield (
        "evacuated",
        "the evacuated were at Role 4 last",
        everybody,
        (c.outcome >= Outcome.DISCHARGED) & (role != Role.R4),
    )
    yield (
        "last stay",
        "the living leave their last stay when their course ends",
        everybody,
        ~dead & (left != c.ended_s),
    )
    yield (
        "dead in a stay",
        "the dead leave their last stay no later than they die",
        everybody,
        dead & (stays > 0) & ((left > c.died_s) | (arrived > c.died_s)),
    )
    yield (
        "first aid",
        "first aid is after the injury, and not for the dead",
        everybody,
        (c.first_aid_s != NEVER) & ((c.first_aid_s < p.injured_s) | (dead & (c.first_aid_s > c.died_s))),
    )
    yield (
        "fatal wound",
        "exactly the dead have a fatal wound, and it is their own",
        everybody,
        _fatal(cohort, dead),
    )


def of_stays(cohort: Cohort) -> Iterator[tuple[str, str, Ints, Bools]]:
    """How patients move: forward in time and in care."""
    p, s = cohort.patients, cohort.stays
    first = np.diff(s.patient, prepend=-1) != 0
    before_left = np.where(first, p.injured_s[s.patient], np.roll(s.left_s, 1))
    before_role = np.where(first, Role.POI, np.roll(s.role, 1))
    yield "order of stays", "stays stand in order of patients", s.patient, np.diff(s.patient, prepend=0) < 0
    yield (
        "picked up",
        "no journey begins before the stay before was left",
        s.patient,
        s.picked_up_s < before_left,
    )
    yield "journeys", "every journey takes time", s.patient, s.arrived_s <= s.picked_up_s
    yield (
        "treated",
        "care begins on arrival or later, and before leaving",
        s.patient,
        (s.treated_s < s.arrived_s) | (s.left_s < s.treated_s),
    )
    yield (
        "roles",
        "roles rise from stay to stay: none falls and none is visited twice",
        s.patient,
        (s.role <= before_role),
    )
    yield "role", "a stay is at Role 1 to 4", s.patient, (s.role < Role.R1) | (s.role > Role.R4)
    urgent = cohort.injuries.triage[s.patient] == Triage.T1
    yield (
        "bypass",
        "Role 1 is passed by only on the first journey, by T1, by air and to Role 2; later no role is passed by",
        s.patient,
        (s.role > before_role + 1) & ~(first & urgent & (s.transport == Transport.AIR) & (s.role == Role.R2)),
    )
    yield "triage on arrival", "triage is T1 to T4", s.patient, (s.triage < 1) | (s.triage > 4)


def of_facilities(role: Ints, front: Ints) -> Check:
    """Return the check of where stays are.

    Args:
        role: Of each facility.
        front: That each facility serves; NONE for all of them.
    """

    def check(cohort: Cohort) -> Iterator[tuple[str, str, Ints, Bools]]:
        s = cohort.stays
        known = (s.facility >= 0) & (s.facility < len(role))
        facility = np.where(known, s.facility, 0)
        yield (
            "facility",
            "each stay is at a facility of its role",
            s.patient,
            ~known | (role[facility] != s.role),
        )
        own = cohort.patients.front[s.patient]
        near = (s.role <= Role.R2) & (front[facility] != NONE)
        yield (
            "facility's front",
            "Role 1 and 2 are those of the patient's front",
            s.patient,
            near & (front[facility] != own),
        )

    return check


def of_events_after_death(cohort: Cohort) -> Iterator[tuple[str, str, Ints, Bools]]:
    """Nothing is done to the dead, nor before the injury, nor outside of its stay."""
    c, s = cohort.courses, cohort.stays
    for name, patient, stay, start, end in (
        (
            "diagnoses",
            cohort.diagnoses.patient,
            cohort.diagnoses.stay,
            cohort.diagnoses.at_s,
            cohort.diagnoses.at_s,
        ),
        (
            "treatments",
            cohort.treatments.patient,
            cohort.treatments.stay,
            cohort.treatments.start_s,
            cohort.treatments.end_s,
        ),
        (
            "measurements",
            cohort.measurements.patient,
            cohort.measurements.stay,
            cohort.measurements.at_s,
            cohort.measurements.at_s,
        ),
    ):
        inside = stay != NONE
        of_stay = np.where(inside, stay, 0)
        arrived, left = at(s.arrived_s, of_stay), at(s.left_s, of_stay)
        yield (
            f"{name}: whose stay",
            f"{name} are in a stay of their patient",
            patient,
            inside & (at(s.patient, of_stay) != patient),
        )
        yield (
            f"{name}: when",
            f"{name} lie between arrival and leaving",
            patient,
            inside & ((start < arrived) | (end > left)),
        )
        yield (
            f"{name}: injury",
            f"{name} are not before the injury",
            patient,
            (start < cohort.patients.injured_s[patient]) | (end < start),
        )
        yield (
            f"{name}: order",
            f"{name} stand in order of patients and times",
            patient,
            (np.diff(patient, prepend=0) < 0)
            | ((np.diff(patient, prepend=-1) == 0) & (np.diff(start, prepend=0) < 0)),
        )
        died = c.died_s[patient]
        yield f"{name}: dead", f"{name} end with death", patient, (died != NEVER) & (end > died)


def _fatal(cohort: Cohort, dead: Bools) -> Bools:
    fatal = cohort.courses.fatal
    whose = at(cohort.wounds.patient, np.where(fatal == NONE, 0, fatal))
    broken: Bools = (dead != (fatal != NONE)) | ((fatal != NONE) & (whose != np.arange(len(fatal))))
    return broken
