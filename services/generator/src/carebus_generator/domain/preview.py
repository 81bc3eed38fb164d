"""What a scenario leads to, from a sample of its patients: for people who are about to generate it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from carebus_generator.domain.cohort import NEVER, Cohort, Kind, Outcome, Role, Triage
from carebus_generator.domain.draws import Floats, Ints
from carebus_generator.domain.making import cohort_of
from carebus_generator.domain.model import Model

HOUR = 3600
ENDS = tuple(outcome.name for outcome in Outcome)
NODES = (*(role.name for role in Role), *ENDS)
"""Places of the flow: the roles of care, then the outcomes."""


@dataclass(frozen=True, slots=True)
class Attained:
    """One of the timelines 10 minutes, 1 hour, 2 hours."""

    name: str
    within: float
    """Share of those who needed it and got it in time."""
    got: float
    """Share of those who needed it and got it at all."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a scenario leads to. Counts are those of the whole, scaled up from the sample."""

    name: str
    title: str
    total: int
    sample: int
    hours: int
    """Of the observed time."""
    arrivals: Floats
    """Casualties per hour by front: fronts × hours."""
    fronts: tuple[str, ...]
    triage: Floats
    """Patients by kind and triage: kinds × T1 to T4."""
    flow: Floats
    """Patients from node to node: nodes × nodes."""
    census: Floats
    """Patients in facilities at each hour: Role 1 to 4 × hours."""
    capacity: tuple[int, ...]
    """Beds at Role 1 to 4; 0 is no limit."""
    attained: tuple[Attained, ...]
    notes: tuple[str, ...] = ()


def preview_of(model: Model, patients: int) -> Preview:
    """Return what a scenario leads to, from so many patients at most, evenly spread over the data set."""
    scenario, places, total = model.scenario, model.facilities, model.timeline.total
    sample = min(patients, total)
    roles = [int(places.beds[places.role == role].sum()) for role in (Role.R1, Role.R2, Role.R3)]
    notes = []
    if scenario.mode == "independent":
        notes.append(
            "Nobody waits in this mode: where patients are more than beds, capacity mode shows what happens."
        )
    return preview(
        [cohort_of(model, np.arange(sample) * total // sample)],
        name=scenario.name,
        title=scenario.description,
        total=total,
        fronts=[front.name for front in scenario.fronts],
        capacity=[*roles, 0],
        notes=notes,
    )


def preview(
    cohorts: Iterable[Cohort],
    *,
    name: str,
    title: str,
    total: int,
    fronts: Sequence[str],
    capacity: Sequence[int],
    notes: Sequence[str] = (),
) -> Preview:
    """Return what a sample of patients shows.

    Args:
        cohorts: The sample; all patients, or evenly spread ones.
        name: Of the scenario.
        title: What it is, in words.
        total: Patients of the scenario.
        fronts: Their names.
        capacity: Beds at Role 1 to 4.
        notes: What a reader should know.
    """
    found = list(cohorts)
    sample = sum(map(len, found))
    scale = total / sample if sample else 0.0
    last_s = max((int(c.courses.ended_s.max(initial=0)) for c in found), default=0)
    hours = last_s // HOUR + 1
    arrivals = np.zeros((len(fronts), hours))
    triage = np.zeros((len(Kind), len(Triage)))
    flow = np.zeros((len(NODES), len(NODES)))
    changes = np.zeros((4, hours + 1))
    delays: dict[str, list[Ints]] = {"10 minutes": [], "1 hour": [], "2 hours": []}
    needed = dict.fromkeys(delays, 0)
    for cohort in found:
        p = cohort.patients
        np.add.at(arrivals, (p.front, p.injured_s // HOUR), scale)
        np.add.at(triage, (p.kind, cohort.injuries.triage - 1), scale)
        _add_flow(flow, cohort, scale)
        stays = cohort.stays
        np.add.at(changes, (stays.role - 1, stays.arrived_s // HOUR), scale)
        np.add.at(changes, (stays.role - 1, np.minimum(stays.left_s // HOUR + 1, hours)), -scale)
        for step, (who, delay) in _delays(cohort).items():
            needed[step] += who
            delays[step].append(delay)
    return Preview(
        name=name,
        title=title,
        total=total,
        sample=sample,
        hours=hours,
        arrivals=arrivals,
        fronts=tuple(fronts),
        triage=triage,
        flow=flow,
        census=np.cumsum(changes[:, :-1], axis=1),
        capacity=tuple(capacity),
        attained=tuple(
            _attained(step, limit_s, needed[step], delays[step])
            for step, limit_s in (("10 minutes", 600), ("1 hour", HOUR), ("2 hours", 2 * HOUR))
        ),
        notes=tuple(notes),
    )


def _add_flow(flow: Floats, cohort: Cohort, scale: float) -> None:
    stays = cohort.stays
    first = np.diff(stays.patient, prepend=-1) != 0
    before = np.where(first, Role.POI, np.roll(stays.role, 1))
    np.add.at(flow, (before, stays.role), scale)
    last_role = np.full(len(cohort), int(Role.POI))
    last = np.diff(stays.patient, append=-1) != 0
    last_role[stays.patient[last]] = stays.role[last]
    np.add.at(flow, (last_role, len(Role) + cohort.courses.outcome), scale)


def _delays(cohort: Cohort) -> dict[str, tuple[int, Ints]]:
    """Return how many needed each step, and after which time those who got it did, in seconds."""
    p, c, stays = cohort.patients, cohort.courses, cohort.stays
    hurt = (p.kind != Kind.DISEASE) & (cohort.injuries.triage != Triage.T3)
    urgent = hurt & (cohort.injuries.triage == Triage.T1)
    aided = hurt & (c.first_aid_s != NEVER)
    found = {"10 minutes": (int(hurt.sum()), (c.first_aid_s - p.injured_s)[aided])}
    for step, least in (("1 hour", Role.R1), ("2 hours", Role.R2)):
        rows = np.flatnonzero((stays.role >= least) & urgent[stays.patient])
        who, earliest = np.unique(stays.patient[rows], return_index=True)
        found[step] = int(urgent.sum()), stays.treated_s[rows][earliest] - p.injured_s[who]
    return found


def _attained(step: str, limit_s: int, needed: int, delays: list[Ints]) -> Attained:
    words = {
        "10 minutes": "first aid within 10 minutes (injured, T1, T2 or T4)",
        "1 hour": "at a facility within 1 hour (injured, T1)",
        "2 hours": "at Role 2 or above within 2 hours (injured, T1)",
    }
    all_delays = np.concatenate(delays) if delays else np.zeros(0, dtype=np.int64)
    if not needed:
        return Attained(words[step], 0.0, 0.0)
    return Attained(
        words[step], float((all_delays <= limit_s).sum() / needed), float(len(all_delays) / needed)
    )
