"""Scenarios: what is to happen, as people write it in TOML or JSON; checked strictly, never written.

A scenario is a value: two with the same content have the same digest, whatever the file's layout.
"""

from __future__ import annotations

import json
import tomllib
from datetime import date, time
from hashlib import sha256
from importlib.resources import files
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from carebus_contracts.errors import InvalidScenario
from carebus_generator.domain.apportioning import apportion
from carebus_generator.domain.draws import Ints
from carebus_generator.domain.faults import choices, sentences, sum_fault
from carebus_generator.domain.reference import (
    ENVIRONMENTS,
    INTENSITIES,
    KINDS,
    NATION_CODES,
    SPECIAL_KINDS,
    TEMPOS,
    WARFARE,
    names,
)

MOST_PATIENTS = 1_000_000_000
"""More have no use, and whole numbers stay exact in all sums up to here."""
MOST_IN_CAPACITY_MODE = 100_000
"""Queues couple all patients, so this mode holds all of them in memory (ADR 0021)."""
MOST_BYTES = 1_000_000
"""Of a scenario file; a real one has three thousand."""

Share = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]

MOST_WEIGHT = 1_000_000
"""Of warfare types and days: only their proportions count, and sums of greater ones lose small ones."""
MOST_KM = 20_000
"""Half way round the earth."""


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("has line ends or other characters that cannot be printed")
    return text


Place = Annotated[str, Field(min_length=1, max_length=60), AfterValidator(_printable)]
Posture = Literal["permissive", "contested", "denied"]
Mode = Literal["independent", "capacity"]
Service = Literal["combat", "mixed", "support"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class Mix(_Part):
    """Shares of the kinds of patients; their sum is 1."""

    battle: Share
    non_battle: Share
    disease: Share

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if fault := sum_fault(
            {"battle": self.battle, "non_battle": self.non_battle, "disease": self.disease}
        ):
            raise ValueError(fault)
        return self


class Hospitals(_Part):
    """Facilities of one role at one front; all of them alike."""

    count: int = Field(ge=0, le=1000)
    beds: int = Field(ge=1, le=100_000)
    theatres: int = Field(default=0, ge=0, le=1000, description="Operating theatres; Role 2 and 3.")


class Vehicles(_Part):
    """Vehicles of one front."""

    ground: int = Field(ge=0, le=10_000)
    air: int = Field(ge=0, le=10_000)
    bus: int = Field(ge=0, le=10_000)


class Front(_Part):
    """One front: its share of the patients, whose soldiers they are, and its chain of care."""

    name: Place
    share: Share
    nations: dict[str, Share] = Field(min_length=1)
    environment: tuple[str, ...] | None = Field(default=None, description="In place of the scenario's.")
    r1: Hospitals = Hospitals(count=6, beds=10)
    r2: Hospitals = Hospitals(count=2, beds=40, theatres=2)
    r3: Hospitals = Hospitals(count=1, beds=150, theatres=6)
    role3_at: Place | None = Field(default=None, description="Front whose Role 3 takes this one's patients.")
    vehicles: Vehicles = Vehicles(ground=20, air=2, bus=3)
    km: tuple[float, float, float, float] = Field(
        default=(8.0, 25.0, 60.0, 250.0),
        description="Point of injury to Role 1, and from each role to the next.",
    )
    position: tuple[float, float] | None = Field(
        default=None, description="Latitude and longitude where people are hurt; facilities lie behind it."
    )
    rear: float = Field(
        default=270.0, ge=0, lt=360, description="Degrees from north towards the rear; 270 is west."
    )
    blood_units: int = Field(default=20, ge=0, le=100_000, description="Held by each Role 2.")

    @field_validator("nations")
    @classmethod
    def _known(cls, nations: dict[str, float]) -> dict[str, float]:
        for code in nations:
            choices("nation", code, NATION_CODES)
        if fault := sum_fault(nations):
            raise ValueError(fault)
        return nations

    @field_validator("environment")
    @classmethod
    def _environment(cls, conditions: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if conditions is None else _conditions(conditions)

    @field_validator("km")
    @classmethod
    def _distances(cls, km: tuple[float, ...]) -> tuple[float, ...]:
        if min(km) <= 0:
            raise ValueError("each distance must be above 0 km")
        if max(km) > MOST_KM:
            raise ValueError(f"each distance must be at most {MOST_KM:,} km")
        return km

    @field_validator("position")
    @classmethod
    def _on_earth(cls, position: tuple[float, float] | None) -> tuple[float, float] | None:
        # Nearer to a pole there is no east and west to lay facilities out by.
        if position is not None and (abs(position[0]) > 85 or abs(position[1]) > 180):
            raise ValueError("latitude must be from -85 to 85, longitude from -180 to 180")
        return position

    @model_validator(mode="after")
    def _chain(self) -> Self:
        if not self.r1.count or not self.r2.count:
            raise ValueError("r1 and r2 need a count of at least 1")
        if not self.r3.count and self.role3_at is None:
            raise ValueError("has no Role 3: say in role3_at which front's Role 3 takes its patients")
        return self


class SpecialEvent(_Part):
    """Something that happens at a given day and hour."""

    kind: str
    day: int = Field(ge=1, description="Counted from 1.")
    start_hour: int = Field(ge=0, le=23)
    hours: int | None = Field(default=None, ge=1, le=24, description="The kind's own if left out.")
    share: float | None = Field(default=None, gt=0, le=1, description="Of the patients of its day.")
    size: int | None = Field(default=None, ge=1, description="Patients; in place of a share.")
    patients: Literal["battle", "non_battle", "disease"] = Field(
        default="battle", description="All of one kind."
    )
    front: Place | None = Field(
        default=None, description="The largest, or all for an offensive, if left out."
    )

    @field_validator("kind")
    @classmethod
    def _known(cls, kind: str) -> str:
        return choices("special event", kind, names(SPECIAL_KINDS))

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.share is not None and self.size is not None:
            raise ValueError("give a share or a size, not both")
        if self.start_hour + self.duration_h > 24:
            raise ValueError(f"starts at {self.start_hour} and lasts {self.duration_h} hours, beyond its day")
        return self

    @property
    def row(self) -> int:
        """Return the row of its kind in the reference data."""
        return names(SPECIAL_KINDS).index(self.kind)

    @property
    def duration_h(self) -> int:
        """Return how many hours it lasts."""
        return self.hours if self.hours is not None else SPECIAL_KINDS[self.row].hours


class Targets(_Part):
    """Outcome rates to aim at, in place of the model's own; all are shares of those named first."""

    killed_in_action: float | None = Field(default=None, ge=0, le=0.9, description="Of battle casualties.")
    died_of_wounds: float | None = Field(
        default=None, ge=0, le=0.9, description="Of wounded who reach a facility."
    )
    died_of_injury: float | None = Field(default=None, ge=0, le=0.9, description="Of non-battle injuries.")
    died_of_disease: float | None = Field(default=None, ge=0, le=0.9, description="Of diseases.")
    returned_to_duty: float | None = Field(
        default=None, ge=0, le=0.9, description="Of wounded, within 72 hours."
    )


class TriageShares(_Part):
    """Shares of T1, T2 and T3 at the point of injury, in place of the warfare types' own."""

    battle: tuple[Share, Share, Share] | None = None
    non_battle: tuple[Share, Share, Share] | None = None
    disease: tuple[Share, Share, Share] | None = None

    @field_validator("battle", "non_battle", "disease")
    @classmethod
    def _whole(cls, shares: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if shares and (fault := sum_fault(dict(zip(("T1", "T2", "T3"), shares, strict=True)))):
            raise ValueError(fault)
        return shares


class Scenario(_Part):
    """What is to happen."""

    name: Name = "unnamed"
    description: str = Field(default="", max_length=2000)
    total: int = Field(ge=1, le=MOST_PATIENTS, description="Patients, exactly.")
    days: int = Field(ge=1, le=366)
    base_date: date = Field(ge=date(1990, 1, 1), le=date(2099, 12, 31), description="The first day.")
    mode: Mode = "independent"
    posture: Posture = "contested"
    """How freely casualties can be evacuated."""
    service: Service = "combat"
    """What the forces do; men's share follows from it."""
    intensity: str = "medium"
    tempo: str | tuple[float, ...] = "sustained"
    environment: tuple[str, ...] = ()
    mix: Mix
    warfare: dict[str, float] = Field(description="Types and weights, or a list of types.")
    fronts: tuple[Front, ...] = Field(
        default=(Front(name="Front", share=1.0, nations={"XXX": 1.0}),), min_length=1, max_length=8
    )
    special_events: tuple[SpecialEvent, ...] = Field(default=(), max_length=100)
    male: dict[str, float] = Field(
        default={}, description="Share of men by nation, in place of the service's."
    )
    triage: TriageShares = TriageShares()
    targets: Targets = Targets()

    @field_validator("warfare", mode="before")
    @classmethod
    def _weights(cls, given: object) -> object:
        """Accept a list of types; they have the weights of the reference data."""
        if isinstance(given, list) and all(isinstance(name, str) for name in given):
            weights = {row.name: row.weight for row in WARFARE}
            return {choices("warfare type", name, names(WARFARE)): weights[name] for name in given}
        return given

    @field_validator("warfare")
    @classmethod
    def _warfare(cls, weights: dict[str, float]) -> dict[str, float]:
        if not weights:
            raise ValueError(f"names no type; there are {', '.join(names(WARFARE))}")
        for name, weight in weights.items():
            choices("warfare type", name, names(WARFARE))
            if weight <= 0:
                raise ValueError(f"{name} has weight {weight:g}, must be above 0 (or leave it out)")
            if weight > MOST_WEIGHT:
                raise ValueError(f"{name} has weight {weight:g}, must be at most {MOST_WEIGHT:,}")
        return weights

    @field_validator("intensity")
    @classmethod
    def _intensity(cls, name: str) -> str:
        return choices("intensity", name, names(INTENSITIES))

    @field_validator("tempo")
    @classmethod
    def _tempo(cls, tempo: str | tuple[float, ...]) -> str | tuple[float, ...]:
        if isinstance(tempo, str):
            return choices("tempo", tempo, names(TEMPOS))
        if not tempo or min(tempo) < 0 or sum(tempo) <= 0:
            raise ValueError("weights must not be negative, and one must be above 0")
        if max(tempo) > MOST_WEIGHT:
            raise ValueError(f"weights must be at most {MOST_WEIGHT:,}")
        return tempo

    @field_validator("environment")
    @classmethod
    def _environment(cls, conditions: tuple[str, ...]) -> tuple[str, ...]:
        return _conditions(conditions)

    @field_validator("male")
    @classmethod
    def _male(cls, shares: dict[str, float]) -> dict[str, float]:
        for code, share in shares.items():
            choices("nation", code, NATION_CODES)
            if not 0 <= share <= 1:
                raise ValueError(f"{code} has {share:g}, must be from 0 to 1")
        return shares

    @field_validator("fronts")
    @classmethod
    def _fronts(cls, fronts: tuple[Front, ...]) -> tuple[Front, ...]:
        found = [front.name for front in fronts]
        if len(set(found)) < len(found):
            raise ValueError("two fronts have one name")
        if fault := sum_fault({front.name: front.share for front in fronts}):
            raise ValueError(fault)
        with_role3 = tuple(front.name for front in fronts if front.r3.count)
        for front in fronts:
            if front.role3_at is not None:
                choices("front with a Role 3", front.role3_at, with_role3)
        return fronts

    @model_validator(mode="after")
    def _feasible(self) -> Self:
        for fault in _faults_between(self):
            raise ValueError(fault)
        return self

    def by_day(self) -> Ints:
        """Return the patients of each day."""
        return apportion(self.total, _day_weights(self.tempo, self.days))

    def by_front(self) -> Ints:
        """Return the patients of each front."""
        return apportion(self.total, [front.share for front in self.fronts])

    def by_kind(self) -> Ints:
        """Return the patients of each kind."""
        return apportion(self.total, (self.mix.battle, self.mix.non_battle, self.mix.disease))

    def special_sizes(self) -> list[int]:
        """Return the patients of each special event."""
        by_day = self.by_day()
        return [
            event.size if event.size is not None else int(_share(event) * int(by_day[event.day - 1]) + 0.5)
            for event in self.special_events
        ]

    def front_of(self, event: SpecialEvent) -> int | None:
        """Return the row of the front that a special event hits, or None for all of them."""
        if event.front is not None:
            return [front.name for front in self.fronts].index(event.front)
        if SPECIAL_KINDS[event.row].local:
            return int(np.argmax([front.share for front in self.fronts]))
        return None

    def digest(self) -> str:
        """Return the SHA-256 of the content, in hexadecimal."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return sha256(text.encode()).hexdigest()


def read_scenario(text: str | bytes, name: str) -> Scenario:
    """Read a scenario of TOML or JSON; it is JSON when it begins with a brace.

    Args:
        text: The file's content.
        name: What errors call it.

    Raises:
        InvalidScenario: With one sentence a fault.
    """
    if len(text) > MOST_BYTES:
        raise InvalidScenario(name, (f"the file is larger than {MOST_BYTES:,} bytes",))
    try:
        text = text.decode("utf-8-sig") if isinstance(text, bytes) else text
        content = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
        # Strict reading of dates and lists is that of JSON, for both languages alike.
        return Scenario.model_validate_json(json.dumps(content, default=_written))
    except (UnicodeDecodeError, json.JSONDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidScenario(name, (f"is neither TOML nor JSON: {error}",)) from error
    except ValidationError as error:
        raise InvalidScenario(name, sentences(error.errors())) from error
    except ValueError as error:
        # Python's own limit on the digits of a number, in both languages.
        raise InvalidScenario(name, ("a number has thousands of digits",)) from error


def preset_names() -> tuple[str, ...]:
    """Return the names of the scenarios that come with the generator."""
    folder = files("carebus_generator") / "data" / "presets"
    return tuple(sorted(path.name.removesuffix(".toml") for path in folder.iterdir()))


def preset(name: str) -> Scenario:
    """Return a scenario that comes with the generator.

    Raises:
        InvalidScenario: There is none of that name; says which there are.
    """
    if name not in preset_names():
        raise InvalidScenario(name, (f"there is no such preset; there are {', '.join(preset_names())}",))
    path = files("carebus_generator") / "data" / "presets" / f"{name}.toml"
    return read_scenario(path.read_bytes(), name)


def _conditions(given: tuple[str, ...]) -> tuple[str, ...]:
    for condition in given:
        choices("environment", condition, names(ENVIRONMENTS))
    if len(set(given)) < len(given):
        raise ValueError("a condition is named twice")
    return given


def _share(event: SpecialEvent) -> float:
    return event.share if event.share is not None else SPECIAL_KINDS[event.row].share


def _day_weights(tempo: str | tuple[float, ...], days: int) -> list[float]:
    if not isinstance(tempo, str):
        return list(tempo)
    row = TEMPOS[names(TEMPOS).index(tempo)]
    if row.repeats:
        return [row.weights[day % len(row.weights)] for day in range(days)]
    line = np.arange(len(row.weights))
    return [float(weight) for weight in np.interp(np.linspace(0, line[-1], days), line, row.weights)]


def _faults_between(scenario: Scenario) -> list[str]:
    """Return what is wrong between parts that are right by themselves."""
    faults = []
    if not isinstance(scenario.tempo, str) and len(scenario.tempo) != scenario.days:
        return [
            f"tempo: has {len(scenario.tempo)} weights, must have one for each of the {scenario.days} days"
        ]
    if scenario.mode == "capacity" and scenario.total > MOST_IN_CAPACITY_MODE:
        faults.append(
            f"mode: capacity takes up to {MOST_IN_CAPACITY_MODE:,} patients, total is {scenario.total:,};"
            " use independent"
        )
    fronts = tuple(front.name for front in scenario.fronts)
    for place, event in enumerate(scenario.special_events):
        if event.day > scenario.days:
            faults.append(
                f"special_events[{place}].day: is {event.day}, the scenario has {scenario.days} days"
            )
        elif event.front is not None and event.front not in fronts:
            faults.append(
                f"special_events[{place}].front: there is no front {event.front!r}; there are {', '.join(fronts)}"
            )
    return faults or _crowded(scenario)


def _crowded(scenario: Scenario) -> list[str]:
    """Return the days, fronts and kinds that special events take more patients of than there are."""
    by_day, by_front, by_kind = scenario.by_day(), scenario.by_front(), scenario.by_kind()
    on_day, at_front, of_kind = np.zeros_like(by_day), np.zeros_like(by_front), np.zeros_like(by_kind)
    for event, size in zip(scenario.special_events, scenario.special_sizes(), strict=True):
        on_day[event.day - 1] += size
        of_kind[KINDS.index(event.patients)] += size
        front = scenario.front_of(event)
        if front is not None:
            at_front[front] += size
    faults = [
        f"special_events: those of day {day + 1} take {on_day[day]:,} patients, the day has {by_day[day]:,}"
        for day in np.flatnonzero(on_day > by_day)
    ]
    faults += [
        f"special_events: those at {scenario.fronts[front].name} take {at_front[front]:,} patients, the front"
        f" has {by_front[front]:,}"
        for front in np.flatnonzero(at_front > by_front)
    ]
    faults += [
        f"special_events: they take {of_kind[kind]:,} {KINDS[kind]} patients, the mix has {by_kind[kind]:,}"
        for kind in np.flatnonzero(of_kind > by_kind)
    ]
    return faults


def _written(value: object) -> str:
    if isinstance(value, date | time):
        return value.isoformat()
    raise TypeError(f"a value of type {type(value).__name__} has no place in a scenario")
