"""Which concepts state an allergy, and to what."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from carebus_contracts.omop.bundle import ConceptInUse
from carebus_converter.domain.answers import says_no, says_yes

SUBSTANCE = ("419199007", "Allergy to substance")
FOOD = ("414285001", "Allergy to food")
DRUG = ("416098002", "Allergy to drug")
ENVIRONMENT = ("426232007", "Environmental allergy")
"""Kinds of allergy, from the value set 2.16.840.1.113883.3.88.12.3221.6.2."""

_ALLERGENS = {
    "84489001": ("Mold", ENVIRONMENT),
    "264287008": ("Animal dander", ENVIRONMENT),
    "256277009": ("Grass pollen", ENVIRONMENT),
    "782576004": ("Tree pollen", ENVIRONMENT),
    "260147004": ("House dust mite", ENVIRONMENT),
    "288328004": ("Bee venom", ENVIRONMENT),
    "111088007": ("Latex", SUBSTANCE),
    "735029006": ("Shellfish", FOOD),
    "762952008": ("Peanut", FOOD),
    "412071004": ("Wheat", FOOD),
    "102263004": ("Eggs (edible)", FOOD),
    "735971005": ("Fish", FOOD),
    "13577000": ("Nut", FOOD),
    "226760005": ("Dairy foods", FOOD),
    "3718001": ("Cow's milk", FOOD),
    "256355007": ("Soya bean", FOOD),
}
"""SNOMED substances. Synthea's OMOP load records an allergy as an observation of the bare substance."""

_FINDINGS = {
    "419474003": "84489001",
    "232347008": "264287008",
    "418689008": "256277009",
    "419263009": "782576004",
    "232350006": "260147004",
    "424213003": "288328004",
    "300916003": "111088007",
    "300913006": "735029006",
    "91935009": "762952008",
    "420174000": "412071004",
    "91930004": "102263004",
    "417532002": "735971005",
    "91934008": "13577000",
    "425525006": "226760005",
    "714035009": "256355007",
}
"""SNOMED findings ("Allergy to eggs") to the substance that they name."""

_NO_ALLERGY = {
    "716186003": SUBSTANCE,
    "409137002": DRUG,
    "429625007": FOOD,
    "428607008": ENVIRONMENT,
}
"""SNOMED statements that somebody asked and there is none."""

_NAMED = re.compile(r"(?:allergy to (?P<to>.+)|(?P<of>.+) allergy)", re.IGNORECASE).fullmatch
_NOT_STATED = re.compile(
    r"\b(no|not|family|suspected|risk|test|testing|history|screening|education|management)\b", re.IGNORECASE
).search


class Allergy(NamedTuple):
    """What one concept says about allergies."""

    kind: tuple[str, str]
    allergen: ConceptInUse | None
    """The substance, as a concept of SNOMED where known; only its name otherwise."""
    denied: bool = False
    open: bool = False
    """The concept leaves open to what: the row's value says it."""


@lru_cache(maxsize=65_536)
def allergy_of(concept: ConceptInUse | None) -> Allergy | None:
    """Return the allergy that a condition or observation concept states, or None.

    Known codes decide first, then SNOMED's naming ("Allergy to X", "X allergy"): bundles carry no
    concept hierarchy. Family history, tests and suspicions are none.
    """
    if concept is None or concept.vocabulary_id != "SNOMED":
        return None
    code = concept.concept_code or ""
    if code in _NO_ALLERGY:
        return Allergy(_NO_ALLERGY[code], None, denied=True)
    if code in _ALLERGENS or code in _FINDINGS:
        code = _FINDINGS.get(code, code)
        name, kind = _ALLERGENS[code]
        return Allergy(kind, ConceptInUse(0, code, "SNOMED", name, "Observation", None))
    named = _NAMED(concept.concept_name or "")
    if named is None or _NOT_STATED(concept.concept_name or ""):
        return None
    substance = (named["to"] or named["of"]).strip()
    named_so = ConceptInUse(0, None, None, substance.capitalize(), None, None)
    general = substance.casefold()
    return Allergy(_OPEN.get(general, SUBSTANCE), named_so, open=general in _OPEN)


_OPEN = {"drug": DRUG, "medication": DRUG, "food": FOOD, "substance": SUBSTANCE, "environmental": ENVIRONMENT}
"""Names of no substance but of a kind."""


_SOMETHING = ConceptInUse(0, None, None, "Not specified", None, None)


def answered(allergy: Allergy, answer: ConceptInUse | None, words: str | None = None) -> Allergy:
    """Return the allergy as the row's value makes it: denied, confirmed, or to that substance."""
    if says_yes(answer, words):
        return allergy
    if says_no(answer, words):
        if allergy.denied:
            return allergy._replace(denied=False, allergen=_SOMETHING)
        return allergy._replace(denied=True)
    if answer is None or not answer.concept_id:
        return allergy
    return allergy._replace(allergen=answer, open=False)
