"""Reference data of the model: warfare types, environments, nations and the like, each with its source.

The data are the TOML files of ``carebus_generator.data``; they are read once, checked, and never
changed. Columns of the cohort hold row numbers of the tables here.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from importlib.resources import files
from typing import Annotated, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from carebus_generator.domain.cohort import Kind

KINDS = tuple(kind.name.lower() for kind in Kind)
"""Names of the kinds as scenarios write them, in the order of ``Kind``."""

ByKind = tuple[float, float, float]
"""A number a kind: battle, non-battle, disease."""


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Sustained(_Row):
    """Goes on all day, with peaks; less by night."""

    form: Literal["sustained"]
    peak_hours: tuple[int, ...]
    peak: float
    base: float
    night: float
    """Factor from 22 to 5 o'clock, unless operations go on by night."""


class Surges(_Row):
    """A few surges of some hours; they hold most of the day's casualties."""

    form: Literal["surges"]
    a_day: tuple[int, int]
    hours: int
    preferred: tuple[int, ...]
    share: float


class Phased(_Row):
    """Phases of first hour, hours and weight, and a base."""

    form: Literal["phased"]
    phases: tuple[tuple[int, int, float], ...]
    base: float


class Sporadic(_Row):
    """Some hours of the day, more often at dawn and dusk."""

    form: Literal["sporadic"]
    a_day: tuple[int, int]
    dawn: tuple[int, ...]
    dusk: tuple[int, ...]
    twilight: float
    night: float


class Strikes(_Row):
    """Few strikes within a window of the day; some loiter into the next hour."""

    form: Literal["strikes"]
    a_day: tuple[int, int]
    window: tuple[int, int]
    loiter: float


class Waves(_Row):
    """Waves at given hours."""

    form: Literal["waves"]
    hours: tuple[int, ...]
    inside: float
    outside: float


class Contamination(_Row):
    """One release a day; some fall ill in the hours of exposure, most after delays of up to days."""

    form: Literal["contamination"]
    exposure: int
    """Hours."""
    delays: tuple[int, ...]
    """Hours after the release."""
    delayed: float
    """Share of those who fall ill later."""


class Incidents(_Row):
    """Incidents at some of given hours; crowds make more of them."""

    form: Literal["incidents"]
    hours: tuple[int, ...]
    chance: float
    crowd_hours: tuple[int, ...]
    crowd: float


Pattern = Annotated[
    Sustained | Surges | Phased | Sporadic | Strikes | Waves | Contamination | Incidents,
    Field(discriminator="form"),
]


class Cluster(_Row):
    """Events of more than a few patients."""

    name: str
    kind: Literal["battle", "non_battle", "disease"]
    chance: float
    """That an event of this kind is such a cluster."""
    low: int
    high: int
    """Smallest and largest number of patients."""


class Warfare(_Row):
    """A way of fighting."""

    name: str
    title: str
    weight: float
    mix: ByKind
    """Factors on the scenario's mix."""
    triage: tuple[ByKind, ByKind, ByKind]
    """Shares of T1, T2, T3 at the point of injury, a row a kind."""
    follows: ByKind
    """Share of each kind that comes in the hours of the pattern."""
    pattern: Pattern
    clusters: tuple[Cluster, ...]


class SpecialKind(_Row):
    """A kind of special event."""

    name: str
    title: str
    share: float
    """Of its day's patients, where the scenario gives neither share nor size."""
    hours: int
    local: bool
    """Hits one front only."""
    severity: float
    triage: tuple[ByKind, ByKind, ByKind]
    chance: float
    """That one of its events is a cluster."""
    low: int
    high: int
    """Smallest and largest number of patients of a cluster."""


class Intensity(_Row):
    """How hard the fighting is."""

    name: str
    size: float
    frequency: float
    mass: float


class Tempo(_Row):
    """How casualties spread over the days."""

    name: str
    weights: tuple[float, ...]
    repeats: bool = False


class Hazard(_Row):
    """What an environment does to people by itself."""

    name: Literal["heat", "cold", "fall", "crush"]
    share: float


class Environment(_Row):
    """A condition of the surroundings."""

    name: str
    title: str
    visibility: float
    mobility: float
    casualty: float
    delay_min: int
    disease: float
    hours: tuple[int, int] | None = None
    hazard: Hazard | None = None
    worse: ByKind = (1.0, 1.0, 1.0)


class BloodGroup(_Row):
    """ABO group and rhesus factor."""

    name: str
    share: float


class Nation(_Row):
    """Whose soldiers."""

    code: str
    name: str


class _WarfareFile(_Row):
    day_hours: tuple[float, ...]
    small_group: tuple[int, int]
    mass_casualty_from: int
    warfare: tuple[Warfare, ...]
    special: tuple[SpecialKind, ...]
    intensity: tuple[Intensity, ...]
    tempo: tuple[Tempo, ...]


class _EnvironmentFile(_Row):
    environment: tuple[Environment, ...]


class BySex(_Row):
    """Mean and standard deviation."""

    female: tuple[float, float]
    male: tuple[float, float]


class People(_Row):
    """Demographic parameters."""

    male: dict[str, float]
    odds_female: ByKind
    age_shares: tuple[float, ...]
    age_years: tuple[float, ...]
    height_cm: BySex
    body_mass: BySex
    body_mass_range: tuple[float, float]
    weight_kg: tuple[float, float]
    height_range_cm: tuple[int, int]
    blood: tuple[BloodGroup, ...]
    nation: tuple[Nation, ...]


class _Named(Protocol):
    @property
    def name(self) -> str: ...


def names(rows: Sequence[_Named]) -> tuple[str, ...]:
    """Return the names of a table's rows, in order."""
    return tuple(row.name for row in rows)


def _text(name: str) -> str:
    return (files("carebus_generator") / "data" / name).read_text(encoding="utf-8")


_warfare = _WarfareFile.model_validate(tomllib.loads(_text("warfare.toml")))

WARFARE = _warfare.warfare
SPECIAL_KINDS = _warfare.special
INTENSITIES = _warfare.intensity
TEMPOS = _warfare.tempo
DAY_HOURS = _warfare.day_hours
SMALL_GROUP = _warfare.small_group
MASS_CASUALTY_FROM = _warfare.mass_casualty_from
ENVIRONMENTS = _EnvironmentFile.model_validate(tomllib.loads(_text("environments.toml"))).environment
PEOPLE = People.model_validate(tomllib.loads(_text("people.toml")))
BLOOD_GROUPS = PEOPLE.blood
NATIONS = PEOPLE.nation
NATION_CODES = tuple(nation.code for nation in NATIONS)
