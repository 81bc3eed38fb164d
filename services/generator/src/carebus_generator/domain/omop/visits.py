"""VISIT_OCCURRENCE and VISIT_DETAIL: one episode of care a patient; stays and the journeys to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from carebus_generator.domain.cohort import NONE, Cohort, Kind, Outcome, Role, Transport, Triage
from carebus_generator.domain.draws import Bools, Ints
from carebus_generator.domain.omop.columns import (
    Coded,
    Days,
    Labels,
    Moments,
    PersonId,
    PersonIds,
    RecordId,
    Same,
    Table,
    slots,
)
from carebus_generator.domain.omop.places import SITE_CARE_SITES
from carebus_generator.domain.omop.surroundings import EHR, Surroundings

INPATIENT, OUTPATIENT, EMERGENCY, EMERGENCY_AND_INPATIENT, AMBULANCE = 9201, 9202, 9203, 262, 581478

ROLES = tuple("POI" if role is Role.POI else f"ROLE{role}" for role in Role)
"""What records call the roles of care."""

_VISITS = Labels([EMERGENCY, EMERGENCY_AND_INPATIENT])
_KINDS = Labels([f"MIL:{kind.name}" for kind in Kind])
_ROLES = Labels(ROLES)
_OUTCOMES = [outcome.name for outcome in Outcome]
_AFTER = Labels([*ROLES, *_OUTCOMES])
"""Where somebody goes from a stay: another role, or an outcome."""
_DETAILS = Labels([INPATIENT, OUTPATIENT, EMERGENCY, AMBULANCE, 0])
_INPATIENT, _OUTPATIENT, _EMERGENCY, _AMBULANCE, _WALKED = range(5)
_DETAIL_SOURCES = Labels([*(f"MIL:{r}" for r in ROLES), *(f"MIL:{t.name}" for t in Transport)])


@dataclass(frozen=True, slots=True)
class StayOrder:
    """Where the stays of a chunk stand among those of their patients."""

    number: Ints
    """Of a stay among its patient's, from 0."""
    has_stay: Bools
    """One a patient."""
    first: Bools
    """One a stay: no stay of the patient before it."""
    last: Bools

    @classmethod
    def of(cls, cohort: Cohort) -> StayOrder:
        """Look at the stays of a cohort."""
        patient = cohort.stays.patient
        number = slots(patient, len(cohort))
        has_stay = np.zeros(len(cohort), dtype=np.bool_)
        has_stay[patient] = True
        last = np.ones(len(patient), dtype=np.bool_)
        last[:-1] = patient[1:] != patient[:-1]
        return cls(number, has_stay, number == 0, last)

    def visit_slot(self, patient: Ints) -> Ints:
        """Return the visit of each patient's rows: 0, or none for who came to no facility."""
        slot: Ints = np.where(self.has_stay[patient], 0, NONE)
        return slot

    def detail_slot(self, stay: Ints) -> Ints:
        """Return the visit detail of rows that belong to a stay, or to none."""
        if not len(self.number):
            return np.full(len(stay), NONE)
        slot: Ints = np.where(stay == NONE, NONE, 2 * self.number[stay] + 1)
        return slot


def visit_occurrence(
    surroundings: Surroundings, cohort: Cohort, persons: PersonIds, order: StayOrder
) -> Table:
    """Return one row for each who came to a facility, from the injury to the end.

    It is an inpatient visit for who came to Role 2 or above, and names the last facility.
    """
    patient = np.flatnonzero(order.has_stay)
    last_stay = np.flatnonzero(order.last)
    base = surroundings.base_date
    injured, ended = cohort.patients.injured_s[patient], cohort.courses.ended_s[patient]
    return Table(
        "visit_occurrence",
        patient,
        {
            "visit_occurrence_id": RecordId(persons, patient, np.zeros_like(patient)),
            "person_id": PersonId(persons, patient),
            "visit_concept_id": Coded(_VISITS, (cohort.stays.role[last_stay] >= Role.R2).astype(np.int64)),
            "visit_start_date": Days(base, injured),
            "visit_start_datetime": Moments(base, injured),
            "visit_end_date": Days(base, ended),
            "visit_end_datetime": Moments(base, ended),
            "visit_type_concept_id": Same(EHR),
            "provider_id": Same(None),
            "care_site_id": Coded(_sites(surroundings), cohort.stays.facility[last_stay]),
            "visit_source_value": Coded(_KINDS, cohort.patients.kind[patient]),
            "visit_source_concept_id": Same(0),
            "admitted_from_concept_id": Same(0),
            "admitted_from_source_value": Same("POI"),
            "discharged_to_concept_id": Same(0),
            "discharged_to_source_value": Coded(_AFTER, len(ROLES) + cohort.courses.outcome[patient]),
            "preceding_visit_occurrence_id": Same(None),
        },
    )


def visit_detail(surroundings: Surroundings, cohort: Cohort, persons: PersonIds, order: StayOrder) -> Table:
    """Return two rows a stay: the journey to it, then the stay; each refers to the row before.

    Journeys are ambulance visits, whatever the vehicle; who walked has one without a concept.
    """
    stays, base = cohort.stays, surroundings.base_date
    patient = np.repeat(stays.patient, 2)
    slot = _pairs(2 * order.number, 2 * order.number + 1)
    none = np.full(len(stays.patient), NONE)
    before = np.where(order.first, int(Role.POI), np.roll(stays.role, 1))
    outcome = cohort.courses.outcome[stays.patient]
    after = np.where(order.last, len(ROLES) + outcome, np.roll(stays.role, -1))
    urgent = stays.triage <= Triage.T2
    kind = np.where(stays.role >= Role.R2, _INPATIENT, np.where(urgent, _EMERGENCY, _OUTPATIENT))
    leg = np.where(stays.transport == Transport.WALKED, _WALKED, _AMBULANCE)
    start = _pairs(stays.picked_up_s, stays.arrived_s)
    end = _pairs(stays.arrived_s, stays.left_s)
    return Table(
        "visit_detail",
        patient,
        {
            "visit_detail_id": RecordId(persons, patient, slot),
            "person_id": PersonId(persons, patient),
            "visit_detail_concept_id": Coded(_DETAILS, _pairs(leg, kind)),
            "visit_detail_start_date": Days(base, start),
            "visit_detail_start_datetime": Moments(base, start),
            "visit_detail_end_date": Days(base, end),
            "visit_detail_end_datetime": Moments(base, end),
            "visit_detail_type_concept_id": Same(EHR),
            "provider_id": Same(None),
            "care_site_id": Coded(_sites(surroundings), _pairs(none, stays.facility)),
            "visit_detail_source_value": Coded(
                _DETAIL_SOURCES, _pairs(len(ROLES) + stays.transport, stays.role)
            ),
            "visit_detail_source_concept_id": Same(0),
            "admitted_from_concept_id": Same(0),
            "admitted_from_source_value": Coded(_ROLES, _pairs(before, before)),
            "discharged_to_source_value": Coded(_AFTER, _pairs(stays.role, after)),
            "discharged_to_concept_id": Same(0),
            "preceding_visit_detail_id": RecordId(persons, patient, slot - 1),
            "parent_visit_detail_id": Same(None),
            "visit_occurrence_id": RecordId(persons, patient, np.zeros_like(patient)),
        },
    )


def _sites(surroundings: Surroundings) -> Labels:
    return Labels(range(SITE_CARE_SITES, SITE_CARE_SITES + len(surroundings.sites)))


def _pairs(first: Ints, second: Ints) -> Ints:
    return np.stack((first, second), axis=1).reshape(-1)
