"""What "yes" and "no" look like as the answer of a row, in codes and in words."""

from __future__ import annotations

from carebus_contracts.omop.bundle import ConceptInUse

_YES = {
    ("SNOMED", "373066001"),  # Yes
    ("SNOMED", "52101004"),  # Present
    ("SNOMED", "10828004"),  # Positive
    ("LOINC", "LA33-6"),  # Yes
    ("LOINC", "LA9633-4"),  # Present
    ("LOINC", "LA6576-8"),  # Positive
}
_NO = {
    ("SNOMED", "373067005"),  # No
    ("SNOMED", "2667000"),  # Absent
    ("SNOMED", "260385009"),  # Negative
    ("LOINC", "LA32-8"),  # No
    ("LOINC", "LA9634-2"),  # Absent
    ("LOINC", "LA6577-6"),  # Negative
}
_YES_WORDS = frozenset({"yes", "y", "true", "present", "positive"})
_NO_WORDS = frozenset({"no", "n", "false", "absent", "negative", "none"})


def says_yes(answer: ConceptInUse | None, words: str | None = None) -> bool:
    """Whether an answer confirms what its row asks; words count where no concept is given."""
    return _says(answer, words, _YES, _YES_WORDS)


def says_no(answer: ConceptInUse | None, words: str | None = None) -> bool:
    """Whether an answer denies what its row asks; words count where no concept is given."""
    return _says(answer, words, _NO, _NO_WORDS)


def _says(
    answer: ConceptInUse | None, words: str | None, codes: set[tuple[str, str]], spelled: frozenset[str]
) -> bool:
    if answer is not None and answer.concept_id:
        return (answer.vocabulary_id or "", answer.concept_code or "") in codes
    return (words or "").strip().casefold() in spelled
