"""Concepts as OpenEMR names them: a title for people, and ``TYPE:code`` for machines."""

from __future__ import annotations

from functools import lru_cache

from carebus_contracts.omop.bundle import ConceptInUse
from carebus_converter.domain.openemr.cells import shortened

CODE_TYPES = {
    "SNOMED": "SNOMED-CT",
    "ICD10CM": "ICD10",
    "ICD10": "ICD10",
    "ICD9CM": "ICD9",
    "RxNorm": "RXCUI",
    "LOINC": "LOINC",
    "CPT4": "CPT4",
    "NDC": "NDC",
    "CVX": "CVX",
}
"""OMOP vocabularies by the code type that OpenEMR resolves (its table ``code_types``)."""

CODES_WIDTH = 255


def title_of(
    concept: ConceptInUse | None, source: ConceptInUse | None, value: str | None, concept_id: int | None
) -> str:
    """Return the best name for people: the concept's, then the source's words; "" when there is none."""
    return (
        _named(concept)
        or shortened(value, 255)
        or _named(source)
        or (f"OMOP concept {concept_id}" if concept_id else "")
    )


def codes_of(*concepts: ConceptInUse | None) -> str:
    """Return ``SNOMED-CT:44054006;ICD10:E11.9``: the first code of each type, as many as fit."""
    by_type: dict[str, str] = {}
    for concept in concepts:
        if concept is not None and (code := code_of(concept)):
            by_type.setdefault(code.partition(":")[0], code)
    joined = ""
    for code in by_type.values():
        longer = f"{joined};{code}" if joined else code
        if len(longer) > CODES_WIDTH:
            break
        joined = longer
    return joined


@lru_cache(maxsize=65_536)
def code_of(concept: ConceptInUse) -> str:
    """Return ``TYPE:code``; "" when OpenEMR does not know the vocabulary, or the code is not one."""
    kind = CODE_TYPES.get(concept.vocabulary_id or "")
    code = concept.concept_code or ""
    # ';' and ':' part codes in OpenEMR's columns.
    return f"{kind}:{code}" if kind and code.isprintable() and not set(code) & set(";: ") and code else ""


def bare_code(concept: ConceptInUse | None, vocabulary: str) -> str:
    """Return the code when the concept is of this vocabulary, else ""."""
    return concept.concept_code or "" if concept is not None and concept.vocabulary_id == vocabulary else ""


def _named(concept: ConceptInUse | None) -> str:
    return shortened(concept.concept_name, 255) if concept is not None and concept.concept_id else ""
