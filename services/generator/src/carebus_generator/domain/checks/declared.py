"""Statistics of generated patients against what the scenario and the warfare types declare."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from carebus_generator.domain.checks.bands import LEAST
from carebus_generator.domain.checks.results import Band
from carebus_generator.domain.checks.tally import Tally
from carebus_generator.domain.checks.totals import busy_hours
from carebus_generator.domain.cohort import Kind, Triage
from carebus_generator.domain.reference import INTENSITIES, SPECIAL_KINDS, WARFARE
from carebus_generator.domain.scenario import Scenario

POINT = 0.01
"""A percent: as far as a share may be off at least."""
DEVIATIONS = 3
HOURS_OFF = 0.03
"""What conditions that hold for some hours of the day move."""
BLOOD: Mapping[str, float] = {
    "O+": 0.38, "A+": 0.34, "B+": 0.09, "O-": 0.07, "A-": 0.06, "AB+": 0.03, "B-": 0.02, "AB-": 0.01,
}  # fmt: skip
_KINDS = {Kind.BATTLE: "battle casualties", Kind.NON_BATTLE: "other injuries", Kind.DISEASE: "diseases"}


def declared(tally: Tally, scenario: Scenario, bloods: Sequence[str]) -> Iterator[Band]:
    """Yield bands around what is declared: one point, or three deviations where few patients tell.

    Args:
        tally: What was counted.
        scenario: What is to happen.
        bloods: Names of the blood groups, by row.
    """
    yield from _mix(tally, scenario)
    yield from _triage(tally, scenario)
    yield from _hours(tally, scenario)
    for group, count in zip(bloods, tally.bloods.tolist(), strict=True):
        yield _band(
            f"blood_{group}",
            f"blood group {group}",
            _Share(BLOOD.get(group, 0.0), count, int(tally.bloods.sum())),
            "page of a blood centre in the United States; of other nations no table was found",
        )


def _mix(tally: Tally, scenario: Scenario) -> Iterator[Band]:
    # Of a sample: patients of a kind come in events, so some days and hours have more of it.
    whole = tally.patients == scenario.total
    by_kind = tally.triage.sum(axis=(0, 2))
    for kind, wanted in zip(
        Kind, (scenario.mix.battle, scenario.mix.non_battle, scenario.mix.disease), strict=True
    ):
        name = kind.name.lower()
        yield _band(
            f"mix_{name}",
            f"{_KINDS[kind]}, of all patients",
            _Share(wanted, int(by_kind[kind]), tally.patients, 1.0 if whole else _together(tally)),
            "the scenario's mix",
        )


def _triage(tally: Tally, scenario: Scenario) -> Iterator[Band]:
    own = (scenario.triage.battle, scenario.triage.non_battle, scenario.triage.disease)
    causes = [(row.name, row.triage) for row in WARFARE]
    causes += [
        (f"{SPECIAL_KINDS[event.row].name}_{number}", SPECIAL_KINDS[event.row].triage)
        for number, event in enumerate(scenario.special_events, 1)
    ]
    for row, (cause, table) in enumerate(causes):
        for kind in Kind:
            counts = tally.triage[row, kind]
            if counts.sum() < LEAST:
                continue
            for triage, wanted in zip(
                (Triage.T1, Triage.T2, Triage.T3), own[kind] or table[kind], strict=True
            ):
                expectant = int(counts[Triage.T4]) if triage == Triage.T1 else 0
                yield _band(
                    f"triage_{cause}_{kind.name.lower()}_{triage.name}",
                    f"{triage.name}{' or expectant' if triage == Triage.T1 else ''} when hurt,"
                    f" of {_KINDS[kind]} of {cause.replace('_', ' ')}",
                    _Share(wanted, int(counts[triage]) + expectant, int(counts.sum())),
                    "the scenario's triage"
                    if own[kind]
                    else "the warfare types' tables (generator facts, section 2)",
                )


def _hours(tally: Tally, scenario: Scenario) -> Iterator[Band]:
    frequency = next(row.frequency for row in INTENSITIES if row.name == scenario.intensity)
    for row, warfare in enumerate(WARFARE):
        counts = tally.hours[row]
        found = busy_hours(warfare.pattern, frequency)
        seen = int(counts.sum())
        if found is None or seen < LEAST:
            continue
        hours, low, high = found
        together = float(tally.together[row] / max(tally.triage[row, Kind.BATTLE].sum(), 1))
        slack = HOURS_OFF + DEVIATIONS * float(np.sqrt(0.25 * together / seen))
        yield Band(
            name=f"hours_{warfare.name}",
            says=f"in the busy hours ({_spans(hours)}), of battle casualties of {warfare.name}",
            low=max(low - slack, 0.0),
            high=min(high + slack, 1.0),
            source="the declared shape of the warfare type (generator facts, section 2)",
            value=float(counts[hours].sum() / seen),
            seen=seen,
        )


@dataclass(frozen=True, slots=True)
class _Share:
    """A share that is declared, and what was counted of it."""

    wanted: float
    count: int
    seen: int
    together: float = 1.0
    """Patients that come in one event: a sample of so many is worth one."""


def _band(name: str, says: str, share: _Share, source: str) -> Band:
    wanted, seen = share.wanted, share.seen
    deviation = float(np.sqrt(wanted * (1 - wanted) * share.together / max(seen, 1)))
    slack = max(POINT, DEVIATIONS * deviation)
    return Band(
        name=name,
        says=says,
        low=max(wanted - slack, 0.0),
        high=min(wanted + slack, 1.0),
        source=source,
        value=share.count / seen if seen >= LEAST else None,
        seen=seen,
    )


def _together(tally: Tally) -> float:
    battle = tally.triage[:, Kind.BATTLE].sum()
    return float(tally.together.sum() / battle) if battle else 1.0


def _spans(hours: Sequence[int]) -> str:
    """Write hours as spans: 6-9, 16-19."""
    spans: list[list[int]] = []
    for hour in sorted(hours):
        if spans and hour == spans[-1][1] + 1:
            spans[-1][1] = hour
        else:
            spans.append([hour, hour])
    return ", ".join(f"{first}-{last}" if first != last else str(first) for first, last in spans)
