"""What the model makes of some patients, joined from chunks, and the rules that no course may break."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np

from carebus_generator.domain.cohort import (
    NEVER,
    NONE,
    Courses,
    Injuries,
    Kind,
    Outcome,
    Patients,
    Role,
    Stays,
    Wounds,
)
from carebus_generator.domain.draws import Draws
from carebus_generator.domain.flow import flow
from carebus_generator.domain.injuries import injuries
from carebus_generator.domain.model import Model, compile_model
from carebus_generator.domain.people import people
from carebus_generator.domain.scenario import Scenario, preset

Table = TypeVar("Table", Patients, Injuries, Wounds, Stays, Courses)


@dataclass(frozen=True, slots=True)
class Made:
    """Some patients and what became of them; ``patient`` is the row among all of them."""

    model: Model
    patients: Patients
    injuries: Injuries
    wounds: Wounds
    stays: Stays
    courses: Courses

    @property
    def battle(self) -> Any:
        return self.patients.kind == Kind.BATTLE

    @property
    def dead(self) -> Any:
        return self.courses.outcome <= Outcome.DIED

    @property
    def wounded(self) -> Any:
        """Battle casualties who lived to see a facility."""
        return self.battle & (self.courses.outcome != Outcome.KIA)

    @property
    def first_stay(self) -> Any:
        """Row of each patient's first stay, NONE without."""
        rows = np.full(len(self.patients.index), NONE)
        patient, place = np.unique(self.stays.patient, return_index=True)
        rows[patient] = place
        return rows


@lru_cache(maxsize=32)
def scenario(name: str, total: int, posture: str | None = None) -> Scenario:
    """Return a preset with another total, and maybe posture; special events keep their shares."""
    changes: dict[str, Any] = {"total": total}
    if posture:
        changes["posture"] = posture
    return preset(name).model_copy(update=changes)


def make(given: Scenario, seed: int, chunk: int = 4_000) -> Made:
    """Make all patients of a scenario in chunks."""
    model = compile_model(given, seed)
    parts: list[tuple[Any, ...]] = []
    wounds_before = 0
    for first in range(0, given.total, chunk):
        indices = np.arange(first, min(first + chunk, given.total))
        draws, patients = Draws(seed, indices), people(model, indices)
        hurt, wounds = injuries(model, draws, patients)
        stays, courses = flow(model, draws, patients, hurt, wounds, waits=model.waits)
        fatal = np.where(courses.fatal == NONE, NONE, courses.fatal + wounds_before)
        courses = replace(courses, fatal=fatal)
        wounds_before += len(wounds.patient)
        parts.append((patients, hurt, wounds, stays, courses))
    firsts = range(0, given.total, chunk)
    return Made(model, *(_joined(tables, firsts) for tables in zip(*parts, strict=True)))


def assert_sound(made: Made) -> None:
    """Assert the rules that hold for each single patient, without exception."""
    patients, stays, courses = made.patients, made.stays, made.courses
    injured = patients.injured_s[stays.patient]
    new = np.concatenate([[True], stays.patient[1:] != stays.patient[:-1]])
    last = np.concatenate([new[1:], [True]])
    before = np.where(new, injured, np.concatenate([[0], stays.left_s[:-1]]))

    assert (np.diff(stays.patient) >= 0).all()
    assert (stays.picked_up_s >= before).all()
    assert (stays.picked_up_s > injured).all()
    assert (stays.arrived_s > stays.picked_up_s).all()
    assert (stays.treated_s >= stays.arrived_s).all()
    assert (stays.left_s >= stays.treated_s).all()
    assert (np.diff(stays.role)[~new[1:]] > 0).all()
    assert (stays.role[new] <= Role.R2).all()
    assert (made.model.facilities.role[stays.facility] == stays.role).all()
    assert (np.isin(stays.triage, (1, 2, 3, 4))).all()

    seen = np.zeros(len(patients.index), dtype=bool)
    seen[stays.patient] = True
    outcome, ended = courses.outcome, courses.ended_s
    assert np.isin(outcome, list(Outcome)).all()
    assert (ended >= patients.injured_s).all()
    assert ended.max() <= made.model.flow_tables.end_s
    assert (made.dead == (courses.died_s != NEVER)).all()
    assert (made.dead == (courses.died_role != NONE)).all()
    assert (courses.ended_s[made.dead] == courses.died_s[made.dead]).all()
    assert (made.battle[np.isin(outcome, (Outcome.KIA, Outcome.DOW))]).all()
    assert (~made.battle[outcome == Outcome.DIED]).all()
    assert (seen == ~(made.dead & (courses.died_role == Role.POI))).all()
    assert (courses.died_role[outcome == Outcome.KIA] == Role.POI).all()
    assert (courses.died_role[outcome == Outcome.DOW] >= Role.R1).all()

    end_role, left = stays.role[last], stays.left_s[last]
    owner = stays.patient[last]
    alive = ~made.dead[owner]
    assert (left[alive] == ended[owner][alive]).all()
    assert (courses.died_role[owner][~alive] == end_role[~alive]).all()
    assert (courses.died_s[owner][~alive] >= left[~alive]).all()
    at_role4 = np.isin(outcome[owner], (Outcome.DISCHARGED, Outcome.REMAINS))
    assert (end_role[at_role4] == Role.R4).all()
    assert (end_role[outcome[owner] == Outcome.RTD] < Role.R4).all()
    assert ((outcome == Outcome.REMAINS) <= (ended == made.model.flow_tables.end_s)).all()

    aided = courses.first_aid_s != NEVER
    assert (courses.first_aid_s[aided] > patients.injured_s[aided]).all()
    assert (courses.first_aid_s[aided] < ended[aided]).all()
    assert aided[seen].all()
    assert (courses.first_aid_s[stays.patient] < stays.picked_up_s).all()

    assert ((courses.fatal != NONE) == made.dead).all()
    assert (made.wounds.patient[courses.fatal[made.dead]] == np.flatnonzero(made.dead)).all()


def _joined(tables: tuple[Table, ...], firsts: range) -> Table:
    columns = {}
    for field in fields(tables[0]):
        parts = [getattr(table, field.name) for table in tables]
        if field.name == "patient":
            parts = [part + first for part, first in zip(parts, firsts, strict=True)]
        columns[field.name] = np.concatenate(parts)
    return type(tables[0])(**columns)
