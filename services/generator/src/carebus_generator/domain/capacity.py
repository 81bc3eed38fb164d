"""The capacity mode: beds, theatres, vehicles and blood are queues that couple all patients.

The flow of all patients runs once, role by role; queues answer what it asks, and the answers are kept in
compact arrays (56 bytes a patient). Any chunk then looks its own up. With enough of everything nobody
waits, and the patients are those of the independent mode.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np

from carebus_generator.domain.cohort import Injuries, Patients, Role, Transport, Triage
from carebus_generator.domain.draws import Draws, Ints
from carebus_generator.domain.facilities import LOADS
from carebus_generator.domain.flow import travel
from carebus_generator.domain.flow_tables import QueueTables
from carebus_generator.domain.injuries import injuries
from carebus_generator.domain.people import people
from carebus_generator.domain.queues import Asked, Ward, admit, seats
from carebus_generator.domain.waits import Arrivals, Beds, NoWaits, Rides, Waits

if TYPE_CHECKING:
    from carebus_generator.domain.facilities import Facilities
    from carebus_generator.domain.model import Model

_CHUNK = 4_096
_ROLES = 4


class KnownWaits:
    """Waits of all patients, by role and index."""

    def __init__(self, total: int) -> None:
        self._ride_s = np.zeros((_ROLES, total), dtype=np.int32)
        self._facility = np.zeros((_ROLES, total), dtype=np.int16)
        self._moved_s = np.zeros((_ROLES, total), dtype=np.int16)
        self._wait_s = np.zeros((_ROLES, total), dtype=np.int32)
        self._turned_away = np.zeros((_ROLES, total), dtype=np.bool_)
        self._no_blood = np.zeros((_ROLES, total), dtype=np.bool_)

    def rides(self, rides: Rides) -> Ints:
        """Return the seconds until a vehicle comes."""
        waits: Ints = self._ride_s[rides.role - 1, rides.index].astype(np.int64)
        return waits

    def beds(self, arrivals: Arrivals) -> Beds:
        """Return what the arrivals find."""
        at = (arrivals.role - 1, arrivals.index)
        return Beds(
            facility=self._facility[at].astype(np.int64),
            moved_s=self._moved_s[at].astype(np.int64),
            wait_s=self._wait_s[at].astype(np.int64),
            turned_away=self._turned_away[at],
            no_blood=self._no_blood[at],
        )

    def keep_rides(self, rides: Rides, waits: Ints) -> None:
        """Keep the answer to a question."""
        self._ride_s[rides.role - 1, rides.index] = waits

    def keep_beds(self, arrivals: Arrivals, beds: Beds) -> None:
        """Keep the answer to a question."""
        at = (arrivals.role - 1, arrivals.index)
        self._facility[at] = beds.facility
        self._moved_s[at] = beds.moved_s
        self._wait_s[at] = beds.wait_s
        self._turned_away[at] = beds.turned_away
        self._no_blood[at] = beds.no_blood


class _Queues:
    """Answers by queues, asked once for all patients of a role."""

    def __init__(self, facilities: Facilities, tables: QueueTables, known: KnownWaits) -> None:
        self._facilities, self._tables, self._known = facilities, tables, known

    def rides(self, rides: Rides) -> Ints:
        waits = np.zeros(len(rides.index), dtype=np.int64)
        if rides.role < Role.R4:
            for front in np.unique(rides.front).tolist():
                for transport in (Transport.GROUND, Transport.AIR, Transport.BUS):
                    rows = np.flatnonzero((rides.front == front) & (rides.transport == transport))
                    waits[rows] = seats(
                        rides.ready_s[rows],
                        rides.triage[rows],
                        2 * rides.ride_s[rows],
                        places=self._places(front, transport, rides.role),
                        limit_s=self._tables.ride_limit_s,
                    )
        self._known.keep_rides(rides, waits)
        return waits

    def beds(self, arrivals: Arrivals) -> Beds:
        found = NoWaits().beds(arrivals)
        if arrivals.role < Role.R4:
            parts = found.facility.copy(), *(np.zeros_like(found.wait_s) for _ in range(4))
            for rows, first, count in self._groups(arrivals):
                for column, values in zip(parts, self._admitted(arrivals, rows, first, count), strict=True):
                    column[rows] = values
            facility, moved_s, wait_s, turned_away, no_blood = parts
            found = Beds(facility, moved_s, wait_s, turned_away > 0, no_blood > 0)
        self._known.keep_beds(arrivals, found)
        return found

    def _places(self, front: int, transport: Transport, role: int) -> int:
        """Return the places in vehicles for the journeys to a role: one at least, if the front has any."""
        kind = transport - Transport.GROUND
        places = int(self._facilities.vehicles[front, kind]) * LOADS[kind]
        return min(places, max(1, int(places * self._tables.vehicles[role - 1] + 1e-9)))

    def _groups(self, arrivals: Arrivals) -> list[tuple[Ints, int, int]]:
        """Return rows, first facility and number of facilities of each group that helps each other out."""
        places = self._facilities
        pairs = {
            (int(first), int(count))
            for first, count in zip(
                places.first[:, arrivals.role], places.count[:, arrivals.role], strict=True
            )
        }
        return [
            (np.flatnonzero((arrivals.facility >= first) & (arrivals.facility < first + count)), first, count)
            for first, count in sorted(pairs)
        ]

    def _admitted(self, arrivals: Arrivals, rows: Ints, first: int, count: int) -> tuple[list[int], ...]:
        places, tables = self._facilities, self._tables
        wards = [
            Ward(
                beds=int(places.beds[row]),
                theatres=int(places.theatres[row]),
                units=int(places.blood_units[row]),
                theatre_limit_s=tables.theatre_limit_s,
            )
            for row in range(first, first + count)
        ]
        triage = arrivals.triage[rows]
        surgery_s = np.where(arrivals.surgery[rows], tables.surgery_s[arrivals.role - 1], 0)
        given = admit(
            wards,
            Asked(
                ward=(arrivals.facility[rows] - first).tolist(),
                arrived_s=arrivals.arrived_s[rows].tolist(),
                priority=triage.tolist(),
                limit_s=tables.bed_limit_s[arrivals.role - 1, triage - Triage.T1].tolist(),
                care_s=arrivals.care_s[rows].tolist(),
                surgery_s=surgery_s.tolist(),
                units=arrivals.units[rows].tolist(),
            ),
            moving_s=tables.moving_s,
        )
        facility = [first + ward for ward in given.ward]
        return (
            facility,
            given.moved_s,
            given.wait_s,
            list(map(int, given.turned_away)),
            list(map(int, given.no_blood)),
        )


def waits(model: Model) -> Waits:
    """Return what the patients of a model wait for: nothing in independent mode.

    In capacity mode this runs all patients through the queues, some 20 µs each.
    """
    if model.scenario.mode == "independent":
        return NoWaits()
    total = model.timeline.total
    known = KnownWaits(total)
    patients, hurt = _everybody(model, total)
    draws = Draws(model.seed, patients.index)
    travel(model, draws, patients, hurt, _Queues(model.facilities, model.flow_tables.queues, known))
    return known


def _everybody(model: Model, total: int) -> tuple[Patients, Injuries]:
    """Make all patients and injuries; wounds, which take most memory, are not kept."""
    parts = []
    for first in range(0, total, _CHUNK):
        made = people(model, np.arange(first, min(first + _CHUNK, total)))
        parts.append((made, injuries(model, Draws(model.seed, made.index), made)[0]))
    patients = {
        field.name: np.concatenate([getattr(part, field.name) for part, _ in parts])
        for field in fields(Patients)
    }
    hurt = {
        field.name: np.concatenate([getattr(part, field.name) for _, part in parts])
        for field in fields(Injuries)
    }
    return Patients(**patients), Injuries(**hurt)
