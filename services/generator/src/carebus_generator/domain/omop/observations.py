"""OBSERVATION: what the exercise knows of a patient, and findings that OMOP keeps there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from carebus_generator.domain.cohort import NONE, Cohort, Kind, Mechanism, Outcome, Region, Triage
from carebus_generator.domain.conditions import CONDITIONS
from carebus_generator.domain.draws import Floats, Ints
from carebus_generator.domain.omop.columns import (
    Coded,
    Days,
    Decimals,
    Labels,
    Moments,
    PersonId,
    PersonIds,
    RecordId,
    Same,
    Table,
    slots,
)
from carebus_generator.domain.omop.events import Events, of_domain
from carebus_generator.domain.omop.surroundings import EHR, Surroundings
from carebus_generator.domain.omop.visits import StayOrder

CONDITION_FIELD = 1147127
"""OMOP's concept of the field ``condition_occurrence.condition_occurrence_id``: what a body region is of."""


@dataclass(frozen=True, slots=True)
class _Part:
    """Observations of one kind; sorted by patient."""

    patient: Ints
    at_s: Ints
    stay: Ints
    code: Ints
    """Row of the catalogue."""
    text: Ints
    """Place in the labels of values, or NONE."""
    number: Floats
    """Or NaN."""
    condition: Ints
    """Slot of the condition that it speaks of, or NONE."""


class _Texts:
    """The values that observations have as text, and where each list of them begins."""

    def __init__(self, **lists: tuple[str, ...]) -> None:
        self.start: dict[str, int] = {}
        self.values: list[str] = []
        for name, texts in lists.items():
            self.start[name] = len(self.values)
            self.values += texts


def observation(
    surroundings: Surroundings, cohort: Cohort, persons: PersonIds, order: StayOrder, events: Events
) -> Table:
    """Return what is in no other column: event, mechanism, ..., triage, regions of wounds, the return to duty."""
    patients, injuries = cohort.patients, cohort.injuries
    event_words, event = np.unique(patients.event, return_inverse=True)
    texts = _Texts(
        triage=tuple(t.name for t in Triage),
        mechanism=tuple(m.name for m in Mechanism),
        warfare=surroundings.warfare,
        special=surroundings.specials,
        front=surroundings.fronts,
        kind=tuple(k.name for k in Kind),
        region=tuple(r.name for r in Region),
        yes=("yes",),
        environment=tuple("+".join(conditions)[:60] for conditions in surroundings.environments),
        posture=(surroundings.posture,),
        event=tuple(f"{word:016x}" for word in event_words.tolist()),
    )
    everyone = np.arange(len(cohort))
    zeros = np.zeros(len(cohort), dtype=np.int64)
    injured = patients.injured_s
    row = surroundings.catalogue.row

    def said(key: str, name: str, value: Ints, who: Ints = everyone) -> _Part:
        return _part(who, injured[who], row(key), text=texts.start[name] + value[who])

    # who came to a facility has a visit of that kind, and a care site of that front
    unseen = np.flatnonzero(~order.has_stay)
    hurt = np.flatnonzero(injuries.mechanism != Mechanism.ILLNESS)
    of_special = np.flatnonzero(patients.special != NONE)
    of_warfare = hurt[patients.warfare[hurt] != NONE]
    exposed = np.array([bool(conditions) for conditions in surroundings.environments])
    injured_bodies = np.flatnonzero(injuries.iss > 0)
    parts = [
        said("event", "event", event.astype(np.int64)),
        said("kind", "kind", patients.kind, unseen),
        said("mechanism", "mechanism", injuries.mechanism, hurt),
        said("warfare", "warfare", patients.warfare, of_warfare),
        said("special_event", "special", patients.special, of_special),
        said("front", "front", patients.front, unseen),
        said("mass_casualty", "yes", zeros, np.flatnonzero(patients.mass_casualty)),
        said("environment", "environment", patients.front, np.flatnonzero(exposed[patients.front])),
        said("posture", "posture", zeros),
        said("triage", "triage", injuries.triage - 1),
        _part(
            injured_bodies,
            injured[injured_bodies],
            row("iss"),
            number=injuries.iss[injured_bodies].astype(float),
        ),
        _triage_on_arrival(cohort, order, row("triage"), texts.start["triage"]),
        _findings(surroundings, cohort),
        _regions(cohort, events, row("body_region"), texts.start["region"]),
        _returns(cohort, row("returned_to_duty"), texts.start["yes"]),
    ]
    return _table(surroundings, cohort, persons, order, parts=parts, texts=texts.values)


def _triage_on_arrival(cohort: Cohort, order: StayOrder, code: int, start: int) -> _Part:
    """The category on arrival where it is another than before: at the injury, then at the stay before."""
    stays = cohort.stays
    before = np.where(order.first, cohort.injuries.triage[stays.patient], np.roll(stays.triage, 1))
    stay = np.flatnonzero(stays.triage != before)
    return _part(
        stays.patient[stay], stays.arrived_s[stay], code, stay=stay, text=start + stays.triage[stay] - 1
    )


def _returns(cohort: Cohort, code: int, yes: int) -> _Part:
    """Who went back to duty; other ends are in DEATH, or where the visit was discharged to."""
    courses = cohort.courses
    back = np.flatnonzero(courses.outcome == Outcome.RTD)
    return _part(back, courses.ended_s[back], code, text=np.full(len(back), yes))


def _findings(surroundings: Surroundings, cohort: Cohort) -> _Part:
    """Diagnoses whose concept OMOP has in the domain Observation."""
    given = cohort.diagnoses
    rows = np.flatnonzero(of_domain(surroundings.catalogue, "Observation")[given.condition])
    return _part(given.patient[rows], given.at_s[rows], given.condition[rows], stay=given.stay[rows])


def _regions(cohort: Cohort, events: Events, code: int, start: int) -> _Part:
    """The body region of each wound, said once, of the last diagnosis of it, unless its code says as much."""
    given, wounds, found = cohort.diagnoses, cohort.wounds, events.conditions
    wound = np.flatnonzero((found.of_wound != NONE) & (wounds.region != Region.WHOLE))
    wound = wound[~CONDITIONS.names_region[given.condition[found.first[found.of_wound[wound]]]]]
    of = found.of_wound[wound]
    diagnosis = found.first[of]
    return _part(
        given.patient[diagnosis],
        given.at_s[diagnosis],
        code,
        stay=given.stay[diagnosis],
        text=start + wounds.region[wound],
        condition=found.slot[of],
    )


def _part(
    patient: Ints,
    at_s: Ints,
    code: int | Ints,
    *,
    stay: Ints | None = None,
    text: Ints | None = None,
    number: Floats | None = None,
    condition: Ints | None = None,
) -> _Part:
    none = np.full(len(patient), NONE)
    return _Part(
        patient,
        at_s,
        none if stay is None else stay,
        np.broadcast_to(np.asarray(code, dtype=np.int64), patient.shape),
        none if text is None else text,
        np.full(len(patient), np.nan) if number is None else number,
        none if condition is None else condition,
    )


def _table(
    surroundings: Surroundings,
    cohort: Cohort,
    persons: PersonIds,
    order: StayOrder,
    *,
    parts: list[_Part],
    texts: list[str],
) -> Table:
    patient = np.concatenate([part.patient for part in parts])
    at = np.concatenate([part.at_s for part in parts])
    sort = np.lexsort((at, patient))
    patient, at = patient[sort], at[sort]
    code = np.concatenate([part.code for part in parts])[sort]
    stay = np.concatenate([part.stay for part in parts])[sort]
    condition = np.concatenate([part.condition for part in parts])[sort]
    base = surroundings.base_date
    return Table(
        "observation",
        patient,
        {
            "observation_id": RecordId(persons, patient, slots(patient, len(cohort))),
            "person_id": PersonId(persons, patient),
            "observation_concept_id": Coded(surroundings.concept_ids, code),
            "observation_date": Days(base, at),
            "observation_datetime": Moments(base, at),
            "observation_type_concept_id": Same(EHR),
            "value_as_number": Decimals(np.concatenate([part.number for part in parts])[sort]),
            "value_as_string": Coded(Labels(texts), np.concatenate([part.text for part in parts])[sort]),
            "value_as_concept_id": Same(None),
            "qualifier_concept_id": Same(None),
            "unit_concept_id": Same(None),
            "provider_id": Same(None),
            "visit_occurrence_id": RecordId(persons, patient, order.visit_slot(patient)),
            "visit_detail_id": RecordId(persons, patient, order.detail_slot(stay)),
            "observation_source_value": Coded(surroundings.source_values, code),
            "observation_source_concept_id": Same(0),
            "unit_source_value": Same(None),
            "qualifier_source_value": Same(None),
            "value_source_value": Same(None),
            "observation_event_id": RecordId(persons, patient, condition),
            "obs_event_field_concept_id": Coded(_FIELDS, np.where(condition == NONE, NONE, 0)),
        },
    )


_FIELDS = Labels([CONDITION_FIELD])
