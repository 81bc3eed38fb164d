"""How patients travel: by what, and how long it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from carebus_generator.domain.cohort import Role, Transport, Triage
from carebus_generator.domain.draws import Bools, Draws, Floats, Ints, Quantiles
from carebus_generator.domain.environment import HOUR_S, EnvironmentTables
from carebus_generator.domain.facilities import SPEED_KMH
from carebus_generator.domain.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Ways:
    """Distances, vehicles and speeds of a scenario."""

    km: Floats
    """Fronts × legs: to Role 1 to 4, each from the place before."""
    speed: Floats
    """By ``Transport``, km/h."""
    loading_s: Floats
    noise: Quantiles
    air: Floats
    """Chance of a helicopter by triage."""
    has_air: Bools
    """By front."""
    has_bus: Bools
    flying: Bools
    """Fronts × hours: enough visibility to fly."""
    mobility: Floats
    """Fronts × hours."""
    bypass: float
    walk: Floats
    """By front: chance that the walking wounded walk to Role 1."""
    bus: float
    bus_km: float

    def flies(self, draws: Draws, front: Ints, triage: Ints, hour: Ints, *, role: int) -> Bools:
        """Return who goes to a role by helicopter."""
        wanted = draws.chance("flow.air", self.air[triage - 1], role)
        return wanted & self.has_air[front] & self.flying[front, hour]

    def chosen(
        self, draws: Draws, front: Ints, triage: Ints, flies: Bools, *, role: int, first: Bools
    ) -> Ints:
        """Return by what patients go to a role.

        Args:
            draws: Of these patients.
            front, triage: Of these patients.
            flies: Who goes by helicopter.
            role: Where to.
            first: Who comes from the point of injury.
        """
        light = triage == Triage.T3
        transport = np.full(len(front), Transport.GROUND, dtype=np.int64)
        if role == Role.R4:
            bus = light & self.has_bus[front] & (self.km[front, role - 1] <= self.bus_km)
            transport[~bus] = Transport.AIR
            transport[bus] = Transport.BUS
            return transport
        transport[flies] = Transport.AIR
        by_chance = draws.uniform("flow.transport", role)
        walks = first & (by_chance < self.walk[front]) & (role == Role.R1)
        transport[light & ~flies & walks] = Transport.WALKED
        rides = ~first & (by_chance < self.bus) & self.has_bus[front]
        transport[light & ~flies & rides] = Transport.BUS
        return transport

    def ride_s(
        self, draws: Draws, front: Ints, transport: Ints, hour: Ints, *, role: int, first: Bools
    ) -> Ints:
        """Return how long the journey to a role takes, at least a minute."""
        km = np.where(first, self.km[:, :role].sum(axis=1)[front], self.km[front, role - 1])
        slowed = np.where(transport == Transport.AIR, 1.0, self.mobility[front, hour])
        way_s = km / (self.speed[transport] * slowed) * HOUR_S
        noise = draws.quantile("flow.ride", self.noise, role)
        whole_s: Ints = np.round(way_s * noise + self.loading_s[transport]).astype(np.int64)
        return np.maximum(60, whole_s)

    def longest_s(self) -> float:
        """Return the longest that the way from injury to Role 4 can take."""
        slowest = float(self.speed[Transport.GROUND] * self.mobility.min())
        walked = float(self.km[:, 0].max() / (self.speed[Transport.WALKED] * self.mobility.min()))
        noise = float(self.noise.at(np.array([1.0]))[0])
        way_h = (
            float(self.km.sum(axis=1).max()) / min(slowest, float(self.speed[Transport.BUS])) + walked
        ) * noise
        return way_h * HOUR_S + 4 * float(self.loading_s.max())


def ways(scenario: Scenario, around: EnvironmentTables, data: Mapping[str, Any]) -> Ways:
    """Return the ways of a scenario; ``data`` is the table ``transport`` of ``flow.toml``."""
    names = [each.name.lower() for each in Transport]
    fronts = scenario.fronts
    return Ways(
        km=np.array([front.km for front in fronts]),
        speed=np.array([data["walking_kmh"], *SPEED_KMH]),
        loading_s=np.array([data["loading_min"][name] for name in names]) * 60,
        noise=Quantiles(data["noise_shares"], data["noise"]),
        air=np.array(data["air"][scenario.posture]),
        has_air=np.array([front.vehicles.air > 0 for front in fronts]),
        has_bus=np.array([front.vehicles.bus > 0 for front in fronts]),
        flying=around.visibility >= data["flying_visibility"],
        mobility=around.mobility,
        bypass=float(data["bypass"]),
        walk=np.array([data["walk"] if front.km[0] <= data["walk_km"] else 0.0 for front in fronts]),
        bus=float(data["bus"]),
        bus_km=float(data["bus_km"]),
    )
