"""Kinds of visits and places as OpenEMR classifies them."""

from __future__ import annotations

from typing import NamedTuple

from carebus_contracts.omop.bundle import ConceptInUse


class VisitKind(NamedTuple):
    """How OpenEMR classifies a visit."""

    class_code: str
    """Option of its list ``_ActEncounterCode``."""
    place: int | None
    """CMS place of service."""
    name: str


KINDS = {
    9202: VisitKind("AMB", 11, "Outpatient visit"),
    9201: VisitKind("IMP", 21, "Inpatient visit"),
    9203: VisitKind("EMER", 23, "Emergency room visit"),
    262: VisitKind("EMER", 23, "Emergency room and inpatient visit"),
    581385: VisitKind("OBSENC", 22, "Observation room"),
    581476: VisitKind("HH", 12, "Home visit"),
    581478: VisitKind("FLD", 41, "Ambulance visit"),
    5083: VisitKind("VR", 2, "Telehealth"),
    42898160: VisitKind("NONAC", 32, "Non-hospital institution visit"),
}
OTHER = VisitKind("AMB", None, "Visit")
"""What OpenEMR itself takes for a visit of no stated kind."""


def place_of_service(concept_id: int | None, concept: ConceptInUse | None) -> int | None:
    """Return the CMS place of service of a site's kind; None when it has no such code."""
    if concept is not None and concept.vocabulary_id == "CMS Place of Service":
        code = concept.concept_code or ""
        return int(code) if code.isascii() and code.isdigit() and len(code) <= 2 else None
    kind = KINDS.get(concept_id or 0)
    return kind.place if kind is not None else None
