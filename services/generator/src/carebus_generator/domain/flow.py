"""The way of patients from the point of injury through Role 1 to 4, and how it ends.

One uniform number a patient, its fate, decides between death before a facility, death after, and
return to duty; most of it is how badly the patient is hurt, the rest is luck. Chances come from one
table (``outcomes``); here they move with the delay of evacuation, and rise with every wait.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

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
    Triage,
    Wounds,
)
from carebus_generator.domain.draws import Bools, Draws, Floats, Ints, pick_by
from carebus_generator.domain.environment import HOUR_S, EnvironmentTables, where
from carebus_generator.domain.flow_tables import FlowTables, between
from carebus_generator.domain.injuries import severity
from carebus_generator.domain.waits import Arrivals, Beds, Rides, Waits

if TYPE_CHECKING:
    from carebus_generator.domain.model import Model

_MINUTE_S = 60
_SHORTEST_STAY_S = 30 * _MINUTE_S
_LEAST_KMH = 60.0
"""Those who die on the way do so within this ground speed's time of the journey."""
_ROLES = (Role.R1, Role.R2, Role.R3, Role.R4)


@dataclass(slots=True)
class _Fates:
    """What is known of each patient so far; columns change from role to role."""

    triage: Ints
    """Now."""
    flies: Bools
    """To the first facility."""
    first: Ints
    """Role of the first facility."""
    last: Ints
    """Role of the last one; POI for those who die before any."""
    raw: Floats
    """Fate: below the chance of death before any facility they die so."""
    fate: Floats
    """Of those who live to see a facility: below the chance of death they die."""
    before: Floats
    """Chance to die before any facility."""
    after: Floats
    """Chance to die after that, without waits."""
    dying: Bools
    on_the_way: Bools
    """Die between the last role and the next."""
    returning: Bools
    within_72h: Bools
    waited_s: Ints
    first_ready_s: Ints
    """When the first journey can begin."""
    ready_s: Ints
    """When the next one can."""
    died_s: Ints
    remains: Bools


@dataclass(frozen=True, slots=True)
class _Ward:
    """Some of the patients at a role, or on the way to it."""

    model: Model
    role: Role
    patients: Patients
    fates: _Fates
    rows: Ints
    """Of the patients."""
    draws: Draws
    """Of these rows."""

    @property
    def tables(self) -> FlowTables:
        return self.model.flow_tables

    @property
    def front(self) -> Ints:
        return self.patients.front[self.rows]

    @property
    def ending(self) -> Bools:
        """Whose last role this is."""
        ending: Bools = self.fates.last[self.rows] == self.role
        return ending

    @property
    def dying(self) -> Bools:
        """Who dies here, or on the way from here."""
        return self.ending & self.fates.dying[self.rows]

    @property
    def returning(self) -> Bools:
        """Who returns to duty from here."""
        return self.ending & self.fates.returning[self.rows] & (self.role < Role.R4)

    def part(self, some: Bools) -> _Ward:
        """Return some of the rows."""
        places = np.flatnonzero(some)
        return replace(self, rows=self.rows[places], draws=self.draws.take(places))


def flow(
    model: Model, draws: Draws, patients: Patients, injuries: Injuries, wounds: Wounds, *, waits: Waits
) -> tuple[Stays, Courses]:
    """Return stays and end of some patients.

    Args:
        model: Its flow tables and facilities.
        draws: Of the patients' indices.
        patients: One row an index of the draws.
        injuries: Of the same patients.
        wounds: Of the same patients, the worst first.
        waits: What patients wait for.
    """
    fates, stays = travel(model, draws, patients, injuries, waits)
    return _joined(stays), _courses(model.flow_tables, draws, patients, wounds, fates)


def travel(
    model: Model, draws: Draws, patients: Patients, injuries: Injuries, waits: Waits
) -> tuple[_Fates, list[Stays]]:
    """Send patients from role to role, and ask at each what they wait for; return the stays by role."""
    ready_s, rank = _pick_up(model.flow_tables, draws, patients, injuries.triage)
    fates = _plan(model.flow_tables, draws, patients, injuries.triage, rank=rank, ready_s=ready_s)
    stays = []
    for role in _ROLES:
        rows = np.flatnonzero((fates.first <= role) & (fates.last >= role))
        coming = _Ward(model, role, patients, fates, rows, draws.take(rows))
        stays.append(_stays(coming, injuries, waits))
    return fates, stays


def _first_aid(tables: FlowTables, draws: Draws, patients: Patients, fates: _Fates) -> Ints:
    """Return when first aid is given: before they could be picked up."""
    after_s = between(
        draws.uniform("flow.first_aid"),
        patients.mass_casualty.astype(np.int64),
        tables.shares,
        tables.first_aid_s,
    )
    return np.minimum(patients.injured_s + after_s.astype(np.int64), fates.first_ready_s - _MINUTE_S)


def _pick_up(tables: FlowTables, draws: Draws, patients: Patients, triage: Ints) -> tuple[Ints, Floats]:
    """Return when the first journey can begin, and how late that is among others of the category, 0 to 1."""
    rank = draws.uniform("flow.pick_up")
    wait_s = between(rank, triage - 1, tables.shares, tables.pick_up_s)
    longest_s = tables.environment.delay_min[where(patients)] * _MINUTE_S
    share = tables.least_delay + (1 - tables.least_delay) * draws.uniform("flow.delay")
    return patients.injured_s + (wait_s + longest_s * share).astype(np.int64), rank


def _plan(
    tables: FlowTables, draws: Draws, patients: Patients, triage: Ints, *, rank: Floats, ready_s: Ints
) -> _Fates:
    """Return how it will end, if nobody has to wait."""
    chances, kind = tables.outcomes, patients.kind
    cell = (kind, triage - 1)
    raw = np.where(draws.uniform("flow.luck") < tables.luck, draws.uniform("flow.fate"), 1 - severity(draws))
    before = _by_delay(chances.before[cell], rank, tables.delay)
    after = _by_delay(chances.after[cell], rank, tables.delay)
    killed = raw < before
    fate = (raw - before) / (1 - before)
    dying = ~killed & (fate < after)
    # The lightest of those who live go back first.
    spared = (fate - after) / (1 - after)
    alive = ~killed & ~dying
    early = alive & (spared >= 1 - chances.early[cell])
    late = alive & ~early & (spared >= (1 - chances.early[cell]) * (1 - chances.late[cell]))
    hour = EnvironmentTables.hour(ready_s)
    flies = tables.ways.flies(draws, patients.front, triage, hour, role=Role.POI)
    bypass = flies & (triage == Triage.T1) & draws.chance("flow.bypass", tables.ways.bypass)
    first = np.where(bypass, Role.R2, Role.R1)
    by_chance = draws.uniform("flow.role")
    last = np.full(len(kind), int(Role.R4))
    for group, table in ((dying, tables.died_at), (early, tables.early_at), (late, tables.late_at)):
        last[group] = 1 + pick_by(by_chance[group], triage[group] - 1, table)
    last = np.where(killed, int(Role.POI), np.maximum(last, first))
    died_s = np.full(len(kind), NEVER)
    survived_s = draws.take(np.flatnonzero(killed)).quantile("flow.killed", tables.killed_s)
    died_s[killed] = patients.injured_s[killed] + survived_s.astype(np.int64)
    return _Fates(
        triage=triage.copy(),
        flies=flies,
        first=first,
        last=last,
        raw=raw,
        fate=fate,
        before=before,
        after=after,
        dying=dying,
        on_the_way=dying & (last < Role.R4) & draws.chance("flow.on_the_way", tables.on_the_way),
        returning=early | late,
        within_72h=early,
        waited_s=np.zeros(len(kind), dtype=np.int64),
        first_ready_s=ready_s,
        ready_s=ready_s.copy(),
        died_s=died_s,
        remains=np.zeros(len(kind), dtype=np.bool_),
    )


def _stays(coming: _Ward, injuries: Injuries, waits: Waits) -> Stays:
    """Bring patients to a role, and care for them there; changes their ``fates``."""
    role, fates = coming.role, coming.fates
    transport, picked_up_s, arrived_s = _ride(coming, waits)
    there = fates.last[coming.rows] >= role
    transport, picked_up_s, arrived_s = transport[there], picked_up_s[there], arrived_s[there]
    ward = coming.part(there)
    fates.triage[ward.rows] = triage = _retriaged(ward)
    care_s = _care(ward, arrived_s)
    found = waits.beds(_arrivals(ward, injuries, arrived_s, care_s))
    arrived_s = arrived_s + found.moved_s
    treated_s = arrived_s + found.wait_s
    left_s = treated_s + np.where(found.turned_away, 0, _worsened(ward, care_s, found))
    _leave(ward, found, left_s)
    return Stays(
        patient=ward.rows,
        role=np.full(len(ward.rows), int(role)),
        facility=found.facility,
        transport=transport,
        picked_up_s=picked_up_s,
        arrived_s=arrived_s,
        treated_s=treated_s,
        left_s=np.minimum(left_s, ward.tables.end_s) if role == Role.R4 else left_s,
        triage=triage,
    )


def _ride(ward: _Ward, waits: Waits) -> tuple[Ints, Ints, Ints]:
    """Return by what patients come, when they are picked up and arrive; some die waiting for it."""
    tables, fates, role, rows, front = ward.tables, ward.fates, ward.role, ward.rows, ward.front
    triage, ready_s = fates.triage[rows], fates.ready_s[rows]
    first = fates.first[rows] == role
    hour = EnvironmentTables.hour(ready_s)
    by_air = tables.ways.flies(ward.draws, front, triage, hour, role=role)
    by_air = np.where(first, fates.flies[rows], by_air)
    transport = tables.ways.chosen(ward.draws, front, triage, by_air, role=role, first=first)
    ride_s = tables.ways.ride_s(ward.draws, front, transport, hour, role=role, first=first)
    wait_s = waits.rides(Rides(role, ward.patients.index[rows], front, transport, triage, ready_s, ride_s))
    fates.waited_s[rows] += wait_s
    killed = first & (fates.raw[rows] < _by_wait(tables, fates.before[rows], fates.waited_s[rows]))
    lost = rows[killed]
    fates.last[lost] = Role.POI
    while_waiting = ward.draws.uniform("flow.killed_waiting") * wait_s
    fates.died_s[lost] = (ready_s + while_waiting.astype(np.int64))[killed]
    return transport, ready_s + wait_s, ready_s + wait_s + ride_s


def _retriaged(ward: _Ward) -> Ints:
    """Return the triage on arrival: those who will die are T1 or T4, those who will return mostly T3."""
    tables, rows, dying, returning = ward.tables, ward.rows, ward.dying, ward.returning
    before = ward.fates.triage[rows]
    by_chance = ward.draws.uniform("flow.retriage", ward.role)
    front, hour = (column[rows] for column in where(ward.patients))
    worse = tables.worse * tables.environment.worse[front, hour, ward.patients.kind[rows]]
    triage = np.where(by_chance < worse, np.maximum(before - 1, Triage.T1), before)
    triage = np.where(by_chance >= 1 - tables.better, np.minimum(before + 1, Triage.T3), triage)
    looked_at = by_chance < tables.expectant_to_immediate
    triage = np.where(before == Triage.T4, np.where(looked_at, Triage.T1, Triage.T4), triage)
    back = np.where(by_chance < tables.returning_is_minimal, Triage.T3, np.clip(before, 2, 3))
    triage = np.where(returning, back, triage)
    again: Ints = np.where(dying, np.where(before == Triage.T4, Triage.T4, Triage.T1), triage)
    return again


def _care(ward: _Ward, arrived_s: Ints) -> Ints:
    """Return how long care takes: until the next journey, return to duty, discharge or death."""
    tables, role, rows = ward.tables, ward.role, ward.rows
    share = ward.draws.uniform("flow.care", role)
    triage = ward.fates.triage[rows] - 1
    if role == Role.R4:
        care_s = between(share, triage, tables.shares, tables.discharged_s).astype(np.int64)
    else:
        held = tables.shortest_hold + (1 - tables.shortest_hold) * share
        care_s = (tables.hold_s[role - 1, triage] * held).astype(np.int64)
        care_s = np.where(ward.returning, _until_duty(ward, share, arrived_s, care_s), care_s)
    until_death = between(share, np.full(len(rows), role - 1), tables.shares, tables.died_s)
    at_once = ward.dying & ~ward.fates.on_the_way[rows]
    return np.where(at_once, until_death.astype(np.int64), care_s)


def _until_duty(ward: _Ward, share: Floats, arrived_s: Ints, held_s: Ints) -> Ints:
    """Return how long those stay who return to duty: some within 72 hours of the injury, others longer."""
    tables, rows = ward.tables, ward.rows
    left_s = ward.patients.injured_s[rows] + tables.duty_s - arrived_s
    which = np.full(len(rows), min(ward.role, Role.R2) - 1)
    soon = between(share, which, tables.shares, tables.duty_share) * left_s
    later = between(share, np.zeros(len(rows), dtype=np.int64), tables.shares, tables.late_s)
    return np.where(
        ward.fates.within_72h[rows],
        np.maximum(_SHORTEST_STAY_S, soon.astype(np.int64)),
        np.maximum(held_s, left_s) + later.astype(np.int64),
    )


def _arrivals(ward: _Ward, injuries: Injuries, arrived_s: Ints, care_s: Ints) -> Arrivals:
    rows, tables = ward.rows, ward.tables
    triage = ward.fates.triage[rows]
    surgery = (injuries.iss[rows] >= tables.surgery_iss) & ((ward.role == Role.R2) | (ward.role == Role.R3))
    return Arrivals(
        role=ward.role,
        index=ward.patients.index[rows],
        facility=_facility(ward),
        triage=triage,
        arrived_s=arrived_s,
        care_s=care_s,
        surgery=surgery,
        units=np.where(surgery, tables.blood_units[triage - 1], 0),
    )


def _facility(ward: _Ward) -> Ints:
    """Return the facility that a patient's unit belongs to; a mass casualty is spread over neighbours."""
    places, patients, rows, front = ward.model.facilities, ward.patients, ward.rows, ward.front
    units = places.count[front, Role.R1]
    unit = (patients.event[rows] % units.astype(np.uint64)).astype(np.int64)
    spread = np.minimum(np.where(patients.mass_casualty[rows], units, 1), 3)
    unit = (unit + ward.draws.integers("flow.unit", 0, spread - 1)) % units
    facility: Ints = places.first[front, ward.role] + unit * places.count[front, ward.role] // units
    return facility


def _worsened(ward: _Ward, care_s: Ints, found: Beds) -> Ints:
    """Let those die whom waiting, or the want of blood, kills here; return how long care takes now."""
    tables, fates, rows = ward.tables, ward.fates, ward.rows
    fates.waited_s[rows] += found.moved_s + found.wait_s
    chance = _by_wait(tables, fates.after[rows], fates.waited_s[rows])
    chance = np.where(found.no_blood, _raised(chance, tables.no_blood), chance)
    lost = ~fates.dying[rows] & (fates.fate[rows] < chance)
    fates.dying[rows[lost]] = True
    fates.returning[rows[lost]] = False
    fates.last[rows[lost]] = ward.role
    sooner = (care_s * ward.draws.uniform("flow.worsened", ward.role)).astype(np.int64)
    return np.where(lost, sooner, care_s)


def _leave(ward: _Ward, found: Beds, left_s: Ints) -> None:
    """Note when and how patients leave."""
    tables, fates, role, rows = ward.tables, ward.fates, ward.role, ward.rows
    dead, returning = ward.dying, ward.returning
    fates.ready_s[rows] = left_s
    # Nobody returns to duty from a place that did not take him.
    fates.last[rows[returning & found.turned_away]] = role + 1
    way_s = tables.ways.km[ward.front, min(role, Role.R3)] / _LEAST_KMH * HOUR_S
    later = _MINUTE_S + (ward.draws.uniform("flow.on_the_way_s", role) * way_s).astype(np.int64)
    fates.died_s[rows[dead]] = (left_s + np.where(fates.on_the_way[rows], later, 0))[dead]
    if role == Role.R4:
        remains = left_s >= tables.end_s
        fates.remains[rows[remains]] = True
        fates.died_s[rows[remains]] = NEVER


def _joined(wards: list[Stays]) -> Stays:
    """Return all stays, by patient and role."""
    patient = np.concatenate([ward.patient for ward in wards])
    order = np.argsort(patient, kind="stable")
    columns = {
        field.name: np.concatenate([getattr(ward, field.name) for ward in wards])[order]
        for field in fields(Stays)
    }
    return Stays(**columns)


def _courses(tables: FlowTables, draws: Draws, patients: Patients, wounds: Wounds, fates: _Fates) -> Courses:
    first_aid_s = _first_aid(tables, draws, patients, fates)
    battle, dead = patients.kind == Kind.BATTLE, fates.died_s != NEVER
    outcome = np.full(len(dead), int(Outcome.RTD))
    at_role4 = fates.last == Role.R4
    outcome[at_role4] = Outcome.DISCHARGED
    outcome[at_role4 & fates.remains] = Outcome.REMAINS
    outcome[dead] = np.where(
        battle, np.where(fates.last == Role.POI, int(Outcome.KIA), int(Outcome.DOW)), int(Outcome.DIED)
    )[dead]
    ended_s = np.where(dead, fates.died_s, fates.ready_s)
    ended_s[fates.remains] = tables.end_s
    worst = np.searchsorted(wounds.patient, np.arange(len(dead)))
    return Courses(
        outcome=outcome,
        ended_s=ended_s,
        died_s=fates.died_s,
        died_role=np.where(dead, fates.last, NONE),
        first_aid_s=np.where(dead & (fates.died_s <= first_aid_s), NEVER, first_aid_s),
        fatal=np.where(dead, worst, NONE),
    )


def _by_delay(chance: Floats, rank: Floats, most: float) -> Floats:
    """Return chances that are higher for the later ones and have the same mean; they stay below 1."""
    return chance * (1 + most * (1 - chance) * (2 * rank - 1))


def _by_wait(tables: FlowTables, chance: Floats, waited_s: Ints) -> Floats:
    return _raised(chance, np.minimum(1 + tables.wait_per_hour * (waited_s / HOUR_S), tables.wait_most))


def _raised(chance: Floats, factor: Floats | float) -> Floats:
    """Return chances with their odds multiplied."""
    raised: Floats = chance * factor / (1 - chance + chance * factor)
    return raised
