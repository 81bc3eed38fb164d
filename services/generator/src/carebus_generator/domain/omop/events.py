"""CONDITION_OCCURRENCE, PROCEDURE_OCCURRENCE, DEVICE_EXPOSURE, DRUG_EXPOSURE and MEASUREMENT."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from carebus_generator.domain.catalogue import Catalogue
from carebus_generator.domain.cohort import NONE, Cohort, Role, Treatments, Triage
from carebus_generator.domain.draws import Bools, Ints
from carebus_generator.domain.omop.columns import (
    Coded,
    Column,
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
from carebus_generator.domain.omop.surroundings import EHR, Surroundings
from carebus_generator.domain.omop.visits import StayOrder

DEVICES = {
    "tourniquet": "MIL:DEVICE:TOURNIQUET",
    "bone_immobilization": "MIL:DEVICE:SPLINT",
    "intubation": "MIL:DEVICE:ENDOTRACHEAL_TUBE",
    "chest_tube": "MIL:DEVICE:CHEST_TUBE",
}
"""Procedures that leave a device in or on the patient, by key of the catalogue."""

_STATUS = Labels(["preliminary", "confirmed"])
_NONE_AT_ALL = Same(None)


@dataclass(frozen=True, slots=True)
class Conditions:
    """One row for each condition that a wound or illness was taken for; sorted by patient, then time.

    A diagnosis that a later role repeats is the same condition, so that a wound is there once; what it was
    mistaken for is another.
    """

    first: Ints
    """Row of Diagnoses that said it first."""
    confirmed: Bools
    """Whether one of them was confirmed."""
    slot: Ints
    """Its record id among the patient's."""
    of_wound: Ints
    """Row of Wounds → the last condition that it was taken for, a row of this, or NONE."""

    @classmethod
    def of(cls, catalogue: Catalogue, cohort: Cohort) -> Conditions:
        """Find them among the diagnoses of a cohort."""
        given = cohort.diagnoses
        rows = np.flatnonzero(of_domain(catalogue, "Condition")[given.condition])
        pair = given.wound[rows] * len(catalogue) + given.condition[rows]
        _, first, of = np.unique(pair, return_index=True, return_inverse=True)
        confirmed = np.zeros(len(first), dtype=np.bool_)
        confirmed[of[given.confirmed[rows]]] = True
        order = np.argsort(first)
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        of_wound = np.full(len(cohort.wounds.patient), NONE)
        of_wound[given.wound[rows]] = place[of]  # of several the last one stays
        said = rows[first[order]]
        return cls(said, confirmed[order], slots(given.patient[said], len(cohort)), of_wound)


class Events:
    """The clinical events of a chunk, table by table."""

    def __init__(
        self, surroundings: Surroundings, cohort: Cohort, persons: PersonIds, order: StayOrder
    ) -> None:
        self._surroundings = surroundings
        self._cohort = cohort
        self._persons = persons
        self._order = order

    @cached_property
    def conditions(self) -> Conditions:
        """What goes to CONDITION_OCCURRENCE."""
        return Conditions.of(self._surroundings.catalogue, self._cohort)

    def condition_occurrence(self) -> Table:
        """Return one row for each condition found: confirmed if Role 2 or above said so, else preliminary."""
        given, found = self._cohort.diagnoses, self.conditions
        rows = found.first
        patient, at, code = given.patient[rows], given.at_s[rows], given.condition[rows]
        return self._table(
            "condition_occurrence",
            patient,
            found.slot,
            given.stay[rows],
            {
                "condition_concept_id": Coded(self._surroundings.concept_ids, code),
                "condition_start_date": self._day(at),
                "condition_start_datetime": self._moment(at),
                "condition_end_date": _NONE_AT_ALL,
                "condition_end_datetime": _NONE_AT_ALL,
                "condition_type_concept_id": Same(EHR),
                "condition_status_concept_id": Same(0),
                "stop_reason": _NONE_AT_ALL,
                **_LINKS,
                "condition_source_value": Coded(self._surroundings.source_values, code),
                "condition_source_concept_id": Same(0),
                "condition_status_source_value": Coded(_STATUS, found.confirmed.astype(np.int64)),
            },
        )

    def drug_exposure(self) -> Table:
        """Return one row for each drug or fluid given."""
        given = self._given("Drug")
        patient, code, start, end = given.patient, given.code, given.start_s, given.end_s
        return self._table(
            "drug_exposure",
            patient,
            slots(patient, len(self._cohort)),
            given.stay,
            {
                "drug_concept_id": Coded(self._surroundings.concept_ids, code),
                "drug_exposure_start_date": self._day(start),
                "drug_exposure_start_datetime": self._moment(start),
                "drug_exposure_end_date": self._day(end),
                "drug_exposure_end_datetime": self._moment(end),
                "verbatim_end_date": _NONE_AT_ALL,
                "drug_type_concept_id": Same(EHR),
                "stop_reason": _NONE_AT_ALL,
                "refills": _NONE_AT_ALL,
                "quantity": Decimals(np.where(given.quantity > 0, given.quantity, np.nan)),
                "days_supply": Same(1),
                "sig": _NONE_AT_ALL,
                "route_concept_id": Same(0),
                "lot_number": _NONE_AT_ALL,
                **_LINKS,
                "drug_source_value": Coded(self._surroundings.source_values, code),
                "drug_source_concept_id": Same(0),
                "route_source_value": Coded(self._surroundings.routes, code),
                "dose_unit_source_value": Coded(self._surroundings.units, code),
            },
        )

    def procedure_occurrence(self) -> Table:
        """Return one row a procedure; a quantity where there is one, as of units of blood."""
        given = self._given("Procedure")
        patient, code, start, end = given.patient, given.code, given.start_s, given.end_s
        return self._table(
            "procedure_occurrence",
            patient,
            slots(patient, len(self._cohort)),
            given.stay,
            {
                "procedure_concept_id": Coded(self._surroundings.concept_ids, code),
                "procedure_date": self._day(start),
                "procedure_datetime": self._moment(start),
                "procedure_end_date": self._day(end),
                "procedure_end_datetime": self._moment(end),
                "procedure_type_concept_id": Same(EHR),
                "modifier_concept_id": _NONE_AT_ALL,
                "quantity": Coded(_COUNTS, np.clip(given.quantity.astype(np.int64), 0, 999) - 1),
                **_LINKS,
                "procedure_source_value": Coded(self._surroundings.source_values, code),
                "procedure_source_concept_id": Same(0),
                "modifier_source_value": _NONE_AT_ALL,
            },
        )

    def device_exposure(self) -> Table:
        """Return one row for each device that a procedure left; nobody notes when it is taken off or out."""
        catalogue, given = self._surroundings.catalogue, self._cohort.treatments
        device = np.full(len(catalogue), NONE)
        for number, key in enumerate(DEVICES):
            device[catalogue.row(key)] = number
        rows = np.flatnonzero(device[given.code] != NONE)
        patient, start, stay = given.patient[rows], given.start_s[rows], given.stay[rows]
        return self._table(
            "device_exposure",
            patient,
            slots(patient, len(self._cohort)),
            stay,
            {
                "device_concept_id": Same(0),
                "device_exposure_start_date": self._day(start),
                "device_exposure_start_datetime": self._moment(start),
                "device_exposure_end_date": _NONE_AT_ALL,
                "device_exposure_end_datetime": _NONE_AT_ALL,
                "device_type_concept_id": Same(EHR),
                "unique_device_id": _NONE_AT_ALL,
                "production_id": _NONE_AT_ALL,
                "quantity": Same(1),
                **_LINKS,
                "device_source_value": Coded(_DEVICES, device[given.code[rows]]),
                "device_source_concept_id": Same(0),
                "unit_concept_id": _NONE_AT_ALL,
                "unit_source_value": _NONE_AT_ALL,
                "unit_source_concept_id": _NONE_AT_ALL,
            },
        )

    def measurement(self) -> Table:
        """Return one row a vital sign or laboratory value, and the blood group of who may need some."""
        given, cohort = self._cohort.measurements, self._cohort
        stays = cohort.stays
        typed = np.flatnonzero(self._first_at_role_2() & (stays.triage != Triage.T3))
        patient = np.concatenate((given.patient, stays.patient[typed]))
        order = _by_patient(patient, len(cohort))
        patient = patient[order]
        blood_code = self._surroundings.catalogue.row("blood_group")
        count = len(typed)
        code = np.concatenate((given.code, np.full(count, blood_code)))[order]
        at = np.concatenate((given.at_s, stays.treated_s[typed]))[order]
        stay = np.concatenate((given.stay, typed))[order]
        value = np.concatenate((given.value, np.full(count, np.nan)))[order]
        blood = np.concatenate((np.full(len(given.code), NONE), cohort.patients.blood[stays.patient[typed]]))[
            order
        ]
        return self._table(
            "measurement",
            patient,
            slots(patient, len(cohort)),
            stay,
            {
                "measurement_concept_id": Coded(self._surroundings.concept_ids, code),
                "measurement_date": self._day(at),
                "measurement_datetime": self._moment(at),
                "measurement_time": _NONE_AT_ALL,
                "measurement_type_concept_id": Same(EHR),
                "operator_concept_id": _NONE_AT_ALL,
                "value_as_number": Decimals(value),
                "value_as_concept_id": _NONE_AT_ALL,
                "unit_concept_id": Coded(self._surroundings.unit_concept_ids, code),
                "range_low": _NONE_AT_ALL,
                "range_high": _NONE_AT_ALL,
                **_LINKS,
                "measurement_source_value": Coded(self._surroundings.source_values, code),
                "measurement_source_concept_id": Same(0),
                "unit_source_value": Coded(self._surroundings.units, code),
                "unit_source_concept_id": _NONE_AT_ALL,
                "value_source_value": Coded(Labels(self._surroundings.blood_groups), blood),
                "measurement_event_id": _NONE_AT_ALL,
                "meas_event_field_concept_id": _NONE_AT_ALL,
            },
        )

    def _first_at_role_2(self) -> Bools:
        stays = self._cohort.stays
        at_role_2 = stays.role >= Role.R2
        first = at_role_2.copy()
        first[1:] &= ~(at_role_2[:-1] & (stays.patient[1:] == stays.patient[:-1]))
        return first

    def _given(self, domain: str) -> Treatments:
        """Return the treatments whose codes are of a domain, in their order."""
        given = self._cohort.treatments
        rows = np.flatnonzero(of_domain(self._surroundings.catalogue, domain)[given.code])
        return Treatments(*(getattr(given, column.name)[rows] for column in fields(given)))

    def _day(self, seconds: Ints) -> Column:
        return Days(self._surroundings.base_date, seconds)

    def _moment(self, seconds: Ints) -> Column:
        return Moments(self._surroundings.base_date, seconds)

    def _table(self, name: str, patient: Ints, slot: Ints, stay: Ints, columns: dict[str, Column]) -> Table:
        links: dict[str, Column] = {
            "provider_id": _NONE_AT_ALL,
            "visit_occurrence_id": RecordId(self._persons, patient, self._order.visit_slot(patient)),
            "visit_detail_id": RecordId(self._persons, patient, self._order.detail_slot(stay)),
        }
        keys: dict[str, Column] = {
            f"{name}_id": RecordId(self._persons, patient, slot),
            "person_id": PersonId(self._persons, patient),
        }
        return Table(name, patient, keys | {c: links.get(c, column) for c, column in columns.items()})


def of_domain(catalogue: Catalogue, domain: str) -> Bools:
    """Return whether each code is of that domain."""
    return np.array([code.domain == domain for code in catalogue.codes], dtype=np.bool_)


_LINKS: dict[str, Column] = dict.fromkeys(
    ("provider_id", "visit_occurrence_id", "visit_detail_id"), _NONE_AT_ALL
)
"""Their places in the order of columns."""
_COUNTS = Labels(range(1, 1_000))
_DEVICES = Labels(tuple(DEVICES.values()))


def _by_patient(patient: Ints, count: int) -> Ints:
    """Return the order that sorts rows by patient and else leaves them; a radix sort for usual chunks."""
    small = patient.astype(np.uint16) if count <= 65_536 else patient
    return np.argsort(small, kind="stable")
