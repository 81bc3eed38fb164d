"""Where an observation belongs: OMOP's OBSERVATION holds whatever has no table of its own."""

from __future__ import annotations

from enum import Enum, auto
from functools import lru_cache

from carebus_contracts.omop.bundle import ConceptInUse
from carebus_converter.domain.allergens import allergy_of
from carebus_converter.domain.ccda.social import is_social


class Place(Enum):
    """The section that takes an observation."""

    ALLERGY = auto()
    """It states an allergy."""
    SOCIAL = auto()
    """It is about smoking, living conditions or habits."""
    HISTORY = auto()
    """It states a past problem: "History of ..." without a value."""
    RESULT = auto()
    """Everything else: questionnaires, scores, findings."""


@lru_cache(maxsize=65_536)
def place_of(concept: ConceptInUse | None, answered: bool) -> Place:
    """Return the section for an observation, by its concept and whether the row carries a value."""
    if concept is None:
        return Place.RESULT
    if allergy_of(concept):
        return Place.ALLERGY
    if is_social(concept):
        return Place.SOCIAL
    name = (concept.concept_name or "").casefold()
    if concept.vocabulary_id == "SNOMED" and not answered and name.startswith("history of "):
        return Place.HISTORY
    return Place.RESULT
