"""Counts over chunks of patients, from which statistics are made; memory does not grow with the patients."""

from __future__ import annotations

import numpy as np

from carebus_generator.domain.checks.vital_signs import shock_indices
from carebus_generator.domain.cohort import NEVER, Cohort, Kind, Mechanism, Outcome, Region, Role, Triage
from carebus_generator.domain.draws import Bools, Ints

KINDS, OUTCOMES, TRIAGES = len(Kind), len(Outcome), len(Triage) + 1
MINUTE, HOUR_S, DAY_S, HOURS, YEAR_DAYS = 60, 3600, 86_400, 24, 365.2425
LONGEST_MIN = 7 * 24 * 60
"""Delays are told by the minute up to a week; longer ones count as a week."""
HIGHEST_ISS = 75
MAX_AGE = 120


class Histogram:
    """Counts of whole numbers from 0 to a greatest one."""

    def __init__(self, greatest: int) -> None:
        self.counts: Ints = np.zeros(greatest + 1, dtype=np.int64)

    def see(self, values: Ints) -> None:
        """Count values; greater ones as the greatest, smaller ones as 0."""
        clipped = np.clip(values, 0, len(self.counts) - 1)
        self.counts += np.bincount(clipped, minlength=len(self.counts))

    @property
    def seen(self) -> int:
        """How many values there were."""
        return int(self.counts.sum())

    @property
    def mean(self) -> float:
        """Mean of the values."""
        return float(self.counts @ np.arange(len(self.counts)) / self.seen)

    def quantile(self, share: float) -> float:
        """Return the value below or at which that share lies."""
        return float(np.searchsorted(np.cumsum(self.counts), share * self.seen))

    def share_up_to(self, value: int) -> float:
        """Return the share of values that are no greater."""
        return float(self.counts[: value + 1].sum() / self.seen)


class Tally:
    """What is counted of a data set."""

    def __init__(self, *, warfares: int, specials: int, bloods: int) -> None:
        """Begin to count.

        Args:
            warfares: Rows of the warfare types' reference data; special events are counted after them.
            specials: Special events of the scenario.
            bloods: Rows of the blood groups' reference data.
        """
        self.warfares = warfares
        causes = warfares + specials
        self.patients = 0
        self.outcomes = np.zeros((KINDS, TRIAGES, OUTCOMES), dtype=np.int64)
        self.triage = np.zeros((causes, KINDS, TRIAGES), dtype=np.int64)
        self.mechanisms = np.zeros((causes, len(Mechanism)), dtype=np.int64)
        """Of battle casualties."""
        self.regions = np.zeros(len(Region), dtype=np.int64)
        """Wounds of battle casualties."""
        self.sexes = np.zeros(2, dtype=np.int64)
        """Men, women."""
        self.bloods = np.zeros(bloods, dtype=np.int64)
        self.hours = np.zeros((warfares, HOURS), dtype=np.int64)
        """Battle casualties of warfare types by hour of the day."""
        self.together = np.zeros(causes)
        """Battle casualties, each weighted by how many its event has."""
        self.mass_casualty = 0
        self.iss_by_triage = {triage: Histogram(HIGHEST_ISS) for triage in Triage}
        """Of battle casualties."""
        self.shock = {triage: [0, 0.0] for triage in Triage}
        """Number and sum of first shock indices, of the injured, by triage on arrival at their first facility."""
        self.iss = {dead: Histogram(HIGHEST_ISS) for dead in (False, True)}
        """Of battle casualties, by whether they died."""
        self.ages = Histogram(MAX_AGE)
        self.killed_after_min = Histogram(LONGEST_MIN)
        self.first_facility_min = {triage: Histogram(LONGEST_MIN) for triage in Triage}
        self.first_aid_min = Histogram(LONGEST_MIN)
        self.surgery_min = Histogram(LONGEST_MIN)
        """To Role 2 or above, of T1 who got there."""
        self.before_facility = self.deaths = 0
        """Deaths of battle casualties."""
        self.back_in_72h = self.wounded = self.light = self.light_back = 0
        """Battle casualties who were not killed; those in T3; each with those back at duty within 72 hours."""
        self.no_first_aid = 0

    def see(self, cohort: Cohort, base_day: int) -> None:
        """Count a chunk; ``base_day`` is the scenario's, since 1970-01-01."""
        p, i, c = cohort.patients, cohort.injuries, cohort.courses
        self.patients += len(cohort)
        battle: Bools = p.kind == Kind.BATTLE
        dead: Bools = c.outcome <= Outcome.DIED
        _count(self.outcomes, p.kind, i.triage, c.outcome)
        warfare = np.where(p.special >= 0, self.warfares + p.special, p.warfare)
        _count(self.triage, warfare, p.kind, i.triage)
        _count(self.mechanisms, warfare[battle], i.mechanism[battle])
        self.regions += np.bincount(
            cohort.wounds.region[battle[cohort.wounds.patient]], minlength=len(self.regions)
        )
        _count(self.sexes, p.female.astype(np.int64))
        _count(self.bloods, p.blood)
        fighting = battle & (p.special < 0)
        _count(self.hours, p.warfare[fighting], p.injured_s[fighting] // HOUR_S % HOURS)
        self.together += np.bincount(
            warfare[battle], weights=p.event_size[battle], minlength=len(self.together)
        )
        self.mass_casualty += int(p.mass_casualty.sum())
        for triage, histogram in self.iss_by_triage.items():
            histogram.see(i.iss[battle & (i.triage == triage)])
        for died, histogram in self.iss.items():
            histogram.see(i.iss[battle & (dead == died)])
        self.ages.see(((base_day + p.injured_s // DAY_S - p.birth_day) / YEAR_DAYS).astype(np.int64))
        killed = c.outcome == Outcome.KIA
        self.killed_after_min.see((c.died_s - p.injured_s)[killed] // MINUTE)
        self._see_ways(cohort, battle)
        self.deaths += int((battle & dead).sum())
        self.before_facility += int(killed.sum())
        wounded = battle & ~killed
        back = wounded & (c.outcome == Outcome.RTD) & (c.ended_s - p.injured_s <= 72 * 3600)
        light = wounded & (i.triage == Triage.T3)
        self.wounded += int(wounded.sum())
        self.back_in_72h += int(back.sum())
        self.light += int(light.sum())
        self.light_back += int((light & back).sum())
        aided = c.first_aid_s != NEVER
        self.first_aid_min.see(((c.first_aid_s - p.injured_s)[battle & aided]) // MINUTE)
        self.no_first_aid += int((battle & ~aided).sum())

        self._see_shock(cohort)

    def _see_shock(self, cohort: Cohort) -> None:
        s = cohort.stays
        patient, index = shock_indices(cohort)
        first = np.zeros(len(cohort), dtype=np.int64)
        rows = np.flatnonzero(np.diff(s.patient, prepend=-1) != 0)
        first[s.patient[rows]] = s.triage[rows]
        triage = np.where(cohort.patients.kind[patient] == Kind.DISEASE, 0, first[patient])
        for category, found in self.shock.items():
            mine = triage == category
            found[0] += int(mine.sum())
            found[1] += float(index[mine].sum())

    def _see_ways(self, cohort: Cohort, battle: Bools) -> None:
        p, s = cohort.patients, cohort.stays
        delay = (s.arrived_s - p.injured_s[s.patient]) // MINUTE
        triage = cohort.injuries.triage[s.patient]
        first = (np.diff(s.patient, prepend=-1) != 0) & battle[s.patient]
        for category, histogram in self.first_facility_min.items():
            histogram.see(delay[first & (triage == category)])
        surgical = (s.role >= Role.R2) & battle[s.patient] & (triage == Triage.T1)
        _, earliest = np.unique(s.patient[surgical], return_index=True)
        self.surgery_min.see(delay[surgical][earliest])


def _count(table: Ints, *rows: Ints) -> None:
    # What is not possible is for the rules to tell, not to stop at.
    flat = np.ravel_multi_index(rows, table.shape, mode="clip")
    table += np.bincount(flat, minlength=table.size).reshape(table.shape)
