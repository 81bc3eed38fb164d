"""Injuries and illnesses: what did it, how bad it is, and the wounds; before any care.

The triage tables of the warfare types rule; the mechanism follows the way of fighting, and the severity
the triage. A patient's ``severity`` is one uniform number: within a triage category the worst injured are
those who die, but for some luck (``flow``), and have wounds that kill.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from carebus_generator.domain.catalogue import CATALOGUE, data_text
from carebus_generator.domain.cohort import NONE, Injuries, Kind, Mechanism, Patients, Region, Triage, Wounds
from carebus_generator.domain.conditions import CONDITIONS
from carebus_generator.domain.draws import Draws, Floats, Ints, cumulative, pick, pick_by
from carebus_generator.domain.environment import HAZARDS, EnvironmentTables, environment_tables, where
from carebus_generator.domain.reference import KINDS, SPECIAL_KINDS, WARFARE
from carebus_generator.domain.scenario import Scenario
from carebus_generator.domain.timeline import Timeline

if TYPE_CHECKING:
    from carebus_generator.domain.model import Model

_HAZARD_MECHANISM = np.array(
    [Mechanism.ENVIRONMENT, Mechanism.ENVIRONMENT, Mechanism.FALL, Mechanism.CRUSH], dtype=np.int64
)
"""Of each of ``HAZARDS``."""
_WHOLE_BODY = np.isin(
    np.arange(len(Mechanism)),
    (Mechanism.BURN, Mechanism.ENVIRONMENT, Mechanism.TOXIC, Mechanism.ILLNESS, Mechanism.DROWNING),
)
"""Mechanisms that do not hit one region."""
_LIMB_MOST = 4
"""AIS of a wound of one limb; more needs head or trunk."""
_UNSURVIVABLE, _UNSURVIVABLE_ISS = 6, 75


@dataclass(frozen=True, slots=True)
class InjuryTables:
    """Weights of a scenario. A group is a warfare type, or after these a kind of special event."""

    groups: int
    special_group: Ints
    """Group of each of the scenario's special events; at the end that of none."""
    triage: Floats
    """(kinds · groups) × T1 to T4."""
    mechanism: Floats
    """(kinds · groups) × mechanisms."""
    region: Floats
    """Kinds × regions."""
    severe_region: Floats
    """Rising shares of regions, for single injuries without the enemy's doing that are too severe for a limb."""
    severity: Floats
    """(kinds · triage) × AIS 1 to 6 of the worst wound, of those who are to live."""
    fatal: Floats
    """Kinds × AIS 1 to 6, of those who are to die."""
    others: Floats
    """AIS of the worst wound × that of the others."""
    wounds: Floats
    """Mechanisms × number of wounds."""
    environment: EnvironmentTables

    def group(self, patients: Patients) -> Ints:
        """Return the row of the tables of kinds and groups for each patient."""
        chosen = np.where(patients.special == NONE, patients.warfare, self.special_group[patients.special])
        rows: Ints = patients.kind * self.groups + chosen
        return rows

    def expected(self, timeline: Timeline) -> Floats:
        """Return the expected patients of a timeline by kind and triage (T1 to T4)."""
        chosen = np.where(timeline.special == NONE, timeline.warfare, self.special_group[timeline.special])
        rows = timeline.cells.kind * self.groups + chosen
        counts = np.bincount(rows, weights=timeline.cells.patients, minlength=len(self.triage))
        by_kind: Floats = (counts[:, None] * self.triage).reshape(len(Kind), self.groups, -1).sum(axis=1)
        return by_kind


def injury_tables(scenario: Scenario) -> InjuryTables:
    """Return the tables of a scenario: reference data, and what the scenario puts in their place."""
    triage = [row.triage for row in WARFARE] + [row.triage for row in SPECIAL_KINDS]
    names = [row.name for row in WARFARE] + ["special"] * len(SPECIAL_KINDS)
    regions = _DATA["regions"]
    overrides = (scenario.triage.battle, scenario.triage.non_battle, scenario.triage.disease)
    wounds = [_DATA["wounds"].get(each.name.lower(), _DATA["wounds"]["other"]) for each in Mechanism]
    return InjuryTables(
        groups=len(names),
        special_group=np.array([len(WARFARE) + each.row for each in scenario.special_events] + [0]),
        triage=np.array(
            [_with_expectant(overrides[kind] or shares[kind], kind) for kind in Kind for shares in triage]
        ),
        mechanism=np.array(
            [
                _weights(Mechanism, _DATA[KINDS[kind]].get(name) or _DATA[KINDS[kind]]["default"])
                for kind in Kind
                for name in names
            ]
        ),
        region=np.array([_weights(Region, regions[kind]) for kind in ("battle", "non_battle", "non_battle")]),
        severe_region=cumulative(_weights(Region, regions["non_battle_severe"])),
        severity=np.concatenate([_DATA["severity"][kind] for kind in KINDS]),
        fatal=np.array([_DATA["severity"]["fatal"][kind] for kind in KINDS]),
        others=np.array(_DATA["severity"]["of_others"]["by_worst"]),
        wounds=np.array([[*shares, *[0.0] * (_MOST_WOUNDS - len(shares))] for shares in wounds]),
        environment=environment_tables(scenario),
    )


def severity(draws: Draws) -> Floats:
    """Return how bad it is within the triage category, from 0 (lightest) to 1."""
    return draws.uniform("injuries.severity")


def injuries(model: Model, draws: Draws, patients: Patients) -> tuple[Injuries, Wounds]:
    """Return what happened to some patients.

    Args:
        model: Its injury tables.
        draws: Of the patients' indices.
        patients: One row an index of the draws.
    """
    tables = model.injury_tables
    group = tables.group(patients)
    triage = pick_by(draws.uniform("injuries.triage"), group, tables.triage) + 1
    mechanism, hazard = _mechanisms(tables, draws, patients, group)
    worst = _worst(model, draws, patients, triage)
    wounds = _wounds(tables, draws, patients, mechanism=mechanism, worst=worst)
    condition = _conditions(draws, patients, wounds, mechanism, hazard)
    iss = np.where(patients.kind == Kind.DISEASE, 0, injury_severity_scores(wounds, len(patients.index)))
    return (
        Injuries(mechanism=mechanism, triage=triage, iss=iss),
        Wounds(patient=wounds.patient, condition=condition, region=wounds.region, ais=wounds.ais),
    )


def injury_severity_scores(wounds: Wounds, patients: int) -> Ints:
    """Return the injury severity score of each patient, from the wounds' AIS.

    The sum of the squares of the highest AIS in the three worst of the body's regions; 75 with any AIS
    of 6. Both arms and legs are one region, and the whole body (burns) stands for the external one; the
    face counts with head and neck, as wounds here do not tell it apart.

    Source:
        S. P. Baker et al., "The injury severity score", J Trauma 14 (1974) 187-196.
    """
    region = np.where(wounds.region == Region.LIMB_LOWER, Region.LIMB_UPPER, wounds.region)
    highest = np.zeros((patients, len(Region)), dtype=np.int64)
    np.maximum.at(highest.reshape(-1), wounds.patient * len(Region) + region, wounds.ais)
    squares = np.sort(highest, axis=1)[:, -3:] ** 2
    scores: Ints = np.where(highest.max(axis=1) == _UNSURVIVABLE, _UNSURVIVABLE_ISS, squares.sum(axis=1))
    return scores


def _worst(model: Model, draws: Draws, patients: Patients, triage: Ints) -> Ints:
    """Return the AIS of the worst wound: a fatal one for as many of each category as will die.

    They are the worst of the category, so mostly those who do die; how many is known beforehand.
    """
    tables, kind = model.injury_tables, patients.kind
    dead = model.flow_tables.outcomes.dead[kind, triage - 1]
    how_bad = severity(draws)
    among_dead = (how_bad - (1 - dead)) / np.maximum(dead, 1e-9)
    # Special events hurt worse than their triage tells.
    among_living = 1 - (1 - how_bad / np.maximum(1 - dead, 1e-9)) / model.severity[patients.special]
    living = pick_by(among_living, kind * len(Triage) + triage - 1, tables.severity)
    worst: Ints = np.where(among_dead >= 0, pick_by(among_dead, kind, tables.fatal), living) + 1
    return worst


def _mechanisms(tables: InjuryTables, draws: Draws, patients: Patients, group: Ints) -> tuple[Ints, Ints]:
    """Return what did it, and the row of ``HAZARDS`` where it was the surroundings, else NONE."""
    mechanism = pick_by(draws.uniform("injuries.mechanism"), group, tables.mechanism)
    non_battle = patients.kind == Kind.NON_BATTLE
    # Many at once, and no enemy: a building came down, or a crowd ran.
    mechanism[non_battle & patients.mass_casualty] = Mechanism.CRUSH
    shares = np.cumsum(tables.environment.hazard[where(patients)], axis=1)
    hazard: Ints = (draws.uniform("injuries.hazard")[:, None] >= shares).sum(axis=1)
    hit = non_battle & ~patients.mass_casualty & (hazard < len(HAZARDS))
    mechanism[hit] = _HAZARD_MECHANISM[hazard[hit]]
    return mechanism, np.where(hit, hazard, NONE)


def _wounds(
    tables: InjuryTables, draws: Draws, patients: Patients, *, mechanism: Ints, worst: Ints
) -> Wounds:
    """Return wounds with region and AIS, the worst first; conditions are still to come."""
    whole = _WHOLE_BODY[mechanism]
    battle = patients.kind == Kind.BATTLE
    drawn = pick_by(draws.uniform("injuries.wounds"), mechanism, tables.wounds) + 1
    count = np.where(battle & ~whole, drawn, 1)
    owner = np.repeat(np.arange(len(count)), count)
    first = np.cumsum(count) - count
    place = np.arange(len(owner)) - first[owner]
    each = draws.take(owner)
    where_hit = each.uniform("injuries.region", place)
    region = pick_by(where_hit, patients.kind[owner], tables.region)
    # What is too severe for a limb is in head or trunk, where one of these is hit.
    severe = worst > _LIMB_MOST
    alone = severe & ~battle
    region[first[alone]] = pick(where_hit[first[alone]], tables.severe_region)
    region[whole[owner]] = Region.WHOLE
    limb = (region == Region.LIMB_UPPER) | (region == Region.LIMB_LOWER)
    leading = np.minimum.reduceat(np.where(limb, len(owner), np.arange(len(owner))), first)
    found = leading < len(owner)
    lead = np.where(severe & found, leading, first)
    capped = np.where(severe & ~found, _LIMB_MOST, worst)
    ais = np.minimum(
        pick_by(each.uniform("injuries.ais", place), capped[owner] - 1, tables.others) + 1,
        np.where(limb, _LIMB_MOST, _UNSURVIVABLE),
    )
    ais[lead] = capped
    order = np.argsort(owner * 8 - ais - (np.arange(len(owner)) == lead[owner]), kind="stable")
    return Wounds(patient=owner, condition=np.full(len(owner), NONE), region=region[order], ais=ais[order])


def _conditions(draws: Draws, patients: Patients, wounds: Wounds, mechanism: Ints, hazard: Ints) -> Ints:
    owner = wounds.patient
    place = np.arange(len(owner)) - np.searchsorted(owner, owner)
    condition = CONDITIONS.pick(
        draws.take(owner).uniform("injuries.condition", place),
        kind=patients.kind[owner],
        mechanism=mechanism[owner],
        region=wounds.region,
        ais=wounds.ais,
        female=patients.female[owner],
    )
    # Heat makes nobody cold, nor cold hot.
    group = CONDITIONS.group[condition]
    hot, cold = (hazard == HAZARDS.index(name) for name in ("heat", "cold"))
    condition[hot[owner] & (group == _COLD)] = CATALOGUE.row("heat_exhaustion")
    condition[cold[owner] & (group == _HEAT)] = CATALOGUE.row("hypothermia")
    return condition


def _with_expectant(shares: Sequence[float], kind: Kind) -> list[float]:
    """Return T1 to T4; expectant are some of the battle casualties that would be T1."""
    immediate, delayed, minimal = shares
    expectant = immediate * _DATA["expectant_of_t1"] if kind == Kind.BATTLE else 0.0
    return [immediate - expectant, delayed, minimal, expectant]


def _weights(members: type[Mechanism] | type[Region], given: Mapping[str, float]) -> list[float]:
    unknown = given.keys() - {member.name.lower() for member in members}
    if unknown:
        raise ValueError(f"injuries.toml: no {members.__name__.lower()} is named {min(unknown)}")
    return [given.get(member.name.lower(), 0.0) for member in members]


_DATA: dict[str, Any] = tomllib.loads(data_text("injuries.toml"))
_MOST_WOUNDS = max(len(shares) for shares in _DATA["wounds"].values())
_HEAT, _COLD = (CONDITIONS.groups.index(name) for name in ("heat", "cold"))
