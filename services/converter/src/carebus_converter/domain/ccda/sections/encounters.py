"""Encounters: visits."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache

from carebus_contracts.omop.bundle import ConceptInUse
from carebus_contracts.omop.condition_occurrence import ConditionOccurrence
from carebus_contracts.omop.visit_occurrence import VisitOccurrence
from carebus_converter.domain.ccda.chart import Chart
from carebus_converter.domain.ccda.codes import (
    ACT_CODE,
    LOINC,
    Coded,
    code_attributes,
    fixed,
    label_of,
    template,
)
from carebus_converter.domain.ccda.directory import NOBODY
from carebus_converter.domain.ccda.sections.frame import frame
from carebus_converter.domain.ccda.sections.problem_observation import condition_value, problem_observation
from carebus_converter.domain.ccda.times import interval, stamp

_FRAME = frame(
    "2.22.1",
    "2.22",
    version="2015-08-01",
    code="46240-8",
    name="History of Hospitalizations+Outpatient visits Narrative",
    title="Encounters",
    columns=("Encounter", "Start", "End", "Diagnoses", "Provider", "Place"),
    required=False,
)
_START = '<entry typeCode="DRIV"><encounter classCode="ENC" moodCode="EVN">' + template("4.49", "2015-08-01")

_DIAGNOSES = (
    '<entryRelationship typeCode="SUBJ"><act classCode="ACT" moodCode="EVN">'
    + template("4.80", "2015-08-01")
    + fixed("code", "29308-4", LOINC, "Diagnosis")
)

_KINDS = {
    9201: ("IMP", "inpatient encounter"),
    9202: ("AMB", "ambulatory"),
    9203: ("EMER", "emergency"),
    262: ("EMER", "emergency"),
    581476: ("HH", "home health"),
    5083: ("VR", "virtual"),
}
"""OMOP visit concept to HL7 ActEncounterCode. 262 is an emergency visit that ends in admission."""


def encounters(
    rows: Sequence[tuple[str, VisitOccurrence]],
    conditions: Sequence[tuple[str, ConditionOccurrence]],
    chart: Chart,
) -> str:
    """Build the Encounters section, newest first; "" without rows.

    A visit without a concept is still an encounter, of unknown kind. The conditions that name a
    visit are its diagnoses, and problems too. Of visits that share an id the newest has them.

    Args:
        rows: Numbered visits.
        conditions: Numbered rows of the Problems section, whose narrative the diagnoses refer to.
        chart: Of the same person.

    Source:
        C-CDA R2.1 Encounters Section (entries required), template 2.16.840.1.113883.10.20.22.2.22.1.
    """
    concepts, offset, directory = chart.concepts, chart.offset, chart.directory
    identity = chart.id_start("visit_occurrence")
    of_visit = _by_visit(conditions, {row.visit_occurrence_id for _, row in rows})
    narrative: list[str] = []
    entries: list[str] = []
    for ext, row in rows:
        code, label = _kind(concepts[row.visit_concept_id], concepts[row.visit_source_concept_id])
        low, start = stamp(row.visit_start_date, row.visit_start_datetime, offset)
        high, end = stamp(row.visit_end_date, row.visit_end_datetime, offset)
        words, diagnoses = _diagnoses(of_visit.pop(row.visit_occurrence_id, ()), chart)
        provider = directory.providers.get(row.provider_id, NOBODY)
        site = directory.sites.get(row.care_site_id, NOBODY)
        narrative.append(
            f'<tr ID="visit-{ext}"><td>{label}</td><td>{start}</td><td>{end}</td><td>{words}</td>'
            f"<td>{provider.label}</td><td>{site.label}</td></tr>"
        )
        entries.append(
            f'{_START}{identity}{ext}"/>{code}<text><reference value="#visit-{ext}"/></text>'
            f"<effectiveTime>{interval(low, high)}</effectiveTime>{provider.xml}{site.xml}{diagnoses}"
            "</encounter></entry>"
        )
    return _FRAME.filled(narrative, entries)


def _by_visit(
    conditions: Sequence[tuple[str, ConditionOccurrence]], visits: Collection[int]
) -> dict[int, list[tuple[str, ConditionOccurrence]]]:
    found: dict[int, list[tuple[str, ConditionOccurrence]]] = {}
    if visits:
        for ext, row in conditions:
            visit = row.visit_occurrence_id
            if visit is not None and visit in visits:
                found.setdefault(visit, []).append((ext, row))
    return found


def _diagnoses(conditions: Sequence[tuple[str, ConditionOccurrence]], chart: Chart) -> tuple[str, str]:
    """Return the diagnoses of one visit for people, and as one Encounter Diagnosis; "" for none."""
    identity = chart.id_start("condition_occurrence")
    names: dict[str, None] = {}
    observations: list[str] = []
    for ext, row in conditions:
        coded = condition_value(row, chart)
        if coded is None:
            continue
        low = stamp(row.condition_start_date, row.condition_start_datetime, chart.offset).hl7
        high = stamp(row.condition_end_date, row.condition_end_datetime, chart.offset).hl7
        names[coded.label] = None
        observations.append(
            problem_observation(
                identity,
                f"{ext}.diagnosis",
                anchor=f"condition-{ext}",
                period=interval(low, high),
                value=coded.xml,
            )
        )
    if not observations:
        return "", ""
    return "; ".join(names), f"{_DIAGNOSES}{''.join(observations)}</act></entryRelationship>"


@lru_cache(maxsize=4096)
def _kind(concept: ConceptInUse | None, source: ConceptInUse | None) -> Coded:
    """Return the encounter's code: the source's own if HL7 knows it, else only the kind of visit.

    The source value of a visit is a key of the source's, not a name, so nobody is shown it.
    """
    kind = _KINDS.get(concept.concept_id) if concept else None
    label = kind[1].capitalize() if kind else "Encounter"
    if concept and concept.concept_name:
        label = label_of(concept, None, None)
    translation = fixed("translation", kind[0], ACT_CODE, kind[1]) if kind else ""
    fit = next((c for c in (source, concept) if c and code_attributes(c)), None)
    if fit:
        return Coded(f"<code {code_attributes(fit)}>{translation}</code>", label)
    original = f"<originalText>{label}</originalText>"
    return Coded(f'<code nullFlavor="UNK">{original}{translation}</code>', label)
