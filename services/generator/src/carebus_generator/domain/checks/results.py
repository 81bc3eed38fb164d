"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Rule:
    """A rule without exception: how often it was looked at, and how often it was broken."""

    name: str
    says: str
    """What holds, in words."""
    seen: int = 0
    broken: int = 0
    first: int | None = None
    """Index of the first patient who breaks it; None when nobody does, or when it is about totals."""

    @property
    def holds(self) -> bool:
        """Whether nobody breaks it."""
        return self.broken == 0

    def add(self, other: Rule) -> None:
        """Take in what was found among other patients."""
        self.seen += other.seen
        self.broken += other.broken
        known = [index for index in (self.first, other.first) if index is not None]
        self.first = min(known, default=None)


@dataclass(frozen=True, slots=True)
class Band:
    """A statistic and where it should lie."""

    name: str
    says: str
    low: float
    high: float
    source: str
    """Where the band comes from."""
    value: float | None
    """None when too few patients tell."""
    seen: int
    """Patients, or rows, that it is about."""
    unit: str = ""
    why: str = ""
    """Why the band is another than the usual one in this scenario."""

    @property
    def tells(self) -> bool:
        """Whether there were enough patients."""
        return self.value is not None

    @property
    def holds(self) -> bool:
        """Whether it lies in its band; of too few patients nothing is said."""
        return self.value is None or self.low <= self.value <= self.high


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two statistics of which the one should be less than the other, whatever the scenario."""

    name: str
    says: str
    less: float | None
    """None when too few patients tell; as ``more``."""
    more: float | None
    source: str

    @property
    def tells(self) -> bool:
        """Whether there were enough patients."""
        return self.less is not None and self.more is not None

    @property
    def holds(self) -> bool:
        """Whether it is so; of too few patients nothing is said."""
        return self.less is None or self.more is None or self.less < self.more


@dataclass(frozen=True, slots=True)
class Reported:
    """A statistic that is told and not judged."""

    name: str
    says: str
    value: float | None
    source: str
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Findings:
    """All that was found about one data set."""

    scenario: str
    scenario_hash: str
    seed: int
    mode: str
    total: int
    """Patients of the data set."""
    checked: int
    """Patients that were looked at."""
    rules: tuple[Rule, ...] = ()
    bands: tuple[Band, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    reported: tuple[Reported, ...] = ()

    @property
    def rules_hold(self) -> bool:
        """Whether no rule is broken."""
        return all(rule.holds for rule in self.rules)

    @property
    def told(self) -> tuple[Band | Comparison, ...]:
        """Return the statistics of which there is something to say."""
        judged: list[Band | Comparison] = [*self.bands, *self.comparisons]
        return tuple(one for one in judged if one.tells)

    @property
    def band_share(self) -> float:
        """Share of the statistics that lie where they should, of those that tell; 1 when none does."""
        told = self.told
        return sum(one.holds for one in told) / len(told) if told else 1.0
