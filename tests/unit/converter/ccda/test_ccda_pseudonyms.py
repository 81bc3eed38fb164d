"""Laws of the names that stand in for the ones OMOP does not have."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from carebus_converter.domain.identity import pseudonym

IDS = st.integers(min_value=-(2**63), max_value=2**63 - 1)


def test_200_000_persons_of_a_source_have_200_000_names() -> None:
    """Serial ids, as real sources hand them out, never collide."""
    names = {pseudonym("lab", person_id) for person_id in range(200_000)}

    assert len(names) == 200_000


@given(st.sets(IDS, min_size=2, max_size=50))
def test_different_ids_have_different_full_names(ids: set[int]) -> None:
    """No two ids share a name, however far apart or large they are."""
    full_names = {" ".join(pseudonym("lab", person_id)) for person_id in ids}

    assert len(full_names) == len(ids)


@given(IDS)
def test_large_ids_that_share_a_tail_differ(person_id: int) -> None:
    """The whole id counts: cutting it to 32 bits would make these two one person."""
    assert pseudonym("lab", person_id) != pseudonym("lab", person_id ^ 1 << 40)


@given(IDS)
def test_name_is_stable_and_can_be_said(person_id: int) -> None:
    """The same person has the same name each time, in words of letters."""
    name = pseudonym("lab", person_id)

    assert name == pseudonym("lab", person_id)
    assert re.fullmatch(r"[A-Z][a-z]{4}", name.given)
    assert re.fullmatch(r"[A-Z][a-z]{4}(-[A-Z][a-z]{4})*", name.family)


def test_source_and_key_change_the_name() -> None:
    """One id in two sources, or under two site keys, does not show itself as one person."""
    names = {
        pseudonym("lab", 7),
        pseudonym("clinic", 7),
        pseudonym("lab", 7, b"secret"),
        pseudonym("clinic", 7, b"secret"),
    }

    assert len(names) == 4
