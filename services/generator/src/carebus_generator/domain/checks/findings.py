"""All checks of one data set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

import numpy as np

from carebus_generator.domain.checks.bands import LEAST, compared, published, reported
from carebus_generator.domain.checks.coding import of_codes
from carebus_generator.domain.checks.courses import (
    of_courses,
    of_events_after_death,
    of_facilities,
    of_stays,
)
from carebus_generator.domain.checks.declared import declared
from carebus_generator.domain.checks.events import of_events
from carebus_generator.domain.checks.persons import of_ages, of_numbers, of_persons
from carebus_generator.domain.checks.results import Findings, Rule
from carebus_generator.domain.checks.rules import Check, Rules
from carebus_generator.domain.checks.tally import Tally
from carebus_generator.domain.checks.totals import Totals
from carebus_generator.domain.checks.treating import of_treatments
from carebus_generator.domain.checks.vital_signs import of_measurements
from carebus_generator.domain.cohort import Cohort, Kind, Triage
from carebus_generator.domain.making import make_cohort
from carebus_generator.domain.model import Model
from carebus_generator.domain.omop.persons import service_numbers
from carebus_generator.domain.reference import BLOOD_GROUPS, NATION_CODES, WARFARE
from carebus_generator.domain.surroundings import surroundings_of

CHUNK = 2_000
ENOUGH_FOR_EXPECTANT = 1_000
"""Battle casualties of whom some are expectant in any type of warfare: at least ten are expected."""


def findings(model: Model, patients: int = 20_000) -> Findings:
    """Look at the patients of a data set, all of them or evenly spread ones.

    Args:
        model: Of the data set.
        patients: To be looked at, at most. Totals are about all of the data set in any case.
    """
    total = model.timeline.total
    cohorts = (make_cohort(model, first, count) for first, count in spread(total, patients))
    return examined(model, cohorts, whole=total <= patients)


def examined(model: Model, cohorts: Iterable[Cohort], *, whole: bool) -> Findings:
    """Look at chunks of patients of a data set.

    Args:
        model: Of the data set.
        cohorts: Ascending.
        whole: They are all of the data set; otherwise the timeline's cells tell the totals.
    """
    scenario = model.scenario
    rules, totals = Rules(checks_of(model)), Totals(scenario)
    tally = Tally(warfares=len(WARFARE), specials=len(scenario.special_events), bloods=len(BLOOD_GROUPS))
    base_day = (scenario.base_date - date(1970, 1, 1)).days
    for cohort in cohorts:
        rules.see(cohort)
        tally.see(cohort, base_day)
        if whole:
            totals.see(cohort.patients)
    if not whole:
        _count_cells(totals, model)
    for rule in (*totals.rules(), *_of_the_whole(tally)):
        rules.enter(rule)
    return Findings(
        scenario=scenario.name,
        scenario_hash=model.digest,
        seed=model.seed,
        mode=scenario.mode,
        total=model.timeline.total,
        checked=tally.patients,
        rules=rules.found,
        bands=(*published(tally, scenario), *declared(tally, scenario, [g.name for g in BLOOD_GROUPS])),
        comparisons=tuple(compared(tally)),
        reported=tuple(reported(tally, scenario)),
    )


def checks_of(model: Model) -> tuple[Check, ...]:
    """Return the checks of chunks of patients."""
    base_day = (model.scenario.base_date - date(1970, 1, 1)).days
    common = surroundings_of(model, "checked")
    return (
        of_persons,
        of_ages(base_day),
        of_numbers(lambda patients: service_numbers(common, patients), NATION_CODES),
        of_events(model.scenario),
        of_courses,
        of_stays,
        of_facilities(model.facilities.role, model.facilities.front),
        of_events_after_death,
        of_codes,
        of_treatments,
        of_measurements,
    )


def spread(total: int, patients: int) -> Iterator[tuple[int, int]]:
    """Yield first index and length of the chunks to look at."""
    if total <= patients:
        yield from ((first, min(CHUNK, total - first)) for first in range(0, total, CHUNK))
        return
    chunks = max(patients // CHUNK, 1)
    length = min(CHUNK, patients)
    for number in range(chunks):
        yield number * (total - length) // max(chunks - 1, 1), length


def _count_cells(totals: Totals, model: Model) -> None:
    """Count the patients of the timeline's cells, where there are too many patients to make them all."""
    line = model.timeline
    cells = line.cells
    totals.count(
        day=cells.day,
        hour=cells.hour,
        front=cells.front,
        kind=cells.kind,
        warfare=line.warfare,
        special=line.special,
        of_each=np.diff(line.start),
    )


def _of_the_whole(tally: Tally) -> Iterator[Rule]:
    battle = tally.triage[:, Kind.BATTLE]
    if battle.sum() >= ENOUGH_FOR_EXPECTANT:
        yield Rule(
            "expectant",
            "some of the battle casualties are expectant (T4)",
            int(battle.sum()),
            int(battle[:, Triage.T4].sum() == 0),
        )
    (light, light_sum), (urgent, urgent_sum) = tally.shock[Triage.T3], tally.shock[Triage.T1]
    if min(light, urgent) >= LEAST:
        yield Rule(
            "shock index",
            "the first shock index of the injured is higher in T1 than in T3, on average",
            int(light + urgent),
            int(urgent_sum / urgent <= light_sum / light),
        )
