"""Queues with several servers: the first come are served first, the urgent before them.

Each is one pass over sorted arrivals with heaps; nothing here knows of patients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush, heapreplace

from carebus_generator.domain.draws import Ints

_DAY_S = 86_400


def seats(ready_s: Ints, priority: Ints, busy_s: Ints, *, places: int, limit_s: int) -> list[int]:
    """Return how long each waits for one of some places.

    Args:
        ready_s: When each comes.
        priority: The lowest is served first; of equals the first come.
        busy_s: How long each takes the place.
        places: How many there are.
        limit_s: Who has waited so long takes none.
    """
    waits = [limit_s] * len(ready_s)
    if places == 0:
        return waits
    order = sorted(range(len(ready_s)), key=ready_s.tolist().__getitem__)
    ready, urgent, busy = ready_s.tolist(), priority.tolist(), busy_s.tolist()
    free = [0] * min(places, len(order))
    waiting: list[tuple[int, int, int]] = []
    now, come = 0, 0
    while come < len(order) or waiting:
        now = max(now, free[0]) if waiting else max(free[0], ready[order[come]])
        while come < len(order) and ready[order[come]] <= now:
            one = order[come]
            heappush(waiting, (urgent[one], ready[one], one))
            come += 1
        _, since, one = heappop(waiting)
        if now - since < limit_s:
            waits[one] = now - since
            heapreplace(free, now + busy[one])
    return waits


@dataclass(slots=True)
class Ward:
    """What a facility has, and how much of it is left."""

    beds: int
    theatres: int
    """0: nobody is operated here."""
    units: int
    """Of blood a day; what is left at the end of the day is not kept on top."""
    theatre_limit_s: int
    """Who has waited in bed so long for a theatre goes without."""
    free: int = field(init=False)
    waiting: list[tuple[int, int, int]] = field(init=False, default_factory=list)
    theatre_free: list[int] = field(init=False)
    units_left: int = field(init=False)
    day: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.free = self.beds
        self.theatre_free = [0] * self.theatres
        heapify(self.theatre_free)
        self.units_left = self.units


@dataclass(frozen=True, slots=True)
class Asked:
    """What each arrival needs; columns of one length."""

    ward: Sequence[int]
    """Place in the list of wards."""
    arrived_s: Sequence[int]
    priority: Sequence[int]
    limit_s: Sequence[int]
    """Who has waited so long for a bed is turned away."""
    care_s: Sequence[int]
    """From the beginning of care to leaving."""
    surgery_s: Sequence[int]
    """Time in the theatre, 0 for none."""
    units: Sequence[int]


@dataclass(slots=True)
class Given:
    """What each arrival got; columns as in ``Asked``."""

    ward: list[int]
    moved_s: list[int]
    wait_s: list[int]
    turned_away: list[bool]
    no_blood: list[bool]


def admit(wards: Sequence[Ward], asked: Asked, *, moving_s: int) -> Given:
    """Let arrivals into the beds of some wards.

    Who finds no bed goes to the ward with most free beds, if there is one, else waits at the own one. A
    bed is taken until leaving, also while its patient waits for a theatre; theatres are taken in the order
    of beds. Who has waited for one too long goes without it.
    """
    count = len(asked.ward)
    given = Given(list(asked.ward), [0] * count, [0] * count, [False] * count, [False] * count)
    leaving: list[tuple[int, int]] = []
    for one in sorted(range(count), key=asked.arrived_s.__getitem__):
        now = asked.arrived_s[one]
        _free_beds(wards, asked, given, leaving, until_s=now)
        own = asked.ward[one]
        other = max(range(len(wards)), key=lambda place: wards[place].free) if not wards[own].free else own
        if wards[other].free:
            wards[other].free -= 1
            moved_s = moving_s if other != own else 0
            given.ward[one], given.moved_s[one] = other, moved_s
            left_s = _care(wards[other], asked, given, one, now + moved_s)
            heappush(leaving, (left_s, other))
        else:
            heappush(wards[own].waiting, (asked.priority[one], now, one))
    _free_beds(wards, asked, given, leaving, until_s=None)
    for ward in wards:
        for _, _, one in ward.waiting:
            given.turned_away[one], given.wait_s[one] = True, asked.limit_s[one]
    return given


def _free_beds(
    wards: Sequence[Ward],
    asked: Asked,
    given: Given,
    leaving: list[tuple[int, int]],
    *,
    until_s: int | None,
) -> None:
    """Free the beds of those who leave up to a time, or all, and give them to those who wait."""
    while leaving and (until_s is None or leaving[0][0] <= until_s):
        now, place = heappop(leaving)
        ward = wards[place]
        while ward.waiting:
            _, since, one = heappop(ward.waiting)
            if now - since < asked.limit_s[one]:
                heappush(leaving, (_care(ward, asked, given, one, now), place))
                break
            given.turned_away[one], given.wait_s[one] = True, asked.limit_s[one]
        else:
            ward.free += 1


def _care(ward: Ward, asked: Asked, given: Given, one: int, bed_s: int) -> int:
    """Care for one who has a bed from a time on; return when it is left."""
    start_s = bed_s
    if asked.surgery_s[one] and ward.theatre_free:
        start_s = max(bed_s, ward.theatre_free[0])
        if start_s - bed_s < ward.theatre_limit_s:
            heapreplace(ward.theatre_free, start_s + asked.surgery_s[one])
        else:
            start_s = bed_s + ward.theatre_limit_s
    given.wait_s[one] = start_s - asked.arrived_s[one] - given.moved_s[one]
    if start_s // _DAY_S > ward.day:
        ward.day, ward.units_left = start_s // _DAY_S, ward.units
    taken = min(asked.units[one], ward.units_left)
    ward.units_left -= taken
    given.no_blood[one] = taken < asked.units[one]
    return start_s + asked.care_s[one]
