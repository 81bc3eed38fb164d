"""A patient as a readable card: who, what happened, and the way from the point of injury to the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from textwrap import wrap

from carebus_contracts.omop.bundle import PersonRecords
from carebus_contracts.omop.condition_occurrence import ConditionOccurrence
from carebus_contracts.omop.death import Death
from carebus_contracts.omop.drug_exposure import DrugExposure
from carebus_contracts.omop.measurement import Measurement
from carebus_contracts.omop.observation import Observation
from carebus_contracts.omop.person import Person
from carebus_contracts.omop.procedure_occurrence import ProcedureOccurrence
from carebus_contracts.omop.visit_detail import VisitDetail
from carebus_contracts.omop.visit_occurrence import VisitOccurrence

_SIGNS = {
    "LOINC:8867-4": "HR",
    "LOINC:8480-6": "SBP",
    "LOINC:8462-4": "DBP",
    "LOINC:9279-1": "RR",
    "LOINC:59408-5": "SpO2",
    "LOINC:8310-5": "T",
    "LOINC:72514-3": "pain",
    "LOINC:9269-2": "GCS",
    "LOINC:718-7": "Hb",
    "LOINC:6301-6": "INR",
    "LOINC:59032-3": "lactate",
    "LOINC:777-3": "platelets",
    "LOINC:2744-1": "pH",
    "LOINC:2019-8": "pCO2",
    "LOINC:29463-7": "weight",
    "LOINC:8302-2": "height",
}
_WAYS = {"KIA": "killed in action", "DOW": "died of wounds"}
_OUTCOMES = {
    "RTD": "returned to duty",
    "DISCHARGED": "discharged from Role 4",
    "REMAINS": "remains at Role 4",
}
_KINDS = {"BATTLE": "battle casualty", "NON_BATTLE": "non-battle injury", "DISEASE": "disease"}
_WIDTH = 110


@dataclass(frozen=True, slots=True)
class _Event:
    at: datetime
    order: int
    where: str
    text: str


def card(bundle: PersonRecords) -> str:
    """Return a card as some lines of text, about 110 characters wide."""
    facts = _facts(bundle)
    lines = [*_head(bundle, facts), ""]
    day = None
    for event in sorted(_events(bundle, facts), key=lambda e: (e.at, e.order)):
        shown = f"{event.at:%Y-%m-%d}" if event.at.date() != day else ""
        day = event.at.date()
        lines += _folded(f"{shown:10}  {event.at:%H:%M}  {event.where:6} ", event.text)
    return "\n".join(lines) + "\n"


def _facts(bundle: PersonRecords) -> dict[str, str]:
    """What observations without a stay say, by their code."""
    said = {}
    for row in bundle.rows(Observation):
        if row.visit_detail_id is None and row.observation_source_value:
            value = row.value_as_string or (
                f"{row.value_as_number:g}" if row.value_as_number is not None else ""
            )
            said[row.observation_source_value.removeprefix("MIL:")] = value
    return said


def _head(bundle: PersonRecords, facts: dict[str, str]) -> Iterator[str]:
    (person,) = bundle.rows(Person)
    born = date(person.year_of_birth or 1, person.month_of_birth or 1, person.day_of_birth or 1)
    blood = next((m.value_source_value for m in bundle.rows(Measurement) if m.value_source_value), None)
    sex = {"M": "man", "F": "woman"}.get(person.gender_source_value or "", "")
    yield ", ".join(
        filter(None, (person.person_source_value, sex, f"born {born}", blood and f"blood group {blood}"))
    )
    what = [_KINDS.get(_kind(bundle, facts), ""), facts.get("MECHANISM", "").lower().replace("_", " ")]
    how = facts.get("WARFARE") or facts.get("SPECIAL", "").replace("_", " ")
    event = f"event {facts['EVENT']}" if "EVENT" in facts else ""
    mass = "mass casualty" if "MASCAL" in facts else ""
    front = facts.get("FRONT") or _front(bundle)
    iss = f"ISS {facts['ISS']}" if "ISS" in facts else ""
    around = " and ".join(facts.get("ENVIRONMENT", "").replace("_", " ").split("+"))
    yield ", ".join(filter(None, (*what, how, front and f"front {front}", event, mass, iss, around)))


def _kind(bundle: PersonRecords, facts: dict[str, str]) -> str:
    """Return why somebody became a patient: of the visit, or said of who came to no facility."""
    of_visit = next((row.visit_source_value or "" for row in bundle.rows(VisitOccurrence)), "")
    return of_visit.removeprefix("MIL:") or facts.get("KIND", "")


def _front(bundle: PersonRecords) -> str:
    """Return the front of the first facility, or nothing."""
    for row in bundle.rows(VisitDetail):
        if site := bundle.care_site.get(row.care_site_id or 0):
            place = bundle.location.get(site.location_id or 0)
            return (place and place.county) or ""
    return ""


def _events(bundle: PersonRecords, facts: dict[str, str]) -> Iterator[_Event]:
    stays = {row.visit_detail_id: row for row in bundle.rows(VisitDetail)}

    def where(detail: int | None) -> str:
        source = stays[detail].visit_detail_source_value if detail in stays else None
        return (source or "POI").removeprefix("MIL:").replace("ROLE", "Role ")

    injured = [row.observation_datetime for row in bundle.rows(Observation) if row.observation_datetime]
    if injured:
        region = "; triage " + facts["TRIAGE"] if "TRIAGE" in facts else ""
        yield _Event(min(injured), 0, "POI", f"injured or ill{region}")
    for detail in stays.values():
        yield from _stay(bundle, detail, where(detail.visit_detail_id))
    for condition in bundle.rows(ConditionOccurrence):
        if condition.condition_start_datetime:
            name = _name(bundle, condition.condition_concept_id, condition.condition_source_value)
            status = (
                f" ({condition.condition_status_source_value})"
                if condition.condition_status_source_value
                else ""
            )
            yield _Event(
                condition.condition_start_datetime,
                3,
                where(condition.visit_detail_id),
                f"diagnosis: {name}{status}",
            )
    for procedure in bundle.rows(ProcedureOccurrence):
        if procedure.procedure_datetime:
            name = _name(bundle, procedure.procedure_concept_id, procedure.procedure_source_value)
            many = f" × {procedure.quantity}" if procedure.quantity else ""
            yield _Event(procedure.procedure_datetime, 4, where(procedure.visit_detail_id), name + many)
    for drug in bundle.rows(DrugExposure):
        if drug.drug_exposure_start_datetime:
            name = _name(bundle, drug.drug_concept_id, drug.drug_source_value)
            dose = f" {drug.quantity:g} {drug.dose_unit_source_value or ''}".rstrip() if drug.quantity else ""
            route = f", {drug.route_source_value}" if drug.route_source_value else ""
            yield _Event(
                drug.drug_exposure_start_datetime, 5, where(drug.visit_detail_id), name + dose + route
            )
    yield from _signs(bundle, where)
    yield from _end(bundle, where(max(stays, default=None)))


def _stay(bundle: PersonRecords, detail: VisitDetail, where: str) -> Iterator[_Event]:
    start, end = detail.visit_detail_start_datetime, detail.visit_detail_end_datetime
    if start is None or end is None:
        return
    if detail.care_site_id is None:  # a journey
        goal = (detail.discharged_to_source_value or "").replace("ROLE", "Role ")
        minutes = round((end - start).total_seconds() / 60)
        yield _Event(start, 8, "", f"→ {goal}, {where.lower()}, {minutes:,} min")
        return
    site = bundle.care_site.get(detail.care_site_id)
    triage = next(
        (
            row.value_as_string
            for row in bundle.rows(Observation)
            if row.visit_detail_id == detail.visit_detail_id and row.observation_source_value == "MIL:TRIAGE"
        ),
        None,
    )
    name = (site and site.care_site_name) or ""
    yield _Event(start, 1, where, f"arrived at {name}" + (f"; triage {triage}" if triage else ""))


def _signs(bundle: PersonRecords, where: Callable[[int | None], str]) -> Iterator[_Event]:
    """One line for all that was measured at one time."""
    together: dict[tuple[datetime, int | None], list[str]] = {}
    for row in bundle.rows(Measurement):
        source = row.measurement_source_value or ""
        if row.value_as_number is None or row.measurement_datetime is None:
            continue
        name = _SIGNS.get(source.partition(" ")[0], _name(bundle, row.measurement_concept_id, source))
        line = together.setdefault((row.measurement_datetime, row.visit_detail_id), [])
        line.append(f"{name} {row.value_as_number:g}")
    for (at, detail), texts in together.items():
        yield _Event(at, 2, where(detail), ", ".join(texts))


def _end(bundle: PersonRecords, where: str) -> Iterator[_Event]:
    """The last line: the death, or where the visit ended in."""
    for death in bundle.rows(Death):
        way, _, code = (death.cause_source_value or "").partition(" ")
        if death.death_datetime:
            text = _WAYS.get(way, "died") + (
                f": {_name(bundle, death.cause_concept_id, code)}" if code else ""
            )
            yield _Event(death.death_datetime, 9, where, text)
        return
    for visit in bundle.rows(VisitOccurrence):
        if visit.visit_end_datetime:
            outcome = visit.discharged_to_source_value or ""
            yield _Event(visit.visit_end_datetime, 9, where, _OUTCOMES.get(outcome, outcome))


def _name(bundle: PersonRecords, concept_id: int | None, source_value: str | None) -> str:
    """Return the concept's name, or the words that the source has."""
    concept = bundle.concept.get(concept_id) if concept_id else None
    if concept and concept.concept_name:
        return concept.concept_name
    code, _, words = (source_value or "").partition(" ")
    return words or code


def _folded(start: str, text: str) -> Iterable[str]:
    """Return lines that are not too wide; those after the first stand below its text."""
    return wrap(text, _WIDTH, initial_indent=start, subsequent_indent=" " * len(start)) or [start]
