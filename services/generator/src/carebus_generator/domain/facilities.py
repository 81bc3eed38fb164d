"""Where patients are cared for: facilities by front and role, and what moves patients between them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from carebus_generator.domain.cohort import NONE, Role
from carebus_generator.domain.draws import Floats, Ints
from carebus_generator.domain.reference import ByKind
from carebus_generator.domain.scenario import Front, Scenario

SURGE: dict[Role, float] = {Role.R1: 1.2, Role.R2: 1.5, Role.R3: 1.3}
"""Beds that a facility can put up at need, against its own. Source: generator facts, section 5."""
SPEED_KMH: ByKind = (60.0, 150.0, 50.0)
"""Ground, air, bus. Same source."""
LOADS: tuple[int, int, int] = (2, 4, 30)
"""Patients lying in an ambulance or helicopter, walking in a bus. Same source."""
_DEGREE_KM = 111.2
"""Of latitude, on a sphere of the earth's size."""
_APART_KM = {Role.R1: 4.0, Role.R2: 10.0, Role.R3: 20.0, Role.R4: 0.0}
"""Between facilities of one role; only where they are drawn on a map (our assumption)."""


@dataclass(frozen=True, slots=True)
class Facilities:
    """One row a facility, in order of front, role and number; the one Role 4 is last."""

    name: tuple[str, ...]
    role: Ints
    front: Ints
    """Row of the scenario's fronts; NONE for Role 4, which serves all."""
    beds: Ints
    """With the beds put up at need; NONE where there is no bound."""
    theatres: Ints
    blood_units: Ints
    """Held at the start; 0 below Role 2, NONE where there is no bound."""
    first: Ints
    """Fronts × roles (POI to R4): row of the first facility that takes the front's patients; NONE at POI."""
    count: Ints
    """Fronts × roles: how many there are, from ``first`` on."""
    km: Floats
    """Fronts × 4: from the point of injury to Role 1, and from each role to the next."""
    vehicles: Ints
    """Fronts × 3: ground, air, bus."""
    places: tuple[tuple[float, float] | None, ...]
    """Latitude and longitude of each facility, where the scenario says where its front is."""

    def __len__(self) -> int:
        return len(self.name)


def facilities(scenario: Scenario) -> Facilities:
    """Lay out the facilities of a scenario."""
    rows: list[tuple[str, int, int, int, int, int]] = []
    fronts = len(scenario.fronts)
    first = np.full((fronts, len(Role)), NONE, dtype=np.int64)
    count = np.zeros((fronts, len(Role)), dtype=np.int64)
    for number, front in enumerate(scenario.fronts):
        for role, kind in ((Role.R1, front.r1), (Role.R2, front.r2), (Role.R3, front.r3)):
            first[number, role], count[number, role] = len(rows), kind.count
            beds = round(kind.beds * SURGE[role])
            # Role 3 keeps ten times the blood of a Role 2 (our assumption; a hospital has a bank).
            blood = {Role.R1: 0, Role.R2: front.blood_units, Role.R3: 10 * front.blood_units}[role]
            rows += [
                (f"{front.name} {role.name} {place + 1}", role, number, beds, kind.theatres, blood)
                for place in range(kind.count)
            ]
    names = [front.name for front in scenario.fronts]
    for number, front in enumerate(scenario.fronts):
        if front.role3_at is not None:
            other = names.index(front.role3_at)
            first[number, Role.R3], count[number, Role.R3] = first[other, Role.R3], count[other, Role.R3]
    first[:, Role.R4], count[:, Role.R4] = len(rows), 1
    rows.append(("Role 4", Role.R4, NONE, NONE, NONE, NONE))
    name, role_, front_, beds_, theatres, blood_ = zip(*rows, strict=True)
    return Facilities(
        name=name,
        role=np.asarray(role_, dtype=np.int64),
        front=np.asarray(front_, dtype=np.int64),
        beds=np.asarray(beds_, dtype=np.int64),
        theatres=np.asarray(theatres, dtype=np.int64),
        blood_units=np.asarray(blood_, dtype=np.int64),
        first=first,
        count=count,
        km=np.asarray([front.km for front in scenario.fronts], dtype=np.float64),
        places=tuple(_places(scenario)),
        vehicles=np.asarray(
            [(f.vehicles.ground, f.vehicles.air, f.vehicles.bus) for f in scenario.fronts], dtype=np.int64
        ),
    )


def _places(scenario: Scenario) -> Iterator[tuple[float, float] | None]:
    """Yield where each facility lies, in their order; Role 4 behind the largest front."""
    for front in scenario.fronts:
        for role, own in ((Role.R1, front.r1), (Role.R2, front.r2), (Role.R3, front.r3)):
            yield from (_place(front, role, number, own.count) for number in range(own.count))
    largest = max(scenario.fronts, key=lambda front: front.share)
    yield _place(largest, Role.R4, 0, 1)


def _place(front: Front, role: Role, number: int, count: int) -> tuple[float, float] | None:
    """Return where a facility lies: behind the front as far as its role, those of one role side by side."""
    if front.position is None:
        return None
    latitude, longitude = front.position
    back_km, aside_km = sum(front.km[:role]), (number - (count - 1) / 2) * _APART_KM[role]
    bearing = math.radians(front.rear)
    north_km = back_km * math.cos(bearing) - aside_km * math.sin(bearing)
    east_km = back_km * math.sin(bearing) + aside_km * math.cos(bearing)
    east = east_km / (_DEGREE_KM * math.cos(math.radians(latitude)))
    # Four digits are ten metres; more would show the last digits of a machine's cosine.
    return round(latitude + north_km / _DEGREE_KM, 4), round(longitude + east, 4)
