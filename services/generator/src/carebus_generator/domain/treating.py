"""Treatments: procedures, and drugs, fluids and blood products given, by the rules of care.toml."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from carebus_generator.domain.bodies import Bodies
from carebus_generator.domain.care import CARE, Rule, cases
from carebus_generator.domain.cohort import NONE, Courses, Role, Stays, Treatments, Triage, Wounds
from carebus_generator.domain.draws import Draws, Floats, Ints
from carebus_generator.domain.whereabouts import Whereabouts, ordinals, whereabouts


@dataclass(frozen=True, slots=True)
class _Given:
    """What one rule gives, in columns."""

    patient: Ints
    wound: Ints
    role: Ints
    start_s: Ints
    end_s: Ints
    draw: Ints
    """Number for the draws of this row; unique within patient and rule."""


def treatments(draws: Draws, wounds: Wounds, bodies: Bodies, stays: Stays, courses: Courses) -> Treatments:
    """Return all that is done for each patient, where somebody cares and before death.

    A treatment starts some minutes after care began, in a short stay sooner, so that nothing that the
    protocols ask for falls out for want of time. It comes again only after its interval.
    """
    where = whereabouts(stays, courses)
    case, number = cases(wounds), ordinals(wounds.patient)
    given: dict[str, _Given] = {}
    columns: list[tuple[Ints, Ints, Ints, Ints, Ints, Ints, Floats]] = []
    for rule in CARE.rules:
        asked = _followed(draws, rule, given) if rule.follows else _asked(draws, rule, wounds, case, number)
        asked = _allowed(rule, asked, bodies, where)
        once = _timed(draws, rule, asked, where)
        given[rule.key] = once
        rows = _repeated(rule, once, where)
        columns.append(
            (
                rows.patient,
                where.stay[rows.patient, rows.role],
                rows.wound,
                np.full(len(rows.patient), rule.code, dtype=np.int64),
                rows.start_s,
                rows.end_s,
                _quantity(draws, rule, rows),
            )
        )
    patient, stay, wound, code, start_s, end_s, quantity = (
        np.concatenate(each) for each in zip(*columns, strict=True)
    )
    # Stable, so that what starts in the same second keeps the order of the rules.
    order = np.lexsort((start_s, patient))
    return Treatments(
        patient=patient[order],
        stay=stay[order],
        wound=wound[order],
        code=code[order],
        start_s=start_s[order],
        end_s=end_s[order],
        quantity=quantity[order],
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a rule asks for, before it is known whether it can be done."""

    patient: Ints
    wound: Ints
    draw: Ints
    after: _Given | None = None
    """What it follows, row by row."""

    def keep(self, rows: Ints) -> _Asked:
        after = self.after and _rows(self.after, rows)
        return _Asked(self.patient[rows], self.wound[rows], self.draw[rows], after)


def _asked(draws: Draws, rule: Rule, wounds: Wounds, case: Ints, number: Ints) -> _Asked:
    """Return the wounds that a rule is for, as often as its chance."""
    chance = rule.by_case[case]
    wound = np.flatnonzero(chance)
    patient = wounds.patient[wound]
    happens = draws.take(patient).uniform(f"treating.{rule.key}", number[wound]) < chance[wound]
    wound, patient = wound[happens], patient[happens]
    if not rule.per_wound:
        first = np.diff(patient, prepend=-1) != 0
        wound, patient = wound[first], patient[first]
    return _Asked(patient, wound, number[wound])


def _followed(draws: Draws, rule: Rule, given: dict[str, _Given]) -> _Asked:
    """Return what was done that this rule follows; of several of one patient, the first."""
    done = [given[key] for key in rule.follows]
    both = _Given(*(np.concatenate([getattr(each, name) for each in done]) for name in _Given.__slots__))
    order = np.lexsort((both.start_s, both.patient))
    both = _rows(both, order[np.diff(both.patient[order], prepend=-1) != 0])
    happens = draws.take(both.patient).uniform(f"treating.{rule.key}", both.draw) < rule.chance
    both = _rows(both, np.flatnonzero(happens))
    return _Asked(both.patient, both.wound, both.draw, both)


def _allowed(rule: Rule, asked: _Asked, bodies: Bodies, where: Whereabouts) -> _Asked:
    """Leave out whom a fact forbids it; who is expectant is known from the triage where it would be done."""
    fine = np.ones(len(asked.patient), dtype=np.bool_)
    for name in rule.only:
        fine &= bodies.facts[name][asked.patient]
    for name in rule.unless:
        if name == "expectant":
            fine &= where.triage[asked.patient, _role(rule, asked, where)] != Triage.T4
        else:
            fine &= ~bodies.facts[name][asked.patient]
    return asked.keep(np.flatnonzero(fine))


def _role(rule: Rule, asked: _Asked, where: Whereabouts) -> Ints:
    """Return the first role of the rule that the patient reaches in time, or NONE."""
    if asked.after is not None:
        return asked.after.role
    role = np.full(len(asked.patient), NONE, dtype=np.int64)
    for each in reversed(rule.roles):
        role[where.cared[asked.patient, each]] = each
    return role


def _timed(draws: Draws, rule: Rule, asked: _Asked, where: Whereabouts) -> _Given:
    """Return when it is done for the first time."""
    role = _role(rule, asked, where)
    reached = np.flatnonzero(role != NONE)
    asked, role = asked.keep(reached), role[reached]
    begin = where.begin_s[asked.patient, role] if asked.after is None else asked.after.start_s
    room = where.end_s[asked.patient, role] - begin
    mine = draws.take(asked.patient)
    words = mine.words(f"treating.{rule.key}.time", asked.draw)
    after = rule.after_s + (words >> _32).astype(np.int64) * rule.after_s // _SCALE
    lasts = rule.lasts_s * 3 // 4 + (words & _LOW).astype(np.int64) * (rule.lasts_s // 2) // _SCALE
    # Strictly within the stay, close to the wanted time in a long one, and in the order of the wanted times.
    start = begin + after * room // (after + room)
    end = np.minimum(start + lasts, where.end_s[asked.patient, role])
    return _Given(asked.patient, asked.wound, role, start, end, asked.draw)


def _repeated(rule: Rule, once: _Given, where: Whereabouts) -> _Given:
    """Return it with its repetitions: at full intervals, when the patient is in a stay of these roles."""
    if rule.times == 1:
        return once
    left = where.last_s[once.patient] - once.start_s
    again = np.clip((left - 1) // rule.every_s, 0, rule.times - 1)
    rows = np.repeat(np.arange(len(again)), again + 1)
    turn = ordinals(rows)
    many = _rows(once, rows)
    start = many.start_s + turn * rule.every_s
    role = np.where(turn == 0, many.role, NONE)
    for each in rule.roles:
        if each != Role.POI:
            inside = (where.begin_s[many.patient, each] <= start) & (start < where.end_s[many.patient, each])
            role[(turn > 0) & where.cared[many.patient, each] & inside] = each
    kept = np.flatnonzero(role != NONE)
    start, role, patient = start[kept], role[kept], many.patient[kept]
    end = np.minimum(start + (many.end_s - many.start_s)[kept], where.end_s[patient, role])
    return _Given(patient, many.wound[kept], role, start, end, many.draw[kept] + (turn[kept] << _TURN))


def _quantity(draws: Draws, rule: Rule, rows: _Given) -> Floats:
    """Return doses, in the catalogue's unit of that code."""
    if rule.dose is None:
        return np.zeros(len(rows.patient))
    low, high = rule.dose
    steps = round((high - low) / rule.step)
    if not steps:
        return np.full(len(rows.patient), low)
    drawn = draws.take(rows.patient).integers(f"treating.{rule.key}.dose", 0, steps, rows.draw)
    return np.round(low + drawn * rule.step, rule.decimals)


def _rows(given: _Given, rows: Ints) -> _Given:
    return _Given(*(getattr(given, name)[rows] for name in _Given.__slots__))


_SCALE = 2**32
_32, _LOW = np.uint64(32), np.uint64(_SCALE - 1)
_TURN = 16
"""Draws of repetitions are numbered above the wounds of a patient."""
