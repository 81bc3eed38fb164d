"""A batch is handled in parts that fit into memory, in order, and none is left out."""

from __future__ import annotations

from types import SimpleNamespace

from hypothesis import given, settings
from hypothesis import strategies as st

from carebus_runtime.parts import first_part

CLAIMED = (("carebus-claim", b"true"),)


def record(size: int, *, claimed: bool = False) -> SimpleNamespace:
    return SimpleNamespace(value=b"." * size, headers=CLAIMED if claimed else ())


def test_a_part_ends_before_it_is_too_large() -> None:
    records = [record(40), record(60), record(1)]

    assert first_part(records, 100) == records[:2]


def test_a_record_above_the_limit_stands_alone() -> None:
    large, small = record(500), record(1)

    assert first_part([large, small], 100) == [large]
    assert first_part([small, large], 100) == [small]


def test_a_claim_check_stands_alone_however_small_it_is_itself() -> None:
    claim, small, tombstone = record(1, claimed=True), record(1), record(0)

    assert first_part([claim, small], 100) == [claim]
    assert first_part([small, small, claim], 100) == [small, small]
    assert first_part([tombstone, claim], 100) == [tombstone]


@settings(max_examples=2_000)
@given(st.lists(st.tuples(st.integers(0, 120), st.booleans()), min_size=1))
def test_the_parts_of_a_batch_are_the_batch(sizes: list[tuple[int, bool]]) -> None:
    records = [record(size, claimed=claimed) for size, claimed in sizes]

    parts, rest = [], records
    while rest:
        parts.append(first_part(rest, 100))
        rest = rest[len(parts[-1]) :]

    assert [r for part in parts for r in part] == records
    assert all(len(part) == 1 or sum(len(r.value) for r in part) <= 100 for part in parts)
