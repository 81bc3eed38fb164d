"""Uuids are what the same row always gets, and no other row."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carebus_contracts.omop.bundle import ConceptInUse
from carebus_converter.domain.openemr.allergies import is_allergy
from carebus_converter.domain.openemr.row_ids import RowIds, numbered


def test_uuid_never_changes() -> None:
    """Charts that were written yesterday are found by it."""
    assert RowIds("lab", 7).uuid("condition_occurrence", 1) == "07a622d2d0c7863aa3650d4853d9d650"


@given(st.integers(), st.sampled_from(["person", "drug_exposure"]), st.integers(), st.integers(0, 99))
def test_uuid_is_of_version_8_and_ends_in_0(person: int, entity: str, record: int, copy: int) -> None:
    """The last digit is free for rows that belong to the row."""
    uuid = RowIds("lab", person).uuid(entity, record, copy)

    assert UUID(uuid).version == 8
    assert uuid[-1] == "0"


def test_rows_of_one_person_lie_together() -> None:
    """The first six bytes are the person's; the source is part of them."""
    starts = {
        (source, person): {
            RowIds(source, person).uuid(e, n)[:12] for e in ("person", "death") for n in (1, 2)
        }
        for source in ("lab", "ward")
        for person in (1, 2)
    }

    assert all(len(some) == 1 for some in starts.values())
    assert len(set.union(*starts.values())) == 4


@given(st.permutations([(1, "a"), (1, "b"), (2, "a"), (1, "c")]))
def test_copies_are_numbered_by_content(rows: list[tuple[int, str]]) -> None:
    """Whatever order they come in."""
    assert dict(numbered(rows)) == {(1, "a"): 0, (1, "b"): 1, (1, "c"): 2, (2, "a"): 0}


@pytest.mark.parametrize(
    ("name", "states"),
    [
        ("Allergy to peanuts", True),
        ("Shellfish allergy", True),
        ("Latex allergy", True),
        ("Drug intolerance", True),
        ("Acute allergic reaction", False),
        ("Perennial allergic rhinitis", False),
        ("No known drug allergy", False),
        ("Family history of allergy", False),
        ("Impaired glucose tolerance", False),
        ("Allergy test", False),
    ],
)
def test_names_that_state_an_allergy(name: str, states: bool) -> None:
    """SNOMED CT's wording, as OMOP carries it."""
    assert is_allergy(ConceptInUse(1, "1", "SNOMED", name, "Observation", "S")) is states
