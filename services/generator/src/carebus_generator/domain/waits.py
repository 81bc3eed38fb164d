"""What patients wait for, as the flow asks for it; in independent mode nobody waits.

The flow asks role by role, first for the ride, then for the bed. Asked for all patients at once, queues
answer and remember (``capacity``); asked for a chunk, the same answers are looked up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from carebus_generator.domain.draws import Bools, Ints


@dataclass(frozen=True, slots=True)
class Rides:
    """Patients who are to be driven or flown to a role; one row each."""

    role: int
    index: Ints
    front: Ints
    transport: Ints
    triage: Ints
    ready_s: Ints
    ride_s: Ints
    """How long the journey takes."""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Patients who arrive at facilities of a role; one row each."""

    role: int
    index: Ints
    facility: Ints
    triage: Ints
    arrived_s: Ints
    care_s: Ints
    """How long they stay once care has begun."""
    surgery: Bools
    """Need an operation there."""
    units: Ints
    """Of blood."""


@dataclass(frozen=True, slots=True)
class Beds:
    """What arrivals find; one row each."""

    facility: Ints
    """The one asked for, or another of that role and front that had room."""
    moved_s: Ints
    """The way to that other one."""
    wait_s: Ints
    """Until care began or, for those turned away, until they were sent on."""
    turned_away: Bools
    """No bed came free in time: no care there."""
    no_blood: Bools
    """The blood that was needed had run out."""


class Waits(Protocol):
    """Answers in the order of the rows asked."""

    def rides(self, rides: Rides) -> Ints:
        """Return the seconds until a vehicle comes."""

    def beds(self, arrivals: Arrivals) -> Beds:
        """Return what the arrivals find."""


class NoWaits:
    """Everything is there at once."""

    def rides(self, rides: Rides) -> Ints:
        """Return no wait."""
        return np.zeros(len(rides.index), dtype=np.int64)

    def beds(self, arrivals: Arrivals) -> Beds:
        """Return the beds asked for, at once."""
        nothing = np.zeros(len(arrivals.index), dtype=np.int64)
        never = np.zeros(len(arrivals.index), dtype=np.bool_)
        return Beds(arrivals.facility, nothing, nothing, never, never)
