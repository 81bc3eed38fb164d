"""One person's bundle as what OpenEMR is to hold of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from carebus_contracts.omop.bundle import PersonRecords
from carebus_contracts.omop.catalog import PERSON_TABLES
from carebus_contracts.omop.condition_occurrence import ConditionOccurrence
from carebus_contracts.omop.death import Death
from carebus_contracts.omop.device_exposure import DeviceExposure
from carebus_contracts.omop.drug_exposure import DrugExposure
from carebus_contracts.omop.measurement import Measurement
from carebus_contracts.omop.observation import Observation
from carebus_contracts.omop.person import Person
from carebus_contracts.omop.procedure_occurrence import ProcedureOccurrence
from carebus_contracts.omop.visit_occurrence import VisitOccurrence
from carebus_converter.domain.openemr.chart import Chart, write
from carebus_converter.domain.openemr.conditions import condition_rows
from carebus_converter.domain.openemr.devices import DEVICES, device_rows
from carebus_converter.domain.openemr.directory import directory_of
from carebus_converter.domain.openemr.drugs import IMMUNIZATIONS, PRESCRIPTIONS, drug_rows
from carebus_converter.domain.openemr.labs import ORDERS, REPORTS, RESULTS, Findings
from carebus_converter.domain.openemr.lists import LISTS
from carebus_converter.domain.openemr.measurements import measurement_rows
from carebus_converter.domain.openemr.not_mapped import WHOLE_TABLES, NotMapped
from carebus_converter.domain.openemr.observations import observation_rows
from carebus_converter.domain.openemr.patient import DEATH, death_rows, patient_rows
from carebus_converter.domain.openemr.procedures import procedure_rows
from carebus_converter.domain.openemr.row_ids import RowIds
from carebus_converter.domain.openemr.settings import OpenEmrSettings
from carebus_converter.domain.openemr.smoking import HISTORY
from carebus_converter.domain.openemr.visits import ENCOUNTERS, visit_rows
from carebus_converter.domain.openemr.vitals import FORM_VITALS

MAPPED = frozenset(PERSON_TABLES) - frozenset(WHOLE_TABLES)


class PlanParts(NamedTuple):
    """The writes of one person, and what they leave out."""

    writes: tuple[bytes, ...]
    not_mapped: dict[str, dict[str, int]]
    lacking: dict[str, dict[str, int]]
    """Rows by table and concept that a mapping of the concept would have placed."""
    refers: tuple[bytes, ...] = ()
    """Providers and sites that the rows refer to (``encode_shared``)."""


def plan(person: PersonRecords, *, settings: OpenEmrSettings) -> PlanParts:
    """Return what OpenEMR is to hold of a person: the same bytes for the same rows in any order.

    Every row of every table is in a write or in a count.
    """
    known = dict(person.concept)
    known.pop(0, None)
    chart = Chart(
        RowIds(person.source, person.person_id),
        known,  # type: ignore[arg-type]
        directory=directory_of(person),
    )
    covers = frozenset(person.covers)
    counts = {name: len(table.rows) for name, table in person.tables if table is not None and table.rows}
    absent = "person" in covers and not person.rows(Person)
    for table, count in counts.items():
        if table not in covers:
            chart.skip(table, NotMapped.NOT_COVERED, count)
        elif table in WHOLE_TABLES:
            chart.skip(table, WHOLE_TABLES[table], count)
        elif absent:
            chart.skip(table, NotMapped.NO_PERSON, count)
    writes = tuple(_writes(chart, person, covers, settings, absent=absent))
    return PlanParts(writes, _tally(chart), _lacking(chart), tuple(chart.directory.shared()))


def _writes(
    chart: Chart, person: PersonRecords, covers: frozenset[str], settings: OpenEmrSettings, *, absent: bool
) -> Iterator[bytes]:
    """Yield a write for each covered table; empty ones where there is no chart to write into."""
    if "person" in covers:
        patient = patient_rows(chart, person, settings.names_key)
        yield write("patient_data", patient.columns, patient.rows, of="person")
    if "death" in covers:
        yield write(
            "patient_data.death", DEATH, [] if absent else death_rows(chart, person.rows(Death)), of="death"
        )
    if "visit_occurrence" in covers:
        rows = visit_rows(chart, [] if absent else person.rows(VisitOccurrence))
        yield write("form_encounter", ENCOUNTERS, rows, of="visit_occurrence")
    if "condition_occurrence" in covers:
        rows = condition_rows(chart, [] if absent else person.rows(ConditionOccurrence))
        yield write("lists.condition_occurrence", LISTS, rows, of="condition_occurrence")
    if "observation" in covers:
        seen = observation_rows(chart, [] if absent else person.rows(Observation))
        yield write("lists.observation", LISTS, seen.problems, of="observation")
        yield write("history_data", HISTORY, seen.history, of="observation")
        yield from _finding_writes(seen.findings)
    if "drug_exposure" in covers:
        drugs = drug_rows(chart, [] if absent else person.rows(DrugExposure))
        yield write("prescriptions", PRESCRIPTIONS, drugs.prescriptions, of="drug_exposure")
        yield write("immunizations", IMMUNIZATIONS, drugs.immunizations, of="drug_exposure")
    if "measurement" in covers:
        found = measurement_rows(chart, [] if absent else person.rows(Measurement))
        yield write("form_encounter.measurement", ENCOUNTERS, found.days.rows(), of={"measurement": 0})
        yield write(
            "form_vitals.measurement",
            FORM_VITALS,
            list(found.vitals.rows()),
            of={"measurement": found.vital_count},
        )
        yield from _finding_writes(found.findings)
    if "procedure_occurrence" in covers:
        done = procedure_rows(chart, [] if absent else person.rows(ProcedureOccurrence))
        yield write(
            "procedure_order.procedure_occurrence", ORDERS, done.orders, of={"procedure_occurrence": 0}
        )
        yield write("procedure_report.procedure_occurrence", REPORTS, done.reports, of="procedure_occurrence")
        yield write("lists.procedure_occurrence", LISTS, done.surgeries, of="procedure_occurrence")
    if "device_exposure" in covers:
        devices = device_rows(chart, [] if absent else person.rows(DeviceExposure))
        yield write("lists.device_exposure", DEVICES, devices, of="device_exposure")


def _finding_writes(findings: Findings) -> Iterator[bytes]:
    yield write(f"procedure_order.{findings.table}", ORDERS, findings.orders(), of={findings.table: 0})
    yield write(f"procedure_report.{findings.table}", REPORTS, findings.reports, of=findings.table)
    yield write(f"procedure_result.{findings.table}", RESULTS, findings.results, of={findings.table: 0})


def _lacking(chart: Chart) -> dict[str, dict[str, int]]:
    lacking: dict[str, dict[str, int]] = {}
    for (table, concept_id), count in sorted(chart.lacking.items()):
        lacking.setdefault(table, {})[str(concept_id)] = count
    return lacking


def _tally(chart: Chart) -> dict[str, dict[str, int]]:
    tally: dict[str, dict[str, int]] = {}
    for (table, reason), count in sorted(chart.unmapped.items()):
        if count:
            tally.setdefault(table, {})[reason.value] = count
    return tally
