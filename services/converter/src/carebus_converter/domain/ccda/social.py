"""Social history in codes: which questions and which answers are about how a person lives."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from carebus_contracts.omop.bundle import ConceptInUse


class Question(NamedTuple):
    """A LOINC question."""

    code: str
    name: str


SMOKING_STATUS = Question("72166-2", "Tobacco smoking status")

SMOKING_UNKNOWN = ("266927001", "Unknown if ever smoked")
"""The template's own code for an unknown status; it allows no null (CONF:1098-31019)."""

_SMOKING = {
    "449868002": "Smokes tobacco daily",
    "428041000124106": "Occasional tobacco smoker",
    "8517006": "Ex-smoker",
    "266919005": "Never smoked tobacco",
    "77176002": "Smoker",
    "266927001": "Unknown if ever smoked",
    "428071000124103": "Heavy tobacco smoker",
    "428061000124105": "Light tobacco smoker",
}
"""Value set 2.16.840.1.113883.11.20.9.38, SNOMED."""

_SMOKING_ANSWERS = {
    "LA18976-3": "449868002",
    "LA18977-1": "428041000124106",
    "LA15920-4": "8517006",
    "LA18978-9": "266919005",
    "LA18979-7": "77176002",
    "LA18980-5": "266927001",
    "LA18981-3": "428071000124103",
    "LA18982-1": "428061000124105",
}
"""LOINC's answers to 72166-2, in SNOMED."""

_EMPLOYMENT = Question("67875-5", "Employment status - current")
_EDUCATION = Question("82589-3", "Highest level of education")
_HOUSING = Question("71802-3", "Housing status")
_TRANSPORT = Question("93030-5", "Has lack of transportation kept you from daily needs")
_REFUGEE = Question("93027-1", "Are you a refugee")
_ARMED_FORCES = Question("93034-7", "Discharged from the U.S. Armed Forces")
_PRISON = Question("93028-9", "More than 2 nights in a row in a jail in past 1 year")
_SAFETY = Question("93026-3", "Do you feel physically and emotionally safe where you currently live")
_CONTACTS = Question("93029-7", "How often do you see or talk to people that you care about")
_STRESS = Question("93038-8", "Stress level")
_ALCOHOL = Question("11331-6", "History of Alcohol use")

# fmt: off
_QUESTIONS = frozenset(
    {
        "11331-6", "11367-0", "11343-5", "28245-9", "32624-9", "54899-0", "56051-6", "56799-0",
        "63512-8", "63513-6", "63586-2", "67875-5", "68517-2", "71802-3", "72166-2", "74013-4",
        "76437-3", "76501-6", "76504-0", "76690-7", "76691-5", "82589-3", "93025-5", "93026-3",
        "93027-1", "93028-9", "93029-7", "93030-5", "93031-3", "93033-9", "93034-7", "93035-4",
        "93038-8", "96778-6", "97023-6",
    }
)
# fmt: on
"""LOINC: PRAPARE (93025-5) and its members, and other questions on living conditions and habits."""

_STATEMENTS = {
    "160903007": _EMPLOYMENT,
    "160904001": _EMPLOYMENT,
    "741062008": _EMPLOYMENT,
    "73438004": _EMPLOYMENT,
    "224299000": _EDUCATION,
    "224295006": _EDUCATION,
    "5251000175109": _EDUCATION,
    "105531004": _HOUSING,
    "32911000": _HOUSING,
    "713458007": _TRANSPORT,
    "266934004": _TRANSPORT,
    "446654005": _REFUGEE,
    "224355006": _ARMED_FORCES,
    "266948004": _PRISON,
    "424393004": _SAFETY,
    "706893006": _SAFETY,
    "422650009": _CONTACTS,
    "423315002": _CONTACTS,
    "73595000": _STRESS,
    "160573003": _ALCOHOL,
    "10939881000119105": _ALCOHOL,
}
"""SNOMED statements ("Full-time employment") and the LOINC question that each answers: the template
wants a LOINC code."""


def is_social(concept: ConceptInUse) -> bool:
    """Whether a concept is a question or a statement of social history."""
    if concept.vocabulary_id == "LOINC":
        return concept.concept_code in _QUESTIONS
    return question_of(concept) is not None or smoking_answer(concept) is not None


def question_of(concept: ConceptInUse) -> Question | None:
    """Return the question that a SNOMED statement answers; None when it is a question itself."""
    if concept.vocabulary_id != "SNOMED":
        return None
    return _STATEMENTS.get(concept.concept_code or "")


@lru_cache(maxsize=4096)
def smoking_answer(concept: ConceptInUse | None) -> tuple[str, str] | None:
    """Return a smoking status as SNOMED code and name, or None for any other concept."""
    code = (concept.concept_code if concept else None) or ""
    if concept is not None and concept.vocabulary_id == "LOINC":
        code = _SMOKING_ANSWERS.get(code, "")
    elif concept is None or concept.vocabulary_id != "SNOMED":
        return None
    return (code, _SMOKING[code]) if code in _SMOKING else None
