"""Routes of administration: OMOP has SNOMED, C-CDA wants the NCI Thesaurus."""

from __future__ import annotations

from functools import lru_cache

from carebus_contracts.omop.bundle import ConceptInUse
from carebus_converter.domain.ccda.codes import Coded, coder
from carebus_converter.domain.ccda.text import clean

_NCI = {
    "26643006": ("C38288", "Oral"),
    "47625008": ("C38276", "Intravenous"),
    "78421000": ("C28161", "Intramuscular"),
    "34206005": ("C38299", "Subcutaneous"),
    "6064005": ("C38304", "Topical"),
    "46713006": ("C38284", "Nasal"),
    "447694001": ("C38216", "Respiratory (inhalation)"),
    "37161004": ("C38295", "Rectal"),
    "54485002": ("C38287", "Ophthalmic"),
    "10547007": ("C38192", "Auricular (otic)"),
    "37839007": ("C38300", "Sublingual"),
    "16857009": ("C38313", "Vaginal"),
    "45890007": ("C38305", "Transdermal"),
    "372464004": ("C38238", "Intradermal"),
    "54471007": ("C38193", "Buccal"),
}
"""SNOMED route to the FDA's route of administration, as code and name."""

_route = coder("routeCode", "NCIt")
NO_ROUTE = Coded("", "")


@lru_cache(maxsize=4096)
def route_of(concept: ConceptInUse | None, text: str | None) -> Coded:
    """Return a routeCode and its name for people; both empty when no route is recorded."""
    if concept is None and not clean(text):
        return NO_ROUTE
    if concept is not None and concept.vocabulary_id == "SNOMED" and concept.concept_code in _NCI:
        code, name = _NCI[concept.concept_code]
        concept = ConceptInUse(0, code, "NCIt", name, "Route", None)
    return _route(concept, None, text)
