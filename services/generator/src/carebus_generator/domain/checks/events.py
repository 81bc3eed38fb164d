"""Rules about casualty events: what belongs together has one event, of a size that its type can have."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from carebus_generator.domain.checks.rules import Check
from carebus_generator.domain.cohort import NONE, Cohort, Kind
from carebus_generator.domain.draws import Bools, Ints
from carebus_generator.domain.reference import SMALL_GROUP, SPECIAL_KINDS, WARFARE
from carebus_generator.domain.scenario import Scenario

EVENT_S = 3600
"""Patients of one event are hurt within an hour."""


def of_events(scenario: Scenario) -> Check:
    """Return the check of events of a scenario; events at the edges of chunks are seen in part."""
    largest = _largest(scenario)
    hours = tuple(
        (event.day - 1) * 24 + event.start_hour + np.arange(event.duration_h)
        for event in scenario.special_events
    )

    def check(cohort: Cohort) -> Iterator[tuple[str, str, Ints, Bools]]:
        p = cohort.patients
        everybody = np.arange(len(cohort))
        begins = np.diff(p.event, prepend=~p.event[:1]) != 0
        run = np.cumsum(begins) - 1
        first = np.flatnonzero(begins)
        length = np.diff(first, append=len(cohort))
        yield "empty events", "no casualty event is empty or negative", everybody, p.event_size < 1
        cause = np.where(p.special == NONE, p.warfare, len(WARFARE) + p.special)
        yield (
            "large events",
            "no casualty event is larger than the largest that its type makes",
            everybody,
            p.event_size > largest[cause, p.kind],
        )
        inside = np.ones(len(first), dtype=np.bool_)
        inside[[0, -1]] = False
        yield (
            "event sizes",
            "as many patients as an event says belong to it",
            first,
            np.where(inside, length != p.event_size[first], length > p.event_size[first]),
        )
        one = np.zeros(len(cohort), dtype=np.bool_)
        for column in (p.kind, p.front, p.warfare, p.special, p.event_size, p.mass_casualty):
            one |= column != column[first][run]
        yield "one cause", "all patients of an event have one kind, front and cause", everybody, one
        earliest = np.minimum.reduceat(p.injured_s, first)
        yield (
            "at once",
            "the patients of an event are hurt within an hour",
            everybody,
            p.injured_s - earliest[run] > EVENT_S,
        )
        yield (
            "cause",
            "each patient has a warfare type of the scenario, or one of its special events",
            everybody,
            ~_known(scenario, p.warfare, p.special),
        )
        out = np.zeros(len(cohort), dtype=np.bool_)
        for row, allowed in enumerate(hours):
            out |= (p.special == row) & ~np.isin(p.injured_s // 3600, allowed)
        yield "special events", "special events happen in their hours", everybody, out

    return check


def _largest(scenario: Scenario) -> Ints:
    """Return the largest event by cause (warfare types, then special events) and kind."""
    small = SMALL_GROUP[1]
    table = np.full((len(WARFARE) + len(scenario.special_events), len(Kind)), small)
    for row, warfare in enumerate(WARFARE):
        for cluster in warfare.clusters:
            kind = Kind[cluster.kind.upper()]
            table[row, kind] = max(table[row, kind], cluster.high)
    for row, event in enumerate(scenario.special_events, len(WARFARE)):
        table[row, Kind[event.patients.upper()]] = max(small, SPECIAL_KINDS[event.row].high)
    return table


def _known(scenario: Scenario, warfare: Ints, special: Ints) -> Bools:
    fighting = [row for row, type_ in enumerate(WARFARE) if type_.name in scenario.warfare]
    of_type = np.isin(warfare, fighting) & (special == NONE)
    of_event = (special >= 0) & (special < len(scenario.special_events)) & (warfare == NONE)
    known: Bools = of_type | of_event
    return known
