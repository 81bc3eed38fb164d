"""OBSERVATION rows that state an allergy."""

from __future__ import annotations

import re
from functools import lru_cache

from carebus_contracts.omop.bundle import ConceptInUse
from carebus_contracts.omop.observation import Observation
from carebus_converter.domain.allergens import allergy_of
from carebus_converter.domain.answers import says_no, says_yes
from carebus_converter.domain.openemr.cells import NULL, moment, text
from carebus_converter.domain.openemr.chart import Chart
from carebus_converter.domain.openemr.codes import codes_of
from carebus_converter.domain.openemr.lists import list_row

_STATES_ALLERGY = re.compile(
    r"^(allergy to |allergic disposition|propensity to adverse reactions? |intolerance to )"
    r"|\b(allergy|drug intolerance|food intolerance)( \(disorder\)| \(finding\))?$"
)
_STATES_ANOTHER_THING = re.compile(r"^(no |not |family history|history of|suspected |at risk)|\bno known\b")


@lru_cache(maxsize=65_536)
def is_allergy(concept: ConceptInUse | None) -> bool:
    """Return whether a concept states that somebody has an allergy or intolerance.

    Known codes decide first, also of bare substances, which Synthea's OMOP load records; then the
    concept's English name: OMOP has neither a domain nor a flag for allergies, and the hierarchy is not
    in a bundle. Reactions and tests ("Acute allergic reaction") are not allergies.
    """
    if (stated := allergy_of(concept)) is not None:
        return not stated.denied
    name = (concept.concept_name or "").lower() if concept is not None else ""
    return bool(_STATES_ALLERGY.search(name)) and not _STATES_ANOTHER_THING.search(name)


def allergy_row(chart: Chart, row: Observation, copy: int) -> str | None:
    """Return the list row of an observation whose concept is an allergy; None when its answer is "no"."""
    answer = chart.concepts.get(row.value_as_concept_id)
    words = row.value_as_string or row.value_source_value
    if says_no(answer, words):
        return None
    what = _allergy(
        chart.concepts.get(row.observation_concept_id),
        chart.concepts.get(row.observation_source_concept_id),
        None if says_yes(answer) else answer,
        None if says_yes(None, words) else words,
    )
    return list_row(
        chart.ids.uuid("observation", row.observation_id, copy),
        what,
        begun=moment(row.observation_date, row.observation_datetime),
        ended=NULL,
        record_id=row.observation_id,
        encounter=NULL,
    )


@lru_cache(maxsize=65_536)
def _allergy(
    concept: ConceptInUse | None,
    source: ConceptInUse | None,
    substance: ConceptInUse | None,
    words: str | None,
) -> str:
    """Return type, title, diagnosis and verification.

    A substance, coded or in words, says more than "drug allergy".
    """
    named = substance or concept or source
    title = (named.concept_name if named else "") or ""
    stated = allergy_of(concept)
    if words and substance is None and stated is not None and stated.open:
        title = words
    codes = codes_of(substance) or codes_of(concept, source)
    return f'"allergy",{text(title, 255)},{text(codes, 255)},"confirmed"'
