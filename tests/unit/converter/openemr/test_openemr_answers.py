"""Observations that ask: a chart must not say the opposite of the answer."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from carebus_converter.domain.openemr import PlanParts, plan
from unit.converter.openemr.factories import SETTINGS, a_bundle, a_row, rows_of

YES, NO = 4188539, 4188540
MOLD_ALLERGY, MOLD, DRUG_ALLERGY = 4304110, 4297090, 439224
SMOKER, PARACETAMOL, APPENDECTOMY = 4298794, 1127078, 4203722


def observed(concept_id: int, **cells: Any) -> PlanParts:
    row = a_row("observation", observation_concept_id=concept_id, observation_date=date(2001, 2, 3), **cells)
    return plan(a_bundle(observation=[row]), settings=SETTINGS)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"value_as_concept_id": NO}, id="coded"),
        pytest.param({"value_as_string": "No"}, id="in words"),
        pytest.param({"value_source_value": " negative "}, id="in the source's words"),
    ],
)
def test_allergy_that_is_denied_is_none(answer: dict[str, Any]) -> None:
    """ "Allergy to mold: no" is no allergy, and least of all one called "No"."""
    parts = observed(MOLD_ALLERGY, **answer)

    assert rows_of(parts, "lists.observation") == []
    assert parts.not_mapped == {"observation": {"denied": 1}}


@pytest.mark.parametrize(
    ("concept_id", "answer", "title", "code"),
    [
        pytest.param(
            MOLD_ALLERGY, {"value_as_concept_id": YES}, "Allergy to mold", "SNOMED-CT:419474003", id="yes"
        ),
        pytest.param(MOLD_ALLERGY, {"value_as_string": "yes"}, "Allergy to mold", "SNOMED-CT:419474003",
                     id="yes in words"),
        pytest.param(MOLD, {}, "Mold", "SNOMED-CT:84489001", id="the bare substance, as Synthea has it"),
        pytest.param(DRUG_ALLERGY, {"value_as_concept_id": PARACETAMOL},
                     "acetaminophen 160 MG Oral Tablet", "RXCUI:282464", id="to a coded substance"),
        pytest.param(DRUG_ALLERGY, {"value_as_string": "penicillin"}, "penicillin", "SNOMED-CT:416098002",
                     id="to a substance in words"),
    ],
)  # fmt: skip
def test_allergy_is_called_by_what_it_is_to(
    concept_id: int, answer: dict[str, Any], title: str, code: str
) -> None:
    """A confirmation adds nothing to its name; a substance says more than a kind."""
    (row,) = rows_of(observed(concept_id, **answer), "lists.observation")

    assert (row["type"], row["title"], row["diagnosis"]) == ("allergy", title, code)


@pytest.mark.parametrize(("answer", "smokes"), [(NO, False), (YES, True), (None, True)])
def test_smoker_no_is_no_smoker(answer: int | None, smokes: bool) -> None:
    """A statement that is denied states nothing."""
    parts = observed(SMOKER, value_as_concept_id=answer)

    assert len(rows_of(parts, "history_data")) == smokes
    assert parts.not_mapped == ({} if smokes else {"observation": {"no_safe_place": 1}})


@pytest.mark.parametrize(("answer", "stated"), [(NO, False), (YES, True), (None, True)])
def test_history_that_is_confirmed_is_one(answer: int | None, stated: bool) -> None:
    """ "History of appendectomy: yes" says the same as without an answer."""
    parts = observed(APPENDECTOMY, value_as_concept_id=answer)

    assert len(rows_of(parts, "lists.observation")) == stated
