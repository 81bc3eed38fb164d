"""How conditions act on the body and what is done for them: ``data/care.toml``, made ready for columns.

A wound's *case* is one number for condition, region and severity; whatever depends on these three is an
array by case, so that a column of wounds needs one look-up.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from carebus_generator.domain.catalogue import CATALOGUE, Domain, data_text
from carebus_generator.domain.cohort import NONE, Region, Role, Wounds
from carebus_generator.domain.conditions import CONDITIONS
from carebus_generator.domain.draws import Bools, Floats, Ints

PARTS = ("blood", "sepsis", "dry", "brain", "breathing", "fever", "heat", "cold", "pain")
"""What a condition can act on."""

Part = Literal["blood", "sepsis", "dry", "brain", "breathing", "fever", "heat", "cold", "pain"]
Fact = Literal[
    "brain", "unconscious", "bleeding", "shock", "breathing", "kidney", "penicillin_allergy", "expectant"
]
Sign = Literal["blood", "shock", "brain", "breathing", "fever", "heat", "cold", "pain"]
"""What somebody who measures sees of the body."""
_AIS = 6


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Clause(_Table):
    """Which cases a treatment is for; what is left out is any."""

    groups: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    ais: tuple[int, int] = (1, _AIS)
    chance: float = Field(gt=0, le=1)


class _Fact(_Table):
    groups: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    part: Part | Literal["shock"] | None = None
    at_least: float = 0


class _Treatment(_Table):
    code: str
    source: str
    per: Literal["wound", "patient"]
    after: int = Field(ge=1)
    minutes: int = Field(ge=1)
    roles: tuple[str, ...] = ("R1", "R2", "R3", "R4")
    follows: tuple[str, ...] = ()
    chance: float = 0
    clauses: tuple[_Clause, ...] = Field(default=(), alias="for")
    unless: tuple[Fact, ...] = ()
    only: tuple[Fact, ...] = ()
    surgical: bool = False
    every_h: int = 0
    times: int = 1
    dose: tuple[float, float] | None = None
    step: float = 1


class _Share(_Table):
    share: float
    source: str


class _Diagnosis(_Table):
    source: str
    right: dict[str, float]
    triage: dict[str, float]
    battle: float
    mass_casualty: float
    minutes: tuple[int, int]


class _Severity(_Table):
    source: str
    ais: tuple[float, ...]
    blood: tuple[float, ...]


class _Body(_Table):
    parts: dict[Part, float]
    inside: dict[str, dict[Part, float]] = {}
    """By region, what differs there."""


class _ByTriage(_Table):
    """What is measured of each triage category."""

    T1: tuple[str, ...]
    T2: tuple[str, ...]
    T3: tuple[str, ...]
    T4: tuple[str, ...]


class _Repeated(_Table):
    signs: tuple[str, ...]
    every_h: tuple[int, int, int, int]
    most: tuple[int, int, int, int]


class _Laboratory(_Table):
    serious: float
    values: tuple[str, ...]


class _Measured(_Table):
    source: str
    minutes: tuple[int, int]
    first: _ByTriage
    later: _ByTriage
    repeated: _Repeated
    laboratory: _Laboratory
    admission: _ByTriage
    reasons: dict[str, dict[Sign, float]]
    """By what is measured: parts of the body, and how badly off one of them is at least."""


class _File(_Table):
    sources: dict[str, str]
    allergies: dict[str, _Share]
    diagnosis: _Diagnosis
    severity: _Severity
    body: dict[str, _Body]
    condition: dict[str, dict[Part, float]]
    facts: dict[str, _Fact]
    measured: _Measured
    treatment: tuple[_Treatment, ...]


class Rule:
    """One treatment, ready for columns."""

    def __init__(self, given: _Treatment) -> None:
        self.key = given.code
        self.code = CATALOGUE.row(given.code)
        self.domain = CATALOGUE[self.code].domain
        self.per_wound = given.per == "wound"
        self.roles = tuple(Role[name] for name in given.roles)
        self.follows = given.follows
        self.chance = given.chance
        self.by_case = _chances(given.clauses)
        self.unless, self.only = given.unless, given.only
        self.surgical = given.surgical
        self.after_s, self.lasts_s = given.after * 60, given.minutes * 60
        self.every_s, self.times = given.every_h * 3600, given.times
        self.dose, self.step = given.dose, given.step
        self.decimals = CATALOGUE[self.code].decimals


class Care:
    """All of care.toml."""

    def __init__(self, file: _File) -> None:
        self.sources = file.sources
        self.allergies, self.diagnosis, self.measured = file.allergies, file.diagnosis, file.measured
        self.facts = file.facts
        self.parts = _parts(file)
        """Cases × parts: how badly one wound makes each part of the body off, 0 to 1."""
        self.rules = tuple(Rule(each) for each in file.treatment)
        self.belongs = {
            name: _belongs(fact.groups, fact.conditions)[np.arange(len(CONDITIONS.all))]
            for name, fact in file.facts.items()
        }
        """By fact: which conditions (in the order of conditions.csv) bring it about by themselves."""


def cases(wounds: Wounds) -> Ints:
    """Return the case of each wound: condition, region and severity as one number."""
    case: Ints = (positions(wounds.condition) * len(Region) + wounds.region) * _AIS + wounds.ais - 1
    return case


def positions(rows: Ints) -> Ints:
    """Return the place in conditions.csv of rows of the catalogue."""
    return _POSITIONS[rows]


def read_care(text: str) -> Care:
    """Read care.toml.

    Raises:
        ValueError: A key is unknown or a value wrong, a source is not named, a treatment is surgical and
            at a role that does not operate, its code is no procedure and no drug, or a drug has no dose.
        KeyError: A code, condition, group or role is not known.
    """
    file = _File.model_validate(tomllib.loads(text))
    for each in file.treatment:
        domain = CATALOGUE[CATALOGUE.row(each.code)].domain
        if domain not in {Domain.PROCEDURE, Domain.DRUG}:
            raise ValueError(f"care.toml, {each.code}: a treatment is a procedure or a drug, not {domain}")
        if domain is Domain.DRUG and each.dose is None:
            raise ValueError(f"care.toml, {each.code}: a drug needs a dose")
        if each.surgical and {"POI", "R1"} & set(each.roles):
            raise ValueError(f"care.toml, {each.code}: nobody operates before Role 2")
        if bool(each.follows) == bool(each.clauses):
            raise ValueError(f"care.toml, {each.code}: needs either 'for' or 'follows'")
        if each.times > 1 and each.every_h < 1:
            raise ValueError(f"care.toml, {each.code}: what is repeated needs every_h")
    named = {each.source for each in file.treatment} | {each.source for each in file.allergies.values()}
    named |= {file.diagnosis.source, file.severity.source, file.measured.source}
    if missing := named - file.sources.keys():
        raise ValueError(f"care.toml: [sources] lacks {', '.join(sorted(missing))}")
    return Care(file)


def _chances(clauses: Sequence[_Clause]) -> Floats:
    """Return the chance of a treatment by case; of clauses that both fit, the later one counts."""
    chances = np.zeros((len(CONDITIONS.all), len(Region), _AIS))
    for clause in clauses:
        regions = [Region[name.upper()] for name in clause.regions] or list(Region)
        mine = np.flatnonzero(_belongs(clause.groups, clause.conditions, any_else=True))
        low, high = clause.ais
        for region in regions:
            chances[mine, region, low - 1 : high] = clause.chance
    return chances.ravel()


def _belongs(groups: Sequence[str], conditions: Sequence[str], *, any_else: bool = False) -> Bools:
    for group in groups:
        if group not in CONDITIONS.groups:
            raise KeyError(f"care.toml: conditions.csv has no group {group!r}")
    rows = {CATALOGUE.row(key) for key in conditions}
    everything = any_else and not groups and not conditions
    return np.array([everything or each.group in groups or each.row in rows for each in CONDITIONS.all])


def _parts(file: _File) -> Floats:
    table = np.zeros((len(CONDITIONS.all), len(Region), _AIS, len(PARTS)))
    severity = np.asarray([file.severity.blood if part == "blood" else file.severity.ais for part in PARTS])
    for place, each in enumerate(CONDITIONS.all):
        body = file.body[each.group]
        own = file.condition.get(each.key, body.parts)
        for region in Region:
            for part, worst in {**own, **body.inside.get(region.name.lower(), {})}.items():
                table[place, region, :, PARTS.index(part)] = worst * severity[PARTS.index(part)]
    return table.reshape(-1, len(PARTS))


_POSITIONS: Ints = np.full(len(CATALOGUE), NONE, dtype=np.int64)
_POSITIONS[CONDITIONS.rows] = np.arange(len(CONDITIONS.rows))

CARE = read_care(data_text("care.toml"))
