"""How badly off each patient is before any care, from all wounds together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from carebus_generator.domain.care import CARE, PARTS, cases, positions
from carebus_generator.domain.cohort import Patients, Wounds
from carebus_generator.domain.draws import Bools, Draws, Floats, Ints

MOST_LOST = 0.45
"""Share of the blood volume at which ``blood`` is 1; class IV of ATLS begins at 0.40."""


@dataclass(frozen=True, slots=True)
class Bodies:
    """One row a patient; parts are 0 (well) to 1 (as bad as it gets)."""

    blood: Floats
    """Blood lost, as a share of ``MOST_LOST``."""
    shock: Floats
    """Circulation failing, by bleeding, infection or loss of water."""
    brain: Floats
    breathing: Floats
    fever: Floats
    heat: Floats
    cold: Floats
    pain: Floats
    facts: dict[str, Bools]
    """By name of the fact in care.toml; who is allergic, too."""


def bodies(draws: Draws, patients: Patients, wounds: Wounds) -> Bodies:
    """Return what the wounds do to each patient.

    Blood losses add up; of everything else the worst wound counts.
    """
    count = len(patients.index)
    effect = CARE.parts[cases(wounds)]
    worst = {part: _worst(effect[:, place], wounds.patient, count) for place, part in enumerate(PARTS)}
    blood = np.minimum(
        np.bincount(wounds.patient, weights=effect[:, PARTS.index("blood")], minlength=count), 1.0
    )
    shock = np.minimum(blood + worst["sepsis"] + 0.4 * worst["dry"], 1.0)
    parts = {**worst, "blood": blood, "shock": shock}
    facts = {}
    for name, fact in CARE.facts.items():
        true = parts[fact.part] >= fact.at_least if fact.part else np.zeros(count, dtype=np.bool_)
        if fact.groups or fact.conditions:
            true = true.copy()
            true[wounds.patient[CARE.belongs[name][positions(wounds.condition)]]] = True
        facts[name] = true
    facts["penicillin_allergy"] = penicillin_allergy(draws)
    return Bodies(
        blood=blood,
        shock=shock,
        brain=worst["brain"],
        breathing=worst["breathing"],
        fever=worst["fever"],
        heat=worst["heat"],
        cold=worst["cold"],
        pain=worst["pain"],
        facts=facts,
    )


def penicillin_allergy(draws: Draws) -> Bools:
    """Return who has an allergy to penicillin on record."""
    return draws.chance("bodies.allergy.penicillin", CARE.allergies["penicillin"].share)


def _worst(value: Floats, patient: Ints, count: int) -> Floats:
    worst = np.zeros(count)
    np.maximum.at(worst, patient, value)
    return worst
