"""Who the patients are: event and time from the timeline, nation, sex, age, blood group and build."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from carebus_generator.domain.cohort import Patients
from carebus_generator.domain.draws import STANDARD_NORMAL, Bools, Draws, Floats, Ints, Quantiles
from carebus_generator.domain.reference import BLOOD_GROUPS, PEOPLE, BySex
from carebus_generator.domain.timeline import DAY_S

if TYPE_CHECKING:
    from carebus_generator.domain.model import Model

_AGES = Quantiles(PEOPLE.age_shares, PEOPLE.age_years)
_YEAR_DAYS = 365.2425
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no letters that people mix up with digits."""


def people(model: Model, indices: Ints) -> Patients:
    """Make patients of the timeline, of any indices."""
    line, cells, draws = model.timeline, model.timeline.cells, Draws(model.seed, indices)
    found = line.locate(indices)
    kind, front = cells.kind[found.cell], cells.front[found.cell]
    nation = _nation(model, draws, front)
    female = draws.chance("people.sex", model.women[nation, kind])
    height_cm = _height(draws, female)
    return Patients(
        index=indices,
        event=found.event,
        event_size=found.size,
        injured_s=found.at_s,
        kind=kind,
        front=front,
        nation=nation,
        warfare=line.warfare[found.cell],
        special=line.special[found.cell],
        mass_casualty=found.mass_casualty,
        female=female,
        birth_day=_birth(model, draws, found.at_s),
        blood=draws.choice("people.blood", [group.share for group in BLOOD_GROUPS]),
        weight_kg=_weight(draws, female, height_cm),
        height_cm=height_cm,
    )


def data_set_mark(model: Model) -> str:
    """Return six letters that tell data sets of other seeds or scenarios apart.

    They are part of service numbers, so that patients of two data sets stay two where both are loaded.
    """
    word = int(Draws(model.seed, np.asarray([0])).words(f"people.mark.{model.digest}")[0])
    return "".join(_ALPHABET[(word >> 5 * place) & 31] for place in range(6))


def _nation(model: Model, draws: Draws, front: Ints) -> Ints:
    used = np.flatnonzero(model.nations.any(axis=0))
    chosen: Ints = used[draws.choice_by("people.nation", front, model.nations[:, used])]
    return chosen


def _birth(model: Model, draws: Draws, injured_s: Ints) -> Ints:
    """Return days of birth; ages count at the day of injury, not today."""
    days = np.floor(draws.quantile("people.age", _AGES) * _YEAR_DAYS).astype(np.int64)
    first = (model.scenario.base_date - date(1970, 1, 1)).days
    return first + injured_s // DAY_S - days


def _height(draws: Draws, female: Bools) -> Ints:
    low, high = PEOPLE.height_range_cm
    drawn = _normal(draws, "people.height", female, PEOPLE.height_cm)
    return np.clip(np.rint(drawn), low, high).astype(np.int64)


def _weight(draws: Draws, female: Bools, height_cm: Ints) -> Floats:
    mass = _cut(_normal(draws, "people.body_mass", female, PEOPLE.body_mass), PEOPLE.body_mass_range)
    return np.round(_cut(mass * (height_cm / 100) ** 2, PEOPLE.weight_kg), 1)


def _cut(values: Floats, bounds: tuple[float, float]) -> Floats:
    return np.minimum(np.maximum(values, bounds[0]), bounds[1])


def _normal(draws: Draws, stream: str, female: Bools, by_sex: BySex) -> Floats:
    mean, deviation = (np.where(female, by_sex.female[part], by_sex.male[part]) for part in range(2))
    return mean + deviation * draws.quantile(stream, STANDARD_NORMAL)
