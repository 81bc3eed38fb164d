"""OBSERVATION rows that state whether somebody smokes, as ``history_data.tobacco``."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import orjson

from carebus_contracts.omop.bundle import ConceptInUse
from carebus_contracts.omop.observation import Observation
from carebus_converter.domain.openemr.cells import moment, text
from carebus_converter.domain.openemr.chart import Chart

HISTORY = ("uuid", "date", "tobacco")

QUESTION = "72166-2"
"""LOINC: Tobacco smoking status."""


class Smoking(NamedTuple):
    """One option of OpenEMR's list ``smoking_status``."""

    option: int
    status: str
    title: str


_CURRENT, _FORMER, _NEVER, _UNKNOWN = (
    "currenttobacco",
    "quittobacco",
    "nevertobacco",
    "not_applicabletobacco",
)
_DAILY = Smoking(1, _CURRENT, "Current every day smoker")
_SOME_DAYS = Smoking(2, _CURRENT, "Current some day smoker")
_QUIT = Smoking(3, _FORMER, "Former smoker")
_NEVER_SMOKED = Smoking(4, _NEVER, "Never smoker")
_SMOKER = Smoking(5, _CURRENT, "Smoker, current status unknown")
_NOT_KNOWN = Smoking(9, _UNKNOWN, "Unknown if ever smoked")
_HEAVY = Smoking(15, _CURRENT, "Heavy tobacco smoker")
_LIGHT = Smoking(16, _CURRENT, "Light tobacco smoker")

BY_CODE = {
    "449868002": _DAILY,
    "428041000124106": _SOME_DAYS,
    "8517006": _QUIT,
    "266919005": _NEVER_SMOKED,
    "77176002": _SMOKER,
    "266927001": _NOT_KNOWN,
    "428071000124103": _HEAVY,
    "428061000124105": _LIGHT,
    "LA18976-3": _DAILY,
    "LA18977-1": _SOME_DAYS,
    "LA15920-4": _QUIT,
    "LA18978-9": _NEVER_SMOKED,
    "LA18979-7": _SMOKER,
    "LA18980-5": _NOT_KNOWN,
    "LA18981-3": _HEAVY,
    "LA18982-1": _LIGHT,
}
"""SNOMED CT findings and LOINC answers of the value set "Current Smoking Status"
(2.16.840.1.113883.11.20.9.38), which OpenEMR's list repeats."""
BY_TITLE = {smoking.title.lower(): smoking for smoking in BY_CODE.values()}


def smoking_of(chart: Chart, row: Observation, *, answered: bool = False) -> Smoking | None:
    """Return what an observation says of smoking: by its own concept, by its answer, or in words.

    Args:
        chart: Of the person.
        row: The observation.
        answered: It has an answer that is not yes: "Smoker: no" states no smoker.
    """
    return _stated(
        chart.concepts.get(row.observation_concept_id),
        chart.concepts.get(row.value_as_concept_id),
        row.value_as_string or row.value_source_value,
        answered,
    )


def newest(stated: list[tuple[Observation, int, Smoking]]) -> tuple[Observation, int, Smoking]:
    """Return the statement that counts; at the same time the larger record id, then the content."""
    return max(
        stated,
        key=lambda s: (_time(s[0]), s[0].observation_id, orjson.dumps(tuple(s[0]))),
    )


def smoking_row(chart: Chart, row: Observation, copy: int, smoking: Smoking) -> str:
    """Return the row of history_data: title, status, date of quitting (unknown here) and option."""
    uuid = chart.ids.uuid("observation", row.observation_id, copy)
    tobacco = text(f"{smoking.title}|{smoking.status}||{smoking.option}", 255)
    return f'["{uuid}",{moment(row.observation_date, row.observation_datetime)},{tobacco}]'


@lru_cache(maxsize=65_536)
def _stated(
    concept: ConceptInUse | None, answer: ConceptInUse | None, words: str | None, answered: bool
) -> Smoking | None:
    if concept is None:
        return None
    if concept.vocabulary_id == "SNOMED" and (smoking := BY_CODE.get(concept.concept_code or "")):
        return None if answered else smoking
    if concept.concept_code != QUESTION or concept.vocabulary_id != "LOINC":
        return None
    by_answer = BY_CODE.get(answer.concept_code or "") if answer is not None else None
    return by_answer or BY_TITLE.get((words or "").strip().lower())


def _time(row: Observation) -> str:
    return moment(row.observation_date, row.observation_datetime)
