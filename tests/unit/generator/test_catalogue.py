"""The catalogue carries only codes that the vocabulary, or an independent source, bears out."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest

from carebus_generator.domain.catalogue import CATALOGUE, Code, Domain, Evidence, read_catalogue
from carebus_generator.domain.cohort import Kind, Mechanism, Region
from carebus_generator.domain.conditions import CONDITIONS

HEADER = (
    "key,vocabulary,code,name,concept_id,domain,unit,unit_concept_id,decimals,low,high,route,verified_by\n"
)

WRONG = {
    ("284551006", "traumatic amputation"),
    ("7200002", "burn of skin"),
    ("275272006", "crush injury"),
    ("195662009", "acute respiratory illness"),
    ("62106007", "concussion with LOC"),
    ("300916003", "penicillin allergy"),
    ("125605004", "traumatic shock"),
    ("125596004", "injury by explosive"),
    ("37782003", "fracture of bone"),
}
"""Codes that a generator in use carries, and the wrong meanings that it gives them."""
NEVER = {"7200002", "275272006", "300916003", "125596004", "37782003"}
"""Those that mean nothing that a patient here may have."""
UNVERIFIED = {
    "125689001", "361220002", "19130008", "125670008", "372963008", "302914006", "55566008", "428794004", "409711008",
}  # fmt: skip
"""Found in no source but that generator."""


def test_no_wrong_and_no_unverified_code_is_carried() -> None:
    """Codes known to be wrong do not appear with that meaning; unverified ones do not appear."""
    codes = {code.code for code in CATALOGUE.codes}
    meanings = {(code.code, code.name.lower()) for code in CATALOGUE.codes}

    assert not codes & (UNVERIFIED | NEVER)
    assert not meanings & {(code, name.lower()) for code, name in WRONG}


def test_concepts_are_standard_of_that_domain_code_and_name(
    concepts: dict[tuple[str, str], dict[str, str]],
) -> None:
    """Every code said to be in the shipped vocabulary is there: same id, domain and name, and standard."""
    wrong = []
    for code in CATALOGUE.codes:
        if code.verified_by != Evidence.CONCEPT:
            continue
        concept = concepts.get((code.vocabulary, code.code), {})
        seen = (concept.get("concept_id"), concept.get("domain_id"), concept.get("concept_name"))
        if seen != (str(code.concept_id), code.domain, code.name) or concept["standard_concept"] != "S":
            wrong.append((code.key, seen))

    assert wrong == []


def test_units_are_those_of_the_vocabulary(concepts: dict[tuple[str, str], dict[str, str]]) -> None:
    """A unit's concept is UCUM's; units that the shipped vocabulary lacks have 0."""
    for code in CATALOGUE.codes:
        known = concepts.get(("UCUM", code.unit), {"concept_id": "0"})
        assert str(code.unit_concept_id) == known["concept_id"], code.key


def test_burn_injury_is_an_observation_and_stays_out_of_conditions() -> None:
    """48333001 looks like a condition, and is domain Observation in OMOP."""
    assert all(code.code != "48333001" for code in CATALOGUE.of(Domain.CONDITION))


def test_what_can_be_measured_has_a_unit_a_range_and_decimals() -> None:
    """Measurements with values and drugs name their UCUM unit and a range; drugs also their route."""
    for code in (*CATALOGUE.of(Domain.MEASUREMENT), *CATALOGUE.of(Domain.DRUG)):
        if code.key == "blood_group":
            continue
        assert code.unit, code.key
        assert code.low < code.high, code.key
        assert bool(code.route) == (code.domain == Domain.DRUG), code.key


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("a,SNOMED,1,A,5,Condition,,,,,,,independent-source", "line 2: a concept id needs"),
        ("a,SNOMED,1,A,0,Condition,,,,,,,omop-concept", "line 2: a concept id needs"),
        ("a,SNOMED,1,A,0,Place,,,,,,,own-code", "line 2: domain must be"),
        ("a,SNOMED,1,A,0,Condition,,,,,,,hearsay", "line 2: verified_by must be"),
    ],
    ids=["id without evidence", "evidence without id", "domain", "evidence"],
)
def test_bad_rows_are_refused(line: str, complaint: str) -> None:
    """A row says what it is and where that is known from."""
    with pytest.raises(ValueError, match=complaint):
        read_catalogue(HEADER + line + "\n")


def test_every_condition_drawn_fits_its_case() -> None:
    """Mechanism, region, severity and sex decide which conditions can come."""
    cases = 4000
    step = np.arange(cases)
    uniform = (step * 0.618034) % 1
    fitting = {each.row: each for each in CONDITIONS.all}
    for kind in Kind:
        for mechanism in Mechanism:
            for region in Region:
                if not CONDITIONS.fits(kind, mechanism, region):
                    continue
                ais, female = step % 6 + 1, step // 6 % 2 == 1
                same = np.ones(cases, dtype=np.int64)

                rows = CONDITIONS.pick(
                    uniform,
                    kind=kind * same,
                    mechanism=mechanism * same,
                    region=region * same,
                    ais=ais,
                    female=female,
                )

                for row, woman in set(zip(rows.tolist(), female.tolist(), strict=True)):
                    each = fitting[row]
                    assert kind in each.kinds
                    assert mechanism in each.mechanisms
                    assert region in each.regions
                    assert (each.female if woman else each.male) > 0


def test_severity_is_kept_where_a_condition_is_that_severe() -> None:
    """A severe head injury by blast is not a facial laceration."""
    uniform = np.linspace(0, 1, 1000, endpoint=False)
    same = np.ones(1000, dtype=np.int64)

    rows = CONDITIONS.pick(
        uniform, kind=0 * same, mechanism=0 * same, region=0 * same, ais=5 * same, female=same == 0
    )

    assert {CATALOGUE[row].key for row in rows} == {
        "open_wound",
        "traumatic_brain_injury",
        "spine_fracture_with_cord",
    }


def test_only_women_have_a_tubal_pregnancy() -> None:
    """Conditions that a sex cannot have are never drawn for it."""
    uniform = np.linspace(0, 1, 5000, endpoint=False)
    same = np.ones(5000, dtype=np.int64)
    drawn = {}
    for sex in (False, True):
        rows = CONDITIONS.pick(
            uniform,
            kind=2 * same,
            mechanism=9 * same,
            region=5 * same,
            ais=3 * same,
            female=np.full(5000, sex),
        )
        drawn[sex] = {CATALOGUE[row].key for row in rows}

    assert "tubal_pregnancy" not in drawn[False]
    assert "tubal_pregnancy" in drawn[True]


def test_a_case_without_a_condition_is_refused() -> None:
    """Nobody gets a sprained ankle from a gunshot in the disease group."""
    one = np.array([1], dtype=np.int64)

    with pytest.raises(ValueError, match="no condition for"):
        CONDITIONS.pick(
            np.array([0.5]), kind=2 * one, mechanism=one, region=0 * one, ais=one, female=one == 0
        )


def test_conditions_are_conditions() -> None:
    """What patients come with is of OMOP's domain Condition."""
    codes: list[Code] = [CATALOGUE[each.row] for each in CONDITIONS.all]

    assert {code.domain for code in codes} == {Domain.CONDITION}


@pytest.fixture(scope="module")
def concepts(shared: Path) -> dict[tuple[str, str], dict[str, str]]:
    """The concepts of both OHDSI data sets, by vocabulary and code."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for name in ("gibleed_5.3", "synthea27nj_5.4"):
        with gzip.open(shared / "omop" / name / "csv" / "CONCEPT.csv.gz", "rt", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                concept = {column.lower(): value for column, value in row.items()}
                found.setdefault((concept["vocabulary_id"], concept["concept_code"]), concept)
    return found
