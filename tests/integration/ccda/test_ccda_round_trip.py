"""What went into the documents comes out again: an independent reader against SQL over the source's files."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from carebus_contracts.omop.bundle import decode_person
from carebus_converter.domain.ccda import DocumentSettings, document
from integration.ccda.expected import expected
from integration.ccda.reader import Fact, facts
from integration.ccda.valued import make_valued
from support.omop_bundles import bundles


def differences(folder: Path) -> tuple[Counter[str], list[Fact], list[Fact]]:
    """Return how many facts each section has, and what documents lack and have too much."""
    found: Counter[Fact] = Counter()
    for encoded in bundles(folder):
        made = document(decode_person(encoded), settings=DocumentSettings())
        found.update(facts(made.xml.encode("ascii")))
    wanted = Counter(expected(folder))
    sections = Counter(fact.section for fact in found.elements())
    return sections, list((wanted - found).elements()), list((found - wanted).elements())


WHOLE = [
    pytest.param(
        "gibleed_5.3",
        {
            "person": 2_694,
            "problem": 65_332 + 441,
            "medication": 41_997,
            "immunization": 25_710,
            "procedure": 37_409,
            "encounter": 1_037,
            "allergy": 1_034,
            "result": 44_053 + 2,
        },
        id="gibleed",
    ),
    pytest.param(
        "synthea27nj_5.4",
        {
            "person": 28,
            "problem": 470 + 2,
            "medication": 883,
            "procedure": 1_649,
            "encounter": 1_791,
            "device": 1,
            "vital": 3_965,
            "result": 10_040 - 3_965 + 818,
        },
        id="synthea27nj",
    ),
]


@pytest.mark.parametrize(("name", "counts"), WHOLE)
def test_every_fact_of_every_person_comes_back(shared: Path, name: str, counts: dict[str, int]) -> None:
    """Codes, translations, dates, values and units, section by section."""
    sections, lacking, surplus = differences(shared / "omop" / name / "parquet")

    assert (lacking[:3], surplus[:3]) == ([], [])
    assert {section: sections[section] for section in counts} == counts


def test_values_of_every_kind_come_back(shared: Path, tmp_path: Path) -> None:
    """Numbers, bounds, ranges, coded answers, words, units that are UCUM and units that are not."""
    folder = make_valued(shared / "omop" / "gibleed_5.3" / "parquet", tmp_path)

    sections, lacking, surplus = differences(folder)

    assert (lacking[:3], surplus[:3]) == ([], [])
    assert sections["vital"] > 500
    assert sections["result"] > 1_500
    assert sections["diagnosis"] > 1_000
